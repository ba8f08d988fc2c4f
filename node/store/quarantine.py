"""Quarantine (隔离区): refused lines with their reason, kept sealed until they are mended.

A row is keyed by the digest of the refused line: ingesting the same file
again adds nothing. When the same line goes in later, because what was wrong
lay outside of it, its row is taken away.
"""

import dataclasses
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from node.domain.masking import printable

__all__ = ["Quarantine", "QuarantineRow"]


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


_COLUMNS = "digest, source, line, msgid, infno, rule, field, value, reason, mend, seen_at"


class Quarantine:
    """Table ``quarantine``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, rows: Sequence[QuarantineRow]) -> None:
        """Add refused lines; one that is there already stays as it was first seen.

        No text that a terminal would obey is kept, whichever file or message it came from.
        """
        self._connection.executemany(
            f"insert or ignore into quarantine({_COLUMNS}, body)"
            " values(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                    row.body,
                )
                for row in rows
            ],
        )

    def release(self, digests: Sequence[bytes]) -> None:
        """Take away the rows of lines that went in after all."""
        self._connection.executemany(
            "delete from quarantine where digest = ?", [(digest,) for digest in digests]
        )

    def rows(self, limit: int, offset: int) -> tuple[QuarantineRow, ...]:
        """List refused lines in the order of their files and lines, without their bodies."""
        cursor = self._connection.execute(
            f"select {_COLUMNS} from quarantine"  # noqa: S608 - constant column list
            " order by source, line, digest limit ? offset ?",
            (limit, offset),
        )
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
            )
            for row in cursor
        )

    def count(self) -> int:
        """Count refused lines."""
        return int(self._connection.execute("select count(*) from quarantine").fetchone()[0])
