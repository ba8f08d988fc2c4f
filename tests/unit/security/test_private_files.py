from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from security.errors import KeyFileError
from security.private_files import read_private, write_private

if TYPE_CHECKING:
    from pathlib import Path


def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private(path, 6) == b"secret"
    assert [found.name for found in tmp_path.iterdir()] == ["key"]


def test_a_wide_umask_does_not_open_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "key", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_an_existing_file_is_never_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_private(path, b"first")
    with pytest.raises(KeyFileError, match="is already there and is not overwritten"):
        write_private(path, b"second")
    assert read_private(path, 10) == b"first"
    write_private(path, b"second", replace=True)
    assert read_private(path, 10) == b"second"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o700 | 0o010])
def test_a_file_that_others_can_open_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    write_private(path, b"secret")
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"has mode {mode:04o}.*Run: chmod 600"):
        read_private(path, 10)


def test_a_file_of_another_user_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    write_private(path, b"secret")
    os.chown(path, 4242, -1) if os.geteuid() == 0 else monkeypatch.setattr(os, "geteuid", lambda: 1)
    with pytest.raises(KeyFileError, match=r"belongs to user \d+, not to .*Run: chown"):
        read_private(path, 10)


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be read: No such file or directory"):
        read_private(tmp_path / "key", 10)


def test_a_device_or_pipe_in_place_of_a_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "pipe"):
        with pytest.raises(KeyFileError, match="is not a regular file"):
            read_private(tmp_path / name, 10)


def test_an_oversized_file_is_not_read_whole(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"x" * 11)
    with pytest.raises(KeyFileError, match="is longer than 10 bytes"):
        read_private(tmp_path / "key", 10)


def test_a_missing_directory_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="cannot be written"):
        write_private(tmp_path / "absent" / "key", b"secret")
