"""The real file layer does each step, whole and privately."""

import os
from pathlib import Path

import pytest

from security.at_rest.file_layer import DISK


def test_a_file_is_made_written_cut_and_renamed(tmp_path: Path) -> None:
    path, target = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"old")
    DISK.create(path)
    assert path.read_bytes() == b""
    DISK.write(path, 4, b"long words")
    DISK.write(path, 0, memoryview(b"four"))
    DISK.truncate(path, 8)
    DISK.fsync(path)
    DISK.rename(path, target)
    DISK.fsync_directory(tmp_path)
    assert target.read_bytes() == b"fourlong"


def test_a_new_file_is_private(tmp_path: Path) -> None:
    DISK.create(tmp_path / "a")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    DISK.create(tmp_path / "a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, bytes(data[:3]), at))
        DISK.write(tmp_path / "a", 0, b"ten letters")
    assert (tmp_path / "a").read_bytes() == b"ten letters"


def test_a_file_that_is_gone_stays_gone(tmp_path: Path) -> None:
    DISK.unlink(tmp_path / "a")
    with pytest.raises(FileNotFoundError):
        DISK.fsync(tmp_path / "a")
