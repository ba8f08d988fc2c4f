"""Quarantine (隔离区) of department lines: every refusal stays visible until it is mended.

Rules: the same fault of the same file is one row, however often the file is read.
A fault is resolved when a later import of a file of that name no longer has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select, update

from hub.store.grading_tables import item_quarantine

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Connection

    from hub.departments.faults import Fault

MAX_LISTED: Final = 10_000
_KEYS_PER_QUERY: Final = 500
_MASKED_LENGTH: Final = 120
_MEND_LENGTH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """The file that faults belong to.

    Attributes:
        item: Number of the information item, or empty.
        period: Rating period, or empty.
        file_name: Name without directories.
        sha256: SHA-256 of the content; 32 zero bytes when it could not be read.
    """

    item: str
    period: str
    file_name: str
    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedLine:
    """One open fault, as listed for the operator."""

    item: str
    period: str
    file_name: str
    line: int
    field: str
    rule: str
    masked: str
    mend: str


def keep_faults(
    connection: Connection, file: FileIdentity, faults: Sequence[Fault], now_ms: int
) -> frozenset[bytes]:
    """Store faults, or move them to the line where they stand now.

    Args:
        connection: A writing transaction.
        file: The file they belong to.
        faults: Faults of one batch.
        now_ms: Moment of the import, milliseconds since the epoch, UTC.

    Returns:
        Identities of the faults.
    """
    by_identity = {
        fault.identity(file.item, file.period, file.file_name): fault for fault in faults
    }
    known = _known(connection, list(by_identity))
    for identity in known:
        connection.execute(
            update(item_quarantine)
            .where(item_quarantine.c.fault == identity)
            .values(
                line=by_identity[identity].line,
                source_sha256=file.sha256,
                resolved_at_ms=None,
            )
        )
    fresh = [
        {
            "fault": identity,
            "item": file.item,
            "period": file.period,
            "file_name": file.file_name,
            "source_sha256": file.sha256,
            "line": fault.line,
            "field": fault.field,
            "rule": str(fault.rule),
            "masked": fault.masked[:_MASKED_LENGTH],
            "mend": fault.mend[:_MEND_LENGTH],
            "first_seen_ms": now_ms,
            "resolved_at_ms": None,
        }
        for identity, fault in by_identity.items()
        if identity not in known
    ]
    if fresh:
        connection.execute(insert(item_quarantine), fresh)
    return frozenset(by_identity)


def resolve_others(
    connection: Connection, file: FileIdentity, standing: Collection[bytes], now_ms: int
) -> int:
    """Close the file's open faults that its newest import no longer has.

    Returns:
        Number of faults closed.
    """
    gone = [
        identity
        for identity in connection.execute(
            select(item_quarantine.c.fault).where(*_of_file(file))
        ).scalars()
        if identity not in standing
    ]
    for start in range(0, len(gone), _KEYS_PER_QUERY):
        connection.execute(
            update(item_quarantine)
            .where(item_quarantine.c.fault.in_(gone[start : start + _KEYS_PER_QUERY]))
            .values(resolved_at_ms=now_ms)
        )
    return len(gone)


def has_open(connection: Connection, file: FileIdentity) -> bool:
    """Whether the file's name has open faults."""
    found = connection.execute(select(item_quarantine.c.fault).where(*_of_file(file)).limit(1))
    return found.first() is not None


def open_faults(connection: Connection, *, limit: int = 100) -> tuple[QuarantinedLine, ...]:
    """List open faults by item, period, file and line.

    Args:
        connection: A transaction.
        limit: Most rows to return, at most ``MAX_LISTED``.
    """
    columns = item_quarantine.c
    found = connection.execute(
        select(
            columns.item,
            columns.period,
            columns.file_name,
            columns.line,
            columns.field,
            columns.rule,
            columns.masked,
            columns.mend,
        )
        .where(columns.resolved_at_ms.is_(None))
        .order_by(columns.item, columns.period, columns.file_name, columns.line, columns.rule)
        .limit(min(limit, MAX_LISTED))
    )
    return tuple(QuarantinedLine(**row) for row in found.mappings())


def _of_file(file: FileIdentity) -> tuple[ColumnElement[bool], ...]:
    return (
        item_quarantine.c.item == file.item,
        item_quarantine.c.period == file.period,
        item_quarantine.c.file_name == file.file_name,
        item_quarantine.c.resolved_at_ms.is_(None),
    )


def _known(connection: Connection, identities: Sequence[bytes]) -> frozenset[bytes]:
    known: set[bytes] = set()
    for start in range(0, len(identities), _KEYS_PER_QUERY):
        known.update(
            connection.execute(
                select(item_quarantine.c.fault).where(
                    item_quarantine.c.fault.in_(identities[start : start + _KEYS_PER_QUERY])
                )
            ).scalars()
        )
    return frozenset(known)
