"""Row filters say what the closed grammar can say, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from security.errors import AgreementError
from security.sharing import parse_filter
from security.sharing.row_filter import filter_texts

if TYPE_CHECKING:
    from security.sharing.row_filter import Row

ROW: Row = {
    "grade": "poor",
    "subject_class": "nurse",
    "total": Decimal("749.50"),
    "version": Decimal(2),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ('grade = "poor"', True),
        ('grade != "poor"', False),
        ('grade in ("poor", "bad")', True),
        ('grade in ("good")', False),
        ("total < 749.50", False),
        ("total <= 749.5", True),
        ("total > 749.49 and version >= 2", True),
        ('grade = "good" or total < 750 and subject_class = "nurse"', True),
        ('(grade = "good" or total < 750) and subject_class = "doctor"', False),
        ("version in (1, 2)", True),
        ("  version = 2  ", True),
    ],
)
def test_a_filter_lets_through_what_it_says(text: str, expected: bool) -> None:  # noqa: FBT001
    assert parse_filter(text)(ROW) is expected


@pytest.mark.parametrize(
    "text",
    [
        "grade",
        "grade =",
        'grade = "poor" and',
        'grade == "poor"',
        'grade < "poor"',
        "grade = 7",
        'total = "7"',
        'diagnosis = "x"',
        "count > 1",
        'grade in "poor"',
        "grade in ()",
        'grade in ("poor"',
        'grade = "poor" grade = "bad"',
        "grade = 'poor'",
        'grade = "poor" -- all',
        'grade = "poor"; delete',
        'grade = "a\\" or 1 = 1"',
        "not total > 1",
        "total = -1",
        "total = 1.234",
        "total = 1e9",
        "subject like 1",
        'grade = "' + "x" * 81 + '"',
        "(" * 10 + "total = 1" + ")" * 10,
        'grade = "poor" or ' * 100 + "total = 1",
        "grade\n= \x00",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AgreementError, match="row filter"):
        parse_filter(text)


def test_the_texts_of_a_filter_are_told_with_their_fields() -> None:
    text = 'level = "3" and (grade in ("poor", "bad") or total < 750) and grade != "good"'
    assert filter_texts(text) == (
        ("level", "3"),
        ("grade", "poor"),
        ("grade", "bad"),
        ("grade", "good"),
    )
    assert filter_texts("") == filter_texts("version = 2") == ()
    with pytest.raises(AgreementError):
        filter_texts('grade = "poor" or')
