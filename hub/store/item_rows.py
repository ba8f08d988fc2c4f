"""Department rows as a last-version map: a correction adds a version, nothing is overwritten.

Rules:

- A row is known by its information item and primary key; credit events are keyed
  by (authority, document number), so one document counts once.
- The same content again makes no version.
- Contents are sealed by the vault under a context that names item, key and
  version, so that no row can be put in another's place. No digest of a content is
  stored in the clear: a telephone number could be guessed from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import bindparam, func, insert, select, update

from hub.errors import HubStoreError
from hub.store.grading_tables import item_row
from security.errors import VaultError
from security.moments import day_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

    from scoring_kernel.information import InformationItem
    from scoring_kernel.item_rows import ItemValue
    from security.at_rest import Vault

_KEYS_PER_QUERY: Final = 500
_ROWS_PER_FETCH: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One parsed row of an information item.

    Attributes:
        key: Values of the item's primary key, as a JSON list.
        subject: Subject id.
        period: Rating period; empty for events, registers and listings.
        event_day: Day of an event; None otherwise.
        values: Parsed values: integers in fen, hundredths or ten-thousandths, days, texts.
        line: Line in the source file.
    """

    key: str
    subject: str
    period: str
    event_day: date | None
    values: Mapping[str, ItemValue] = field(repr=False)
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows come from.

    Attributes:
        sha256: SHA-256 of the file.
        imported_at_ms: Moment of the import, milliseconds since the epoch, UTC.
        keep_existing: True when refused lines of a known file are tried again: a key
            that has a row by now was mended elsewhere and keeps that row.
    """

    sha256: bytes
    imported_at_ms: int
    keep_existing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a batch of rows: new keys, new versions, and rows known before."""

    added: int
    corrected: int
    unchanged: int


def store_rows(
    connection: Connection, vault: Vault, item: str, rows: Sequence[ItemRow], source: Source
) -> Stored:
    """Store a batch of rows; keys are unique within it.

    Args:
        connection: A writing transaction.
        vault: Seals the contents.
        item: Number of the information item.
        rows: The batch, at most some thousands.
        source: Where the rows come from.
    """
    held = _current_versions(connection, vault, item, [row.key for row in rows])
    fresh: list[dict[str, object]] = []
    replaced: list[dict[str, object]] = []
    for row in rows:
        content = orjson.dumps(dict(row.values), option=orjson.OPT_SORT_KEYS)
        version, before = held.get(row.key, (0, b""))
        if version and (source.keep_existing or content == before):
            continue
        if version:
            replaced.append({"b_key": row.key, "b_version": version})
        fresh.append(_record(vault, item, row, content=content, version=version + 1, source=source))
    if replaced:
        connection.execute(
            update(item_row)
            .where(
                item_row.c.item == item,
                item_row.c.row_key == bindparam("b_key"),
                item_row.c.version == bindparam("b_version"),
            )
            .values(current=False),
            replaced,
        )
    if fresh:
        connection.execute(insert(item_row), fresh)
    return Stored(
        added=len(fresh) - len(replaced),
        corrected=len(replaced),
        unchanged=len(rows) - len(fresh),
    )


def load_rows(
    connection: Connection, vault: Vault, item: InformationItem, *conditions: ColumnElement[bool]
) -> Iterator[dict[str, ItemValue]]:
    """Read the current rows of an item, in key order.

    Args:
        connection: A reading transaction.
        vault: Opens the contents.
        item: The information item; its fields tell which values are days.
        conditions: Further conditions on ``item_row``.

    Yields:
        Parsed values of each row.

    Raises:
        HubStoreError: A content does not belong to its row.
    """
    days = frozenset(one.column for one in item.fields if one.type == "date")
    found = connection.execution_options(yield_per=_ROWS_PER_FETCH).execute(
        select(item_row.c.row_key, item_row.c.version, item_row.c.sealed)
        .where(item_row.c.item == item.number, item_row.c.current, *conditions)
        .order_by(item_row.c.row_key)
    )
    for key, version, sealed in found:
        values = orjson.loads(_open(vault, sealed, item.number, key, version))
        for name in days & values.keys():
            if values[name] is not None:
                values[name] = date.fromisoformat(values[name])
        yield values


def known_subjects(connection: Connection, register: str) -> frozenset[str]:
    """Subject ids in a register.

    Args:
        connection: A reading transaction.
        register: Number of the register's item.
    """
    query = select(item_row.c.subject).where(item_row.c.item == register, item_row.c.current)
    found = connection.execute(query.execution_options(yield_per=_ROWS_PER_FETCH))
    return frozenset(found.scalars())


def count_subjects(connection: Connection, item: str, period: str) -> int:
    """Count the subjects that have a row of an item.

    Args:
        connection: A transaction.
        item: Number of the item.
        period: Name of the period; empty for a register.
    """
    columns = item_row.c
    query = select(func.count(columns.subject.distinct())).where(
        columns.item == item, columns.current.is_(True), columns.period == period
    )
    return int(connection.execute(query).scalar_one())


def _current_versions(
    connection: Connection, vault: Vault, item: str, keys: Sequence[str]
) -> Mapping[str, tuple[int, bytes]]:
    held: dict[str, tuple[int, bytes]] = {}
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        found = connection.execute(
            select(item_row.c.row_key, item_row.c.version, item_row.c.sealed).where(
                item_row.c.item == item,
                item_row.c.row_key.in_(keys[start : start + _KEYS_PER_QUERY]),
                item_row.c.current,
            )
        )
        for key, version, sealed in found:
            held[key] = (version, _open(vault, sealed, item, key, version))
    return held


def _record(
    vault: Vault, item: str, row: ItemRow, *, content: bytes, version: int, source: Source
) -> dict[str, object]:
    return {
        "item": item,
        "row_key": row.key,
        "version": version,
        "current": True,
        "subject": row.subject,
        "period": row.period,
        "event_day": 0 if row.event_day is None else day_number(row.event_day),
        "sealed": vault.seal(content, _context(item, row.key, version)),
        "source_sha256": source.sha256,
        "source_line": row.line,
        "imported_at_ms": source.imported_at_ms,
    }


def _open(vault: Vault, sealed: bytes, item: str, key: str, version: int) -> bytes:
    try:
        return vault.open(sealed, _context(item, key, version))
    except VaultError as error:
        raise HubStoreError(
            f"The stored row {key} of item {item}, version {version}, does not open under the "
            "hub's key: the database or the key file was changed; restore both from one backup."
        ) from error


def _context(item: str, key: str, version: int) -> str:
    return f"item_row/{item}/{version}/{key}"
