"""The records that a hit rests on, as a supervisor reads them: personal values masked."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import duckdb

from node.domain.masking import mask, printable
from node.domain.record_words import LEFT_OUT
from node.domain.rule_hits import Evidence
from scoring_kernel.amounts import decimal_text
from scoring_kernel.record_kinds import RecordKind

__all__ = ["RecordRelations", "described", "found_records", "written"]

_MICRO: Final = 1_000_000
_SCALES: Final[Mapping[str, tuple[int, int]]] = {
    "_fen": (_MICRO // 100, 2),
    "_e4": (_MICRO // 10_000, 0),
    "_e6": (1, 0),
}
"""End of a column's name → millionths per unit of the column, least decimal places."""

Values = dict[str, Any]


class RecordRelations(Protocol):
    """The node's records."""

    def relations(
        self, kinds: Iterable[str], months: Collection[int] | None = None
    ) -> duckdb.DuckDBPyConnection:
        """Open an engine over a snapshot of some kinds of record; the caller closes it."""


def found_records(
    records: RecordRelations, evidence: Iterable[Evidence]
) -> dict[tuple[str, str], list[Values]]:
    """Find the records of a hit.

    Args:
        records: The node's records.
        evidence: Their kinds and ids, with moments near those of the records.

    Returns:
        Values by column, by kind and id; what is not here any more is left out. A message may
        hold several records of one id.
    """
    wanted: dict[str, dict[str, int]] = {}
    for one in evidence:
        wanted.setdefault(one.kind, {})[one.record_id] = one.at.year * 100 + one.at.month
    found: dict[tuple[str, str], list[Values]] = {}
    for kind, ids in wanted.items():
        # Most records lie in the month of their moment: its segments alone are read first.
        for months in (sorted({*ids.values()}), None):
            rest = [name for name in ids if (kind, name) not in found]
            if rest:
                for row in _rows(records, kind, rest, months):
                    found.setdefault((kind, row["record_id"]), []).append(row)
    return found


def described(row: Values, kind: RecordKind, *, revealed: bool) -> dict[str, str]:
    """Write the values of a record in words.

    Args:
        row: Values by column.
        kind: Its kind.
        revealed: Personal values are shown too.

    Returns:
        Text by column, amounts in yuan, personal values masked; empty columns are left out.
    """
    found = {}
    for name, _ in kind.schema:
        value = row.get(name)
        if value is None or value == "" or name in LEFT_OUT:
            continue
        if name in kind.personal:
            found[name] = str(value) if revealed else mask(value)
            continue
        bare, text = written(name, value)
        found[bare] = text
    return found


def written(column: str, value: object) -> tuple[str, str]:
    """Write one value that is not personal.

    Args:
        column: Its column; the end tells the scale.
        value: The value as it is kept.

    Returns:
        The column without the end that tells its scale, and the text.

    >>> written("amount_fen", 1230), written("hourly", True)
    (('amount', '12.30'), ('hourly', '是'))
    """
    end = next((one for one in _SCALES if column.endswith(one)), None)
    if end is not None and isinstance(value, int):
        scale, places = _SCALES[end]
        return column.removesuffix(end), decimal_text(value * scale, places)
    if isinstance(value, datetime):
        return column, value.isoformat(" ")
    if isinstance(value, bool):
        return column, "是" if value else "否"
    return column, printable(str(value))


def _rows(
    records: RecordRelations, kind: str, ids: Sequence[str], months: Collection[int] | None
) -> list[Values]:
    engine = records.relations([kind], months)
    try:
        cursor = engine.execute(
            f"select * from {kind} where record_id in (select unnest(?))",  # noqa: S608 - a kind of the catalogue
            [list(ids)],
        )
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        engine.close()
