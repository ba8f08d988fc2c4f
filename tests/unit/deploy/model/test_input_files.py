from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from deploy.errors import InputFileError
from deploy.model.choosing import choose_model
from deploy.model.input_files import KEYS, read_inputs
from deploy.model.table_files import read_table
from deploy.model.targets import write_table

if TYPE_CHECKING:
    from pathlib import Path

FILLED, REQUIRED = "item.20.filled_fields@current", "item.20.required_fields@current"
HEAD = f"subject,level,type,{FILLED},{REQUIRED}"


def _csv(tmp_path: Path, *lines: str, head: str = HEAD) -> Path:
    path = tmp_path / "inputs.csv"
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
    return path


def _read(path: Path) -> list[tuple[int, bool]]:
    choice = choose_model("institution")
    table = read_inputs(path, choice.model, choice.catalog)
    at = table.position(FILLED)
    return list(zip(table.values[:, at].tolist(), table.present[:, at].tolist(), strict=True))


def test_an_empty_cell_is_a_missing_value(tmp_path: Path) -> None:
    path = _csv(tmp_path, "H33030200001,3,general,9,11", "H33030200002,2,general,,11")
    assert _read(path) == [(9, True), (0, False)]


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".arrow"])
def test_every_kind_of_file_gives_the_same_table(tmp_path: Path, ending: str) -> None:
    table = pa.table(
        {
            "subject": ["H33030200001", "H33030200002"],
            "level": ["3", "2"],
            "type": ["general", "general"],
            FILLED: pa.array([9, None], pa.int64()),
            REQUIRED: pa.array([11.0, 11.0], pa.float64()) if ending != ".csv" else [11, 11],
        }
    )
    path = tmp_path / f"inputs{ending}"
    write_table(table, path)
    assert _read(path) == [(9, True), (0, False)]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("NaN", "'NaN' is not a whole number"),
        ("inf", "'inf' is not a whole number"),
        ("1.5", "'1.5' is not a whole number"),
        ("1e3", "'1e3' is not a whole number"),
        ("nine", "'nine' is not a whole number"),
        ("-1", "'-1' is negative, but a count never is"),
        ("99999999999999999999", "is not a whole number"),
        ("1.0", "without the point and the zeros"),
        ("10000000000001", "look for a unit mistake"),
        ("-10000000000001", "is negative"),
    ],
)
def test_a_cell_that_is_no_count_is_refused_with_its_place(
    tmp_path: Path, cell: str, words: str
) -> None:
    path = _csv(tmp_path, "H33030200001,3,general,9,11", f"H33030200002,2,general,{cell},11")
    with pytest.raises(
        InputFileError, match=r"inputs\.csv: line 3, column item\.20\.filled_fields@current"
    ) as info:
        _read(path)
    assert words in str(info.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.5, 1e19])
def test_a_float_that_is_no_whole_number_is_refused(tmp_path: Path, value: float) -> None:
    table = pa.table(
        {"subject": ["H33030200001"], "level": ["3"], "type": ["general"], FILLED: [value]}
    )
    path = tmp_path / "inputs.parquet"
    write_table(table, path)
    with pytest.raises(InputFileError, match=r"row 1, column item\.20"):
        _read(path)


def test_a_misspelt_column_is_refused_not_missing(tmp_path: Path) -> None:
    path = _csv(tmp_path, "H33030200001,3,general,9", head=HEAD.replace("filled", "fillde"))
    with pytest.raises(InputFileError, match=r"item\.20\.fillde_fields.*stated by no measure"):
        _read(_csv(tmp_path, "H33030200001,3,general,9,11", head=HEAD.replace("filled", "fillde")))
    assert path.is_file()


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (f"level,type,{FILLED}", "lacks the columns subject"),
        (f"subject,level,type,{FILLED},{FILLED}", "appears twice"),
        ("subject,level,type", "no column that model"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path: Path, head: str, words: str) -> None:
    cells = ",".join(["H33030200001", *["3"] * head.count(",")])
    with pytest.raises(InputFileError, match=words):
        _read(_csv(tmp_path, cells, head=head))


def test_rows_of_unequal_length_are_refused(tmp_path: Path) -> None:
    rows = ("H33030200001,3,general,9,11", "", "H33030200002,3,general,9")
    with pytest.raises(InputFileError, match="line 4 has 4 cells, expected 5"):
        _read(_csv(tmp_path, *rows))


def test_a_subject_that_stands_twice_is_refused(tmp_path: Path) -> None:
    row = "H33030200001,3,general,9,11"
    with pytest.raises(InputFileError, match="H33030200001 stands twice, in line 2 and line 4"):
        _read(_csv(tmp_path, row, "", row))


def test_an_unknown_level_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="line 2, column level: '9' is unknown: expected one"):
        _read(_csv(tmp_path, "H33030200001,9,general,9,11"))


def test_a_subject_without_a_level_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="line 2 has no level"):
        _read(_csv(tmp_path, "H33030200001,,general,9,11"))


@pytest.mark.parametrize("name", ["inputs.xlsx", "inputs", "inputs.csv.gz"])
def test_another_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(InputFileError, match="expected a name ending in"):
        read_table(path)


@pytest.mark.parametrize("ending", [".parquet", ".arrow"])
def test_a_damaged_file_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"inputs{ending}"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(InputFileError, match="not a readable"):
        read_table(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="there is no such file"):
        read_table(tmp_path / "absent.csv")


def test_the_keys_are_the_first_columns_a_file_must_have() -> None:
    assert KEYS == ("subject", "level", "type")
