"""Attacks on the packs' channel: whoever carries the files can hold them back, and no more."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from security.errors import (
    PackAbsentError,
    PackError,
    PackExpiredError,
    PackRolledBackError,
)
from security.packs.ceremony import sign_root as sign
from security.packs.ceremony import stage_pack, stage_root
from security.packs.client import PackTarget, Release, fetch, load_release, refresh
from security.packs.fetchers import FolderFetcher
from security.packs.files import read_pack
from security.packs.keys import Role, create_key
from security.packs.layout import TIMESTAMP, file_of
from tests.support.pack_repository import NOW, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

NAME = "packs/2026.12.1.zip"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    made.publish("2026.12.1", b"pack one" * 100_000)
    return made


class Member:
    """A member that fetches from a folder."""

    def __init__(self, place: Path, root: bytes) -> None:
        self.place = place
        self.root = root

    def refresh(self, folder: Path, now: datetime = NOW) -> Release:
        return refresh(self.place / "client", self.root, FolderFetcher(folder), now)

    def fetch(self, folder: Path, now: datetime = NOW) -> bytes:
        target = self.refresh(folder, now).targets[NAME]
        path = fetch(target, FolderFetcher(folder), self.place / "held")
        return read_pack(path, target.digest)


@pytest.fixture
def member(repository: Repository, tmp_path: Path) -> Member:
    return Member(tmp_path / "member", repository.root)


def copy_of(repository: Repository, name: str) -> Path:
    place = repository.directory.parent / name
    shutil.copytree(repository.directory, place)
    return place


def test_a_member_gets_what_both_signed(repository: Repository, member: Member) -> None:
    assert member.fetch(repository.directory) == b"pack one" * 100_000
    found = load_release(member.place / "client")
    assert set(found.targets) == {NAME}
    assert found.expires_at == NOW + timedelta(days=7)


def test_an_older_folder_than_was_seen_is_refused(repository: Repository, member: Member) -> None:
    stick = copy_of(repository, "stick")
    repository.publish("2026.12.2", b"pack two")
    member.refresh(repository.directory)
    with pytest.raises(PackRolledBackError, match="older than"):
        member.refresh(stick)
    assert "packs/2026.12.2.zip" in load_release(member.place / "client").targets


@pytest.mark.parametrize("what", ["timestamp", "snapshot", "targets", "root"])
def test_a_rolled_back_file_is_refused(repository: Repository, member: Member, what: str) -> None:
    old = copy_of(repository, "old") / "metadata"
    rotate(repository)
    repository.publish("2026.12.2", b"pack two")
    member.refresh(repository.directory)
    repository.publish("2026.12.3", b"pack three")
    now = repository.directory / "metadata"
    newest = {"timestamp": "timestamp", "root": "3.root"}.get(what, f"3.{what}")
    earlier = {"timestamp": "timestamp", "root": "1.root"}.get(what, f"1.{what}")
    shutil.copy(old / f"{earlier}.json", now / f"{newest}.json")
    with pytest.raises(PackRolledBackError):
        member.refresh(repository.directory)


def rotate(repository: Repository) -> None:
    stage_root(repository.directory, repository.root_keys(), NOW)
    for name in ("bo", "cy"):
        sign(repository.directory, repository.signer(name))


def test_a_frozen_repository_is_noticed(repository: Repository, member: Member) -> None:
    member.refresh(repository.directory, NOW + timedelta(days=6, hours=23))
    with pytest.raises(PackExpiredError, match="newer metadata is held back"):
        member.refresh(repository.directory, NOW + timedelta(days=8))
    repository.release(NOW + timedelta(days=8))
    assert member.refresh(repository.directory, NOW + timedelta(days=8)).versions["timestamp"] == 2


def test_parts_of_two_releases_do_not_mix(repository: Repository, member: Member) -> None:
    repository.publish("2026.12.2", b"pack two")
    metadata = repository.directory / "metadata"
    shutil.copy(metadata / "1.targets.json", metadata / "2.targets.json")
    with pytest.raises(PackError):
        member.refresh(repository.directory)


def test_a_pack_of_another_content_or_length_is_refused(
    repository: Repository, member: Member
) -> None:
    target = member.refresh(repository.directory).targets[NAME]
    path = repository.directory / file_of(NAME, target.digest)
    good = path.read_bytes()
    for bad in (b"x" + good[1:], good + b"x"):
        path.write_bytes(bad)
        with pytest.raises(PackError, match="nothing of it is kept"):
            member.fetch(repository.directory)
    assert not [one for one in (member.place / "held").iterdir() if one.stat().st_size]


class Endless:
    """Gives a folder's files, but one of them without end."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name, self.given = FolderFetcher(folder), name, 0

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        if name != self.name:
            yield from self.folder.read(name, offset)
            return
        while True:
            self.given += 2**16
            yield bytes(2**16)


@pytest.mark.parametrize("name", [TIMESTAMP, "metadata/1.snapshot.json"])
def test_metadata_without_end_is_cut_off(repository: Repository, member: Member, name: str) -> None:
    line = Endless(repository.directory, name)
    with pytest.raises(PackError, match="more than"):
        refresh(member.place / "client", member.root, line, NOW)
    assert line.given <= 2 * 2**20


def test_a_pack_without_end_is_cut_off(repository: Repository, member: Member) -> None:
    target = member.refresh(repository.directory).targets[NAME]
    line = Endless(repository.directory, file_of(NAME, target.digest))
    with pytest.raises(PackError, match="not the file that was signed"):
        fetch(target, line, member.place / "held")
    assert line.given <= target.length + 2**16


class Broken:
    """A line that breaks after some bytes, once."""

    def __init__(self, folder: Path, after: int) -> None:
        self.folder, self.left, self.asked = FolderFetcher(folder), after, list[int]()

    def read(self, name: str, offset: int = 0) -> Iterator[bytes]:
        self.asked.append(offset)
        for piece in self.folder.read(name, offset):
            if self.left <= 0:
                return
            yield piece[: self.left]
            self.left -= len(piece)
        self.left = 2**40


def test_a_download_that_broke_off_goes_on(repository: Repository, member: Member) -> None:
    target = member.refresh(repository.directory).targets[NAME]
    line = Broken(repository.directory, 300_000)
    with pytest.raises(PackAbsentError, match="300000 of 800000 bytes came"):
        fetch(target, line, member.place / "held")
    line.left = 2**40
    path = fetch(target, line, member.place / "held")
    assert path.read_bytes() == b"pack one" * 100_000
    assert line.asked == [0, 300_000]


def test_one_of_two_signatures_of_the_targets_is_not_enough(
    repository: Repository, member: Member
) -> None:
    stage_pack(
        repository.directory,
        "2026.12.2",
        b"alone",
        signer=repository.signer("business"),
        now=NOW,
    )
    staged = repository.directory / "staged" / "2.targets.json"
    shutil.move(staged, repository.directory / "metadata" / "2.targets.json")
    repository.release()
    with pytest.raises(PackError, match="cannot be trusted"):
        member.refresh(repository.directory)


def test_another_root_than_the_pinned_one_is_refused(
    repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other")
    with pytest.raises(PackError, match="cannot be trusted"):
        Member(tmp_path / "m", other.root).refresh(repository.directory)
    with pytest.raises(PackError, match="cannot be trusted"):
        Member(tmp_path / "n", b"{}").refresh(repository.directory)


def test_a_new_root_is_followed_and_an_old_key_signs_no_more(
    repository: Repository, member: Member
) -> None:
    repository.public["desk"] = create_key(
        repository.keys / "desk-2", "desk", Role.ONLINE, post_quantum=False
    )
    rotate(repository)
    with pytest.raises(PackError, match="none of those that may sign"):
        repository.release()
    with pytest.raises(PackError):
        member.refresh(repository.directory)
    shutil.copy(repository.keys / "desk-2", repository.keys / "desk")
    repository.release()
    assert member.refresh(repository.directory).versions["root"] == 2


def test_metadata_spelled_otherwise_is_refused(repository: Repository, member: Member) -> None:
    path = repository.directory / TIMESTAMP
    content = path.read_bytes()
    document = json.loads(content)
    document["signatures"][0]["sig"] = document["signatures"][0]["sig"].upper()
    upper = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    # The client of TUF would read this as its own version, and find the signature to be good.
    null = content.replace(b'"spec_version":"1.0.31"', b'"spec_version":null')
    assert null != content
    spaced = content.replace(b",", b", ", 1)
    for bad in (spaced, content + b"\n", upper, null, b"[" * 10_000, b""):
        path.write_bytes(bad)
        with pytest.raises(PackError):
            member.refresh(repository.directory)


def test_a_pack_that_was_changed_on_disk_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"good")
    digest = hashlib.sha256(b"good").digest()
    assert read_pack(path, digest) == b"good"
    path.write_bytes(b"evil")
    with pytest.raises(PackError, match="changed after it was verified"):
        read_pack(path, digest)
    with pytest.raises(PackAbsentError):
        read_pack(tmp_path / "b.zip", digest)


def test_nothing_outside_of_a_folder_is_read(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    fetcher = FolderFetcher(repository.directory)
    for name in ("../secret", "metadata/../../secret", "/etc/passwd", "staged/1.root.json", "keys"):
        with pytest.raises(PackError, match="no name of the packs' repository"):
            list(fetcher.read(name))
    link = repository.directory / "metadata" / "9.root.json"
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(PackAbsentError):
        list(fetcher.read("metadata/9.root.json"))
    target = PackTarget(name=NAME, digest=bytes(32), length=5)
    with pytest.raises(PackAbsentError):
        fetch(target, fetcher, tmp_path / "held")
