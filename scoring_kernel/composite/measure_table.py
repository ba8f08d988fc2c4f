"""The measure table (指标表): which measures there are, their groups and directions.

Rules:
- The table is an input, not part of a model: a later release brings another table to
  the same model.
- A measure stands once, in one group, with sign 1 (more is better) or -1.
- The order of the rows is the order in which a group's scores are added.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_MEASURES: Final = 1_000
MAX_TEXT: Final = 1_000
"""Longest name of a group or description of a measure, characters."""

_ID: Final = r"[A-Za-z][A-Za-z0-9_]{0,63}"
_SIGNS: Final = {"1": 1, "1.0": 1, "-1": -1, "-1.0": -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeMeasure:
    """One measure.

    Attributes:
        id: Id; also the name of its column in input tables.
        group: Name of its group, as the table spells it.
        description: What it measures, in the table's language.
        sign: 1 where more is better, -1 where less is.
    """

    id: str
    group: str
    description: str
    sign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTable:
    """All measures of a release, in order.

    Attributes:
        measures: At least one, none twice.
    """

    measures: tuple[CompositeMeasure, ...]

    def __post_init__(self) -> None:
        """Refuse a table without measures, too long, or with a measure twice.

        Raises:
            KernelInputError: The table is empty or too long, or a measure repeats.
        """
        if not 1 <= len(self.measures) <= MAX_MEASURES:
            raise KernelInputError(
                f"measure table: found {len(self.measures)} measures, expected 1 to {MAX_MEASURES}"
            )
        seen: set[str] = set()
        for one in self.measures:
            if one.id in seen:
                raise KernelInputError(f"measure table: {one.id} appears twice: keep one row")
            seen.add(one.id)

    def digest(self) -> bytes:
        """SHA-256 over ids, groups and signs in order, 32 bytes; descriptions are left out."""
        lines = (f"{one.id}|{one.sign}|{one.group}\n" for one in self.measures)
        return hashlib.sha256("".join(lines).encode()).digest()


def parse_measure_table(rows: Iterable[Mapping[str, str]]) -> MeasureTable:
    """Read a measure table, one mapping per row as ``csv.DictReader`` gives them.

    Args:
        rows: Rows with ``measure_id``, ``group_name``, ``flip_sign`` (1 or -1) and, if
            there is one, ``measure_desc``. Other columns are not read.

    Returns:
        The table, in the order of the rows.

    Raises:
        KernelInputError: A column or value is missing or malformed, a measure repeats,
            or there are no rows or too many. Rows count from 1, the header excluded.

    >>> row = {"measure_id": "MORT_30", "group_name": "Mortality", "flip_sign": "-1.0"}
    >>> parse_measure_table([row]).measures[0].sign
    -1
    """
    measures: list[CompositeMeasure] = []
    for number, row in enumerate(rows, 1):
        if number > MAX_MEASURES:
            raise KernelInputError(f"measure table: expected at most {MAX_MEASURES} rows")
        measure = _text(row, "measure_id", number)
        if not re.fullmatch(_ID, measure):
            raise KernelInputError(
                f"measure table, row {number}: measure_id {measure[:80]!r}, expected the form {_ID}"
            )
        sign = _text(row, "flip_sign", number)
        if sign not in _SIGNS:
            raise KernelInputError(
                f"measure table, row {number}: flip_sign {sign[:20]!r} of {measure}, expected 1 "
                "where more is better, -1 where less is"
            )
        measures.append(
            CompositeMeasure(
                id=measure,
                group=_text(row, "group_name", number),
                description=row.get("measure_desc") or "",
                sign=_SIGNS[sign],
            )
        )
    return MeasureTable(measures=tuple(measures))


def _text(row: Mapping[str, str], column: str, number: int) -> str:
    # A short row of a CSV file has None in its last columns.
    value = (row.get(column) or "").strip()
    if not value or len(value) > MAX_TEXT or "\n" in value:
        raise KernelInputError(
            f"measure table, row {number}: {column} is missing, longer than {MAX_TEXT} "
            "characters or not one line: correct the row"
        )
    return value
