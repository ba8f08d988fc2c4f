"""The measure table: rows of a release, refused where they cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from scoring_kernel.composite import MeasureTable, parse_measure_table
from scoring_kernel.composite.measure_table import MAX_MEASURES
from scoring_kernel.errors import KernelInputError
from tests.support.composite_models import measure_table

ROW = {"measure_id": "MORT_30", "group_name": "Mortality", "flip_sign": "-1.0"}


def test_columns_of_a_release_are_read_and_others_are_not() -> None:
    row = ROW | {"measure_desc": "Death rate", "measure_std": "std_MORT_30", "retired": "0"}
    (one,) = parse_measure_table([row]).measures
    assert (one.id, one.group, one.description, one.sign) == (
        "MORT_30",
        "Mortality",
        "Death rate",
        -1,
    )
    (bare,) = parse_measure_table([ROW | {"flip_sign": "1"}]).measures
    assert (bare.description, bare.sign) == ("", 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measure_id": ""}, "row 2: measure_id is missing"),
        ({"measure_id": None}, "row 2: measure_id is missing"),
        ({"measure_id": "30 days"}, "row 2: measure_id '30 days', expected the form"),
        ({"group_name": " "}, "row 2: group_name is missing"),
        ({"group_name": "a\nb"}, "row 2: group_name is missing, longer"),
        ({"group_name": "x" * 1001}, "row 2: group_name is missing, longer"),
        ({"flip_sign": "0"}, "row 2: flip_sign '0' of PSI_90, expected 1 where more"),
        ({"flip_sign": "nan"}, "flip_sign 'nan'"),
        ({"measure_id": "MORT_30"}, "MORT_30 appears twice: keep one row"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_by_number(change: dict[str, Any], words: str) -> None:
    other = ROW | {"measure_id": "PSI_90"} | change
    with pytest.raises(KernelInputError, match="measure table") as caught:
        parse_measure_table([ROW, other])
    assert words in str(caught.value)


def test_an_empty_or_endless_table_is_refused() -> None:
    with pytest.raises(KernelInputError, match="found 0 measures, expected 1 to 1000"):
        parse_measure_table([])
    rows = ({**ROW, "measure_id": f"M{at}"} for at in range(MAX_MEASURES + 1))
    with pytest.raises(KernelInputError, match="at most 1000 rows"):
        parse_measure_table(rows)


def test_the_digest_names_ids_groups_signs_and_their_order() -> None:
    first, second = ("A", "Safety", 1), ("B", "Safety", -1)
    table = measure_table(first, second)
    described = parse_measure_table(
        [
            {
                "measure_id": one.id,
                "group_name": one.group,
                "flip_sign": str(one.sign),
                "measure_desc": "words",
            }
            for one in table.measures
        ]
    )
    assert described.digest() == table.digest()
    others: list[MeasureTable] = [
        measure_table(second, first),
        measure_table(first, ("B", "Safety", 1)),
        measure_table(first, ("B", "Process", -1)),
        measure_table(first),
    ]
    assert table.digest() not in {other.digest() for other in others}
    assert len(table.digest()) == 32
