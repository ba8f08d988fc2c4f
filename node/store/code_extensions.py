"""Codes that a province adds to the national lists (值域扩展), as they were imported.

A code is here once; importing it again takes its newest label and source.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["CODE_EXTENSION_TABLES", "CodeExtensions", "ImportedCode"]

CODE_EXTENSION_TABLES: Final = (
    """create table code_extension(
        list text not null,
        code text not null,
        label text not null,
        source text not null,
        imported_at text not null,
        primary key(list, code)
    ) strict, without rowid""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCode:
    """One code beyond the national list."""

    list: str
    """Id of the code list, for example ``med_type``."""
    code: str
    label: str
    """What it means, Chinese; empty where the file does not say."""
    source: str
    """Name of the file it came from."""
    imported_at: str
    """When, ISO 8601, UTC."""


class CodeExtensions:
    """Table ``code_extension``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, codes: Iterable[ImportedCode]) -> None:
        """Add codes; those that are here take the new label and source. In a transaction."""
        self._connection.executemany(
            "insert into code_extension values(?, ?, ?, ?, ?)"
            " on conflict(list, code) do update set label = excluded.label,"
            " source = excluded.source, imported_at = excluded.imported_at",
            [(one.list, one.code, one.label, one.source, one.imported_at) for one in codes],
        )

    def all(self) -> tuple[ImportedCode, ...]:
        """List every code by list and code."""
        cursor = self._connection.execute(
            "select list, code, label, source, imported_at from code_extension order by list, code"
        )
        return tuple(
            ImportedCode(list=row[0], code=row[1], label=row[2], source=row[3], imported_at=row[4])
            for row in cursor
        )

    def mark(self) -> str:
        """Tell the state of the table: another one after every import that adds a code."""
        count, newest = self._connection.execute(
            "select count(*), max(imported_at) from code_extension"
        ).fetchone()
        return f"{count} {newest}"
