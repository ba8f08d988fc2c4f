"""Signing: nobody alone, nobody twice, and nothing that is not finished is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from security.errors import KeyFileError, PackError
from security.packs.ceremony import (
    release,
    sign_root,
    sign_targets,
    stage_pack,
    stage_root,
    waiting_packs,
)
from security.packs.keys import Role, create_key, load_public, load_signer, public_path
from security.packs.layout import file_of, read_root
from security.packs.metadata_files import timestamp_end
from tests.support.pack_repository import NOW, Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def test_a_root_holds_when_two_of_three_signed(tmp_path: Path) -> None:
    made = Repository(tmp_path / "a")
    other = tmp_path / "other"
    assert stage_root(other, made.root_keys(), NOW).signatures == 0
    assert not sign_root(other, made.signer("bo")).is_complete
    assert read_root(other) == b""
    with pytest.raises(PackError, match="has signed already"):
        sign_root(other, made.signer("bo"))
    with pytest.raises(PackError, match="none of those that may sign"):
        sign_root(other, made.signer("business"))
    assert sign_root(other, made.signer("ada")).is_complete
    assert read_root(other)
    with pytest.raises(PackError, match="no root wait"):
        sign_root(other, made.signer("cy"))


def test_a_new_root_needs_two_of_the_old_and_two_of_the_new(repository: Repository) -> None:
    for name in ("dee", "eve"):
        key = create_key(repository.keys / name, name, Role.ROOT, post_quantum=False)
        repository.public[name] = key
    keys = replace(
        repository.root_keys(), root=[repository.public[name] for name in ("ada", "dee", "eve")]
    )
    stage_root(repository.directory, keys, NOW)
    with pytest.raises(PackError, match="waits for signatures"):
        stage_root(repository.directory, keys, NOW)
    assert not sign_root(repository.directory, repository.signer("dee")).is_complete
    assert not sign_root(repository.directory, repository.signer("eve")).is_complete
    assert not sign_root(repository.directory, repository.signer("ada")).is_complete
    done = sign_root(repository.directory, repository.signer("cy"))
    assert done.is_complete
    assert done.version == 2


def test_one_key_or_one_holder_cannot_be_both_eyes(repository: Repository, tmp_path: Path) -> None:
    keys = repository.root_keys()
    business = repository.public["business"]
    twice = create_key(tmp_path / "two", "business", Role.TARGETS, post_quantum=False)
    renamed = replace(business, holder="security")
    for targets, words in (
        ([business, business], "one key is named twice"),
        ([business, renamed], "one key is named twice"),
        ([business, twice], "four eyes are two people"),
        ([business], "expected 2 keys of the targets"),
        ([business, keys.online], "made for another role"),
    ):
        with pytest.raises(PackError, match=words):
            stage_root(tmp_path / "r", replace(keys, targets=targets), NOW)
    with pytest.raises(PackError, match="expected 3 keys of the root"):
        stage_root(tmp_path / "r", replace(keys, root=keys.root[:2]), NOW)


def test_a_key_under_a_made_up_id_is_refused(repository: Repository) -> None:
    path = public_path(repository.keys / "business")
    document = json.loads(path.read_bytes())
    document["keyid"] = "0" * 64
    path.chmod(0o600)
    path.write_text(json.dumps(document))
    with pytest.raises(PackError, match="another id than its own"):
        load_public(path)


def test_a_pack_is_seen_when_both_signed_and_it_is_released(repository: Repository) -> None:
    directory = repository.directory
    with pytest.raises(PackError, match="no targets that both signed"):
        repository.release()
    stage_pack(directory, "2026.12.1", b"one", signer=repository.signer("business"), now=NOW)
    assert list(waiting_packs(directory)) == ["packs/2026.12.1.zip"]
    with pytest.raises(PackError, match="waits for its second signature"):
        stage_pack(directory, "2026.12.2", b"two", signer=repository.signer("business"), now=NOW)
    for name, words in (
        ("business", "has signed already: the second signature is another person's"),
        ("ada", "none of those that may sign it"),
        ("desk", "none of those that may sign it"),
    ):
        with pytest.raises(PackError, match=words):
            sign_targets(directory, repository.signer(name))
    assert sign_targets(directory, repository.signer("security")).is_complete
    assert timestamp_end(directory) is None
    assert release(directory, repository.signer("desk"), NOW) == {
        "snapshot": 1,
        "targets": 1,
        "timestamp": 1,
    }
    assert timestamp_end(directory) == NOW + timedelta(days=7)
    with pytest.raises(PackError, match="none of those that may sign it"):
        release(directory, repository.signer("security"), NOW)


def test_a_version_keeps_its_file(repository: Repository) -> None:
    repository.publish("2026.12.1", b"one")
    with pytest.raises(PackError, match="give the pack a version of its own"):
        repository.publish("2026.12.1", b"another")
    with pytest.raises(PackError, match="no version of a pack"):
        repository.publish("../../x", b"another")
    repository.publish("2026.12.1", b"one")
    assert not list(repository.directory.glob(file_of("packs/2026.12.1.zip", bytes(32))))


def test_a_public_file_that_is_not_there_is_not_called_a_bad_key(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="cannot be read: No such file"):
        load_public(tmp_path / "ada.key.pub")


def test_who_signs_by_the_public_half_is_told_which_file_is_wanted(tmp_path: Path) -> None:
    create_key(tmp_path / "ada.key", "ada", Role.ROOT, post_quantum=False)
    with pytest.raises(KeyFileError, match=r"ada\.key\.pub is the public half.*private file"):
        load_signer(public_path(tmp_path / "ada.key"))


def test_keys_are_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "k"
    made = create_key(path, "ada", Role.ROOT, post_quantum=True)
    assert path.stat().st_mode & 0o077 == 0
    assert (
        load_signer(path).public_key.keyid == made.key_id == load_public(public_path(path)).key_id
    )
    with pytest.raises(KeyFileError, match="already there"):
        create_key(path, "ada", Role.ROOT, post_quantum=False)
    with pytest.raises(PackError, match="small letters"):
        create_key(tmp_path / "x", "Ada B", Role.ROOT, post_quantum=False)
    path.write_bytes(b"nothing")
    with pytest.raises(KeyFileError, match="no key of packs"):
        load_signer(path)
    with pytest.raises(PackError, match="no public key of packs"):
        load_public(path)
