"""Quarantine (隔离区): refused lines with their reason, kept sealed until they are mended.

A row is keyed by the digest of the refused line: ingesting the same file
again adds nothing, it only tells why the line is refused now. When the same
line goes in later, because what was wrong lay outside of it, its row is taken
away. A line that went in corrected is remembered as mended: it makes no row again.
"""

import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from node.domain.masking import printable

__all__ = [
    "MESSAGE_FORM",
    "QUARANTINE_DESK_TABLES",
    "ROW_FORM",
    "Quarantine",
    "QuarantineFilter",
    "QuarantineRow",
    "body_label",
    "context_label",
]

MESSAGE_FORM: Final = "message"
"""The body is a message of the national interface."""
ROW_FORM: Final = "row"
"""The body is a row of a mapped file; its context says how it was read."""

QUARANTINE_DESK_TABLES: Final = (
    "alter table quarantine add column form text not null default 'message'",
    "alter table quarantine add column context text not null default ''",
    # How mapped rows were read (their mapping and header), once per file; sealed by the vault.
    "create table quarantine_context(name text primary key, body blob not null) strict",
    # Lines that went in corrected, by the digest of the line as it was refused.
    "create table quarantine_mended(digest blob primary key) strict, without rowid",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """One refused line."""

    digest: bytes
    """SHA-256 of the refused line."""
    source: str
    """Name of the file, without its directory."""
    line: int
    """Line in the file, from 1; 0 for the file as a whole."""
    msgid: str
    """Message id, or the record id of a foreign row; empty when unreadable."""
    infno: str
    rule: str
    field: str
    value: str
    """The offending value; masked when personal."""
    reason: str
    mend: str
    seen_at: str
    """When it was first refused, ISO 8601, UTC."""
    body: bytes | None = dataclasses.field(default=None, repr=False)
    """The refused line, sealed by the vault; None when it was too long to keep."""
    form: str = MESSAGE_FORM
    """``MESSAGE_FORM`` or ``ROW_FORM``."""
    context: str = ""
    """Name of what a mapped row was read with; empty for messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineFilter:
    """Which refused lines are meant; an empty text means any."""

    rule: str = ""
    source: str = ""
    infno: str = ""


_COLUMNS: Final = (
    "digest, source, line, msgid, infno, rule, field, value, reason, mend, seen_at, form, context"
)
_FILTER: Final = "? in ('', rule) and ? in ('', source) and ? in ('', infno)"
_ANY: Final = QuarantineFilter()


class Quarantine:
    """Table ``quarantine``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, rows: Sequence[QuarantineRow]) -> None:
        """Add refused lines; one that is there already only takes its newest reason.

        A mended line is left out. No text that a terminal would obey is kept, whichever file
        or message it came from.
        """
        self._connection.executemany(
            f"insert into quarantine({_COLUMNS}, body)"  # noqa: S608 - constant column list
            " select ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
            " where ?1 not in (select digest from quarantine_mended)"
            " on conflict(digest) do update set rule = excluded.rule, field = excluded.field,"
            " value = excluded.value, reason = excluded.reason, mend = excluded.mend",
            [
                (
                    row.digest,
                    printable(row.source),
                    row.line,
                    printable(row.msgid),
                    printable(row.infno),
                    row.rule,
                    printable(row.field),
                    printable(row.value),
                    printable(row.reason),
                    printable(row.mend),
                    row.seen_at,
                    row.form,
                    row.context,
                    row.body,
                )
                for row in rows
            ],
        )

    def keep_contexts(self, contexts: Mapping[str, bytes]) -> None:
        """Keep sealed contexts of mapped rows; one that is there already stays."""
        self._connection.executemany(
            "insert or ignore into quarantine_context values(?, ?)", list(contexts.items())
        )

    def release(self, digests: Sequence[bytes]) -> None:
        """Take away the rows of lines that went in after all."""
        self._connection.executemany(
            "delete from quarantine where digest = ?", [(digest,) for digest in digests]
        )

    def mend(self, digest: bytes) -> None:
        """Remember that a line went in corrected; its row, if any, is taken away."""
        self._connection.execute("insert or ignore into quarantine_mended values(?)", (digest,))
        self.release([digest])

    def mended(self, digests: Sequence[bytes]) -> set[bytes]:
        """Find which of some lines went in corrected."""
        found = (
            self._connection.execute(
                "select digest from quarantine_mended where digest = ?", (digest,)
            ).fetchone()
            for digest in digests
        )
        return {row[0] for row in found if row is not None}

    def rows(
        self, limit: int, offset: int, wanted: QuarantineFilter = _ANY
    ) -> tuple[QuarantineRow, ...]:
        """List refused lines in the order of their files and lines, without their bodies."""
        cursor = self._connection.execute(
            f"select {_COLUMNS} from quarantine where {_FILTER}"  # noqa: S608 - constant texts
            " order by source, line, digest limit ? offset ?",
            (wanted.rule, wanted.source, wanted.infno, limit, offset),
        )
        return _rows(cursor)

    def find(self, prefix: str) -> tuple[QuarantineRow, ...]:
        """Find refused lines by the first hex digits of their digest: two tell that more match."""
        least = bytes.fromhex(prefix.ljust(64, "0"))
        most = bytes.fromhex(prefix.ljust(64, "f"))
        cursor = self._connection.execute(
            f"select {_COLUMNS} from quarantine"  # noqa: S608 - constant column list
            " where digest between ? and ? order by digest limit 2",
            (least, most),
        )
        return _rows(cursor)

    def body(self, digest: bytes) -> bytes | None:
        """Get the sealed body of a line; None when it was not kept, or the line is not here."""
        row = self._connection.execute(
            "select body from quarantine where digest = ?", (digest,)
        ).fetchone()
        return None if row is None else row[0]

    def context(self, name: str) -> bytes | None:
        """Get a sealed context of mapped rows; None when it is not here."""
        row = self._connection.execute(
            "select body from quarantine_context where name = ?", (name,)
        ).fetchone()
        return None if row is None else row[0]

    def count(self, wanted: QuarantineFilter = _ANY) -> int:
        """Count refused lines."""
        row = self._connection.execute(
            f"select count(*) from quarantine where {_FILTER}",  # noqa: S608 - constant text
            (wanted.rule, wanted.source, wanted.infno),
        ).fetchone()
        return int(row[0])


def _rows(cursor: Iterable[tuple[Any, ...]]) -> tuple[QuarantineRow, ...]:
    return tuple(
        QuarantineRow(
            digest=row[0],
            source=row[1],
            line=row[2],
            msgid=row[3],
            infno=row[4],
            rule=row[5],
            field=row[6],
            value=row[7],
            reason=row[8],
            mend=row[9],
            seen_at=row[10],
            form=row[11],
            context=row[12],
        )
        for row in cursor
    )


def body_label(digest: bytes) -> str:
    """Name what the vault seals the body of a refused line for."""
    return f"quarantine:{digest.hex()}"


def context_label(name: str) -> str:
    """Name what the vault seals a context of refused rows for."""
    return f"quarantine_context:{name}"
