"""What the cells of a column look like: evidence for what a column of a table may be.

Rules:
- Evidence is a share of the cells looked at: codes by form and check digit, days by
  format, numbers by their decimals, code lists by membership.
- No cell leaves this module: what is told is a kind of value and a share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring_kernel.subject_ids import CODE_FORMS, INSTITUTION, is_subject_id
from scoring_kernel.tables.mapping_columns import ISO
from scoring_kernel.tables.mapping_days import days_of
from scoring_kernel.tables.mapping_numbers import decimal_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = ["DAY_FORMATS", "Evidence", "look_at"]

SAMPLE: Final = 5_000
"""Cells of a column that are looked at."""
ENOUGH: Final = 0.95
"""Share of the cells that must fit."""

DAY_FORMATS: Final = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y年%m月%d日"),
    *("%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M"),
    *("%Y/%m/%d %H:%M", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", ISO),
)
"""Formats that are tried, the commonest first."""
_BOOLS: Final = (
    (("1",), ("0",)),
    (("Y",), ("N",)),
    (("y",), ("n",)),
    (("是",), ("否",)),
    (("true",), ("false",)),
    (("True",), ("False",)),
    (("TRUE",), ("FALSE",)),
    (("有",), ("无",)),
    (("T",), ("F",)),
)
_ITEM_CODES: Final = re.compile(
    r"X[A-Z][0-9]{2}[A-Z]{2}[A-Z][0-9]{3}[A-Z][0-9]{12}|Z[A-Z][0-9]{2}[A-Z]{3}[0-9]{13}"
    r"|T[0-9]{9}|00[0-9]{13}|C[0-9]{19}(?:[0-9]{7})?"
)
"""National codes of drugs, services and consumables."""
_DIAGNOSIS: Final = re.compile(r"[A-Z][0-9]{2}(?:\.[0-9xX][0-9]{2}(?:x[0-9]{3})?)?[+*]?")
_PERIOD: Final = re.compile(r"[0-9]{4}H[12]")
_MOST_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a column looks like."""

    filled: int
    """Cells looked at that are not empty."""
    is_whole: bool
    """Whether no cell is empty."""
    is_unique: bool
    """Whether no two cells are equal."""
    is_number: bool
    decimals: int
    """Most decimals of a number."""
    formats: tuple[str, ...]
    """Formats of a day that fit."""
    truths: tuple[str, ...]
    falses: tuple[str, ...]
    """Both empty where the cells are no two words for yes and no."""
    forms: frozenset[str]
    """Types whose form the cells have: ``institution``, ``staff``, ``person``,
    ``organisation``, ``item_code``, ``diagnosis``, ``period``."""
    code_lists: Mapping[str, bool] = field(repr=False)
    """Closed code list → whether the cells are codes of it, for lists that were asked for."""
    longest: int
    """Characters of the longest cell."""


def look_at(cells: pa.Array, code_lists: Mapping[str, Collection[str]]) -> Evidence:
    """Look at a sample of a column.

    Args:
        cells: Text, shape (n_rows,), with nulls.
        code_lists: Codes by list that the cells may be codes of.
    """
    sample = cells.slice(0, SAMPLE)
    filled = sample.drop_null()
    texts = pc.utf8_trim_whitespace(filled)
    different = texts.unique()
    words = different.to_pylist() if len(different) else []
    truths, falses = _words_for_truth(set(words))
    is_number, decimals = _numbers(texts)
    return Evidence(
        filled=len(texts),
        is_whole=not sample.null_count,
        is_unique=len(different) == len(texts),
        is_number=is_number,
        decimals=decimals,
        formats=tuple(one for one in DAY_FORMATS if _fits(texts, one)),
        truths=truths,
        falses=falses,
        forms=_forms(words),
        code_lists={
            name: bool(words) and set(words) <= set(codes) for name, codes in code_lists.items()
        },
        longest=max(map(len, words), default=0),
    )


def _share(good: int, of: int) -> bool:
    return bool(of) and good >= ENOUGH * of


def _numbers(texts: pa.Array) -> tuple[bool, int]:
    for decimals in range(_MOST_DECIMALS + 1):
        _, bad = decimal_counts(texts, decimals)
        if len(texts) and not bad.any():
            return True, decimals
    _, bad = decimal_counts(texts, _MOST_DECIMALS)
    return _share(int(np.count_nonzero(~bad)), len(texts)), _MOST_DECIMALS


def _fits(texts: pa.Array, form: str) -> bool:
    return _share(len(texts) - days_of(texts, [form]).null_count, len(texts))


def _words_for_truth(words: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    for truths, falses in _BOOLS:
        if words and words <= {*truths, *falses}:
            return truths, falses
    return (), ()


def _forms(words: list[str]) -> frozenset[str]:
    tests: dict[str, Callable[[str], object]] = {
        **{kind: pattern.fullmatch for kind, (pattern, _) in CODE_FORMS.items()},
        "person": lambda text: is_subject_id("person", text),
        "organisation": lambda text: is_subject_id("organisation", text),
        "item_code": _ITEM_CODES.fullmatch,
        "diagnosis": _DIAGNOSIS.fullmatch,
        "period": _PERIOD.fullmatch,
    }
    found = {
        name
        for name, test in tests.items()
        if _share(sum(bool(test(word)) for word in words), len(words))
    }
    if INSTITUTION in found:
        found.discard("diagnosis")
    return frozenset(found)
