"""The file of a pack: one spelling, bounded, and nothing in it that could escape."""

from __future__ import annotations

import io
import zipfile

import pytest

from security.errors import PackError
from security.packs import archive
from security.packs.archive import read_archive, write_archive

FILES = {"pack.json": b"{}", "catalog/units.yaml": b"a: 1\n", "golden/a.json": b"[1]"}


def zipped(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as made:
        for name, content in entries:
            made.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return target.getvalue()


def test_what_was_written_is_read() -> None:
    assert read_archive(write_archive(FILES)) == dict(sorted(FILES.items()))
    assert write_archive(dict(reversed(FILES.items()))) == write_archive(FILES)


def test_a_file_that_is_no_pack_is_told_with_what_to_do() -> None:
    with pytest.raises(PackError, match=r"give the \.zip file .* \(BadZipFile\)"):
        read_archive(b"no zip at all")


def test_every_changed_cut_or_added_byte_is_refused() -> None:
    content = write_archive(FILES)
    for at in range(len(content)):
        with pytest.raises(PackError):
            read_archive(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(PackError):
            read_archive(content[:at])
    for around in (b"\x00" + content, content + b"\x00"):
        with pytest.raises(PackError):
            read_archive(around)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../x", "/etc/x", "a\\b", ".hidden", "a//b", "a/", "x" * 201, "目录", "a\nb", "C:x"],
)
def test_a_name_that_could_escape_is_refused(name: str) -> None:
    with pytest.raises(PackError):
        read_archive(zipped([(name, b"x")]))
    with pytest.raises(PackError, match="no name of a file"):
        write_archive({name: b"x"})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_appears_twice_is_refused() -> None:
    with pytest.raises(PackError, match="twice"):
        read_archive(zipped([("a", b"1"), ("a", b"2")]))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped([(f"a{n}", bytes(15 * 2**20)) for n in range(3)], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**18
    with pytest.raises(PackError, match="compressed"):
        read_archive(bomb)


def test_bounds_of_size_and_number_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", 2)
    with pytest.raises(PackError, match="3 files, expected 1 to 2"):
        write_archive(FILES)
    with pytest.raises(PackError, match="0 files"):
        read_archive(zipped([]))
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 4)
    with pytest.raises(PackError, match="at most 4 are read"):
        read_archive(zipped([("a", b"12345")]))
    monkeypatch.setattr(archive, "MAX_BYTES", 4)
    with pytest.raises(PackError, match="at most 4 are read"):
        read_archive(zipped([("a", b"1234")]))


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"x" * 1000])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(PackError):
        read_archive(content)
