"""Where results may go: never over an input, never half."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from deploy.errors import InputFileError, ModelChoiceError
from deploy.model.table_files import read_table
from deploy.model.targets import refuse_target, replacing, write_table

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pa.table({"a": [1]})


def _fill(path: Path) -> None:
    with replacing(path) as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_result_never_replaces_an_input(tmp_path: Path) -> None:
    source = tmp_path / "inputs.csv"
    source.write_text("a\n", encoding="utf-8")
    soft, hard = tmp_path / "soft.csv", tmp_path / "hard.csv"
    soft.symlink_to(source)
    hard.hardlink_to(source)
    (tmp_path / "sub").mkdir()
    for one in (source, soft, hard, tmp_path / "sub" / ".." / "inputs.csv"):
        with pytest.raises(ModelChoiceError, match="which would be lost: name another"):
            refuse_target(one, "--out", inputs=[None, source])
    absent = tmp_path / "absent.csv"
    with pytest.raises(ModelChoiceError, match="would be lost"):
        refuse_target(absent, "--out", inputs=[absent])
    refuse_target(tmp_path / "out.csv", "--out", inputs=[None, source, absent])


def test_a_place_that_cannot_be_is_refused_before_work(tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(ModelChoiceError, match="not a file that could be replaced"):
        refuse_target(folder, "--out", inputs=[])
    with pytest.raises(ModelChoiceError, match="its directory does not exist"):
        refuse_target(tmp_path / "absent" / "out.csv", "--out", inputs=[])
    with pytest.raises(InputFileError, match=r"--png out\.csv: expected a name ending in \.png"):
        refuse_target(tmp_path / "out.csv", "--png", inputs=[], ending=".png")


@pytest.mark.parametrize("name", ["o.csv", "o.parquet", "o.arrow"])
def test_a_table_replaces_what_was_there_as_a_whole(tmp_path: Path, name: str) -> None:
    path, link = tmp_path / name, tmp_path / f"link{name}"
    path.write_text("before", encoding="utf-8")
    link.symlink_to(path)
    write_table(TABLE, link)
    assert link.is_symlink()
    assert str(read_table(path).column("a")[0]) == "1"
    assert {one.name for one in tmp_path.iterdir()} == {name, f"link{name}"}


def test_what_fails_leaves_nothing_and_names_the_path(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(OSError, match="No space left") as info:
        _fill(path)
    assert info.value.filename == str(path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["o.csv"]


def test_an_error_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    with pytest.raises(FileNotFoundError) as info, replacing(tmp_path / "o.csv"):
        other.read_bytes()
    assert info.value.filename == str(other)
