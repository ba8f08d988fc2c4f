"""What makes two uploads of a stock movement one: its ``entry``, equal for both.

Rules:
- A count (盘存) is a state: the same count of the same batch on the same day is one.
- The same whole packs, known by their trace codes, move at one moment once, on one document.
  Where a moment is no more than a day, only a document, visit or settlement tells which.
- Without trace codes, or of packs that are split, equal movements can be several: they have no
  entry and count each time they are sent. Equal rows of one message are several too.

Whoever counts movements takes the latest record of each entry.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

__all__ = ["ENTRY", "with_entries"]

ENTRY: Final = "entry"
_MOVEMENT: Final = "stock_movement"
_CODE: Final = "trace_code"
_COUNT: Final = "count"
_NAMED: Final = ("document", "invoice", "setl_id", "mdtrt_sn")
"""Columns that tell which of the movements of one day a movement is."""
_SAID: Final = ("institution", "what", "local_code", "batch", "occurred_at", "quantity_e4", *_NAMED)
_READ: Final = ("record_id", "trace", "split", *_SAID)
_DIGITS: Final = 32
_MSGID: Final = 30


def with_entries(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Give movements and their trace codes their entries.

    Args:
        tables: Records of one transaction by kind.
    """
    movements, codes = tables.get(_MOVEMENT), tables.get(_CODE)
    if movements is None:
        return dict(tables)
    moved: dict[str, list[str]] = {}
    if codes is not None:
        for source, code in zip(
            codes.column("source").to_pylist(), codes.column("code").to_pylist(), strict=True
        ):
            moved.setdefault(source, []).append(code)
    entries: dict[str, str | None] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for row in movements.select(_READ).to_pylist():
        record_id = row["record_id"]
        entry = _entry(row, moved.get(record_id, []))
        if entry is not None:
            twin = record_id[:_MSGID], entry
            seen[twin] += 1
            entry = entry if seen[twin] == 1 else f"{entry}.{seen[twin]}"
        entries[record_id] = entry
    found = {**tables, _MOVEMENT: _put(movements, "record_id", entries)}
    if codes is not None:
        found[_CODE] = _put(codes, "source", entries)
    return found


def _entry(row: Mapping[str, Any], codes: list[str]) -> str | None:
    """Digest what tells a movement; None where it might be one of several equal ones."""
    moved = sorted({*codes, *([row["trace"]] if row["trace"] else [])})
    if row["what"] != _COUNT:
        is_day = row["occurred_at"].time().isoformat() == "00:00:00"
        if not moved or row["split"] or (is_day and not any(row[name] for name in _NAMED)):
            return None
    said = [str(row[name] or "") for name in _SAID]
    return hashlib.sha256("\0".join([*said, *moved]).encode()).hexdigest()[:_DIGITS]


def _put(table: pa.Table, key: str, entries: Mapping[str, str | None]) -> pa.Table:
    place = table.schema.get_field_index(ENTRY)
    values = pa.array([entries.get(one) for one in table.column(key).to_pylist()], pa.string())
    return table.set_column(place, table.schema.field(place), values)
