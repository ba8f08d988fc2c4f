"""Knowledge (知识库) that was imported: tables of codes and limits, each version from a day on.

Rules:
- an import puts a new version of every table it has rows of; from its first day on that version
  holds instead of the former one, which holds for the days before;
- of two versions from the same day the one imported later holds;
- nothing is changed or deleted: what held on a day can be told for ever.

Nothing here is personal: these are public lists of drugs and services.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson

from node.domain.masking import printable
from node.errors import StoreError

__all__ = [
    "KNOWLEDGE_TABLES",
    "Knowledge",
    "KnowledgeImport",
    "KnowledgeRow",
    "KnowledgeVersion",
    "NewImport",
    "rows_digest",
]

KNOWLEDGE_TABLES: Final = (
    # begins_on: first day, ISO 8601.
    """create table knowledge_import(
        id integer primary key autoincrement,
        sha256 blob not null,
        source text not null,
        begins_on text not null,
        imported_at text not null,
        operator text not null,
        unbound integer not null
    ) strict""",
    # body: rows as JSON, deflated.
    """create table knowledge_version(
        import integer not null references knowledge_import(id),
        name text not null,
        rows integer not null,
        digest blob not null,
        body blob not null,
        primary key(import, name)
    ) strict""",
)
_MAX_BODY_BYTES: Final = 256 * 1024 * 1024

KnowledgeRow: TypeAlias = Mapping[str, str | int | None]
"""Value by column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """A file of knowledge."""

    sha256: bytes
    """Of the file."""
    source: str
    """Name of the file."""
    begins_on: str
    """First day, ISO 8601."""
    imported_at: str
    """When, ISO 8601, UTC."""
    operator: str
    unbound: int
    """Points of the file that no rule can use."""
    tables: Mapping[str, Sequence[KnowledgeRow]] = field(repr=False)
    """Rows by table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeImport:
    """An import as it is kept."""

    id: int
    sha256: bytes
    source: str
    begins_on: str
    imported_at: str
    operator: str
    unbound: int
    rows: Mapping[str, int]
    """Number of rows by table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeVersion:
    """What a table holds for a stretch of days."""

    name: str
    """Name of the table."""
    begins_on: str
    """First day, ISO 8601."""
    ends_on: str | None
    """First day of the next version; None while there is none."""
    digest: bytes
    """``rows_digest``."""
    import_id: int
    source: str
    """Name of the file it came from."""


class Knowledge:
    """Tables ``knowledge_import`` and ``knowledge_version``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, new: NewImport) -> int:
        """Add an import; inside the caller's transaction.

        Returns:
            Its number.
        """
        cursor = self._connection.execute(
            "insert into knowledge_import(sha256, source, begins_on, imported_at, operator,"
            " unbound) values(?, ?, ?, ?, ?, ?)",
            (
                new.sha256,
                printable(new.source),
                new.begins_on,
                new.imported_at,
                printable(new.operator),
                new.unbound,
            ),
        )
        number = int(cursor.lastrowid or 0)
        self._connection.executemany(
            "insert into knowledge_version values(?, ?, ?, ?, ?)",
            [
                (number, name, len(rows), rows_digest(rows), zlib.compress(_to_json(rows)))
                for name, rows in new.tables.items()
            ],
        )
        return number

    def imports(self) -> tuple[KnowledgeImport, ...]:
        """List the imports, the newest first."""
        cursor = self._connection.execute(
            "select id, sha256, source, begins_on, imported_at, operator, unbound"
            " from knowledge_import order by id desc"
        )
        return tuple(
            KnowledgeImport(
                id=row[0],
                sha256=row[1],
                source=row[2],
                begins_on=row[3],
                imported_at=row[4],
                operator=row[5],
                unbound=row[6],
                rows=dict(
                    self._connection.execute(
                        "select name, rows from knowledge_version where import = ? order by name",
                        (row[0],),
                    )
                ),
            )
            for row in cursor.fetchall()
        )

    def versions(self) -> tuple[KnowledgeVersion, ...]:
        """List what holds when, by table and first day."""
        cursor = self._connection.execute(
            "select name, begins_on, import, digest, source from knowledge_version"
            " join knowledge_import on knowledge_import.id = import"
            " order by name, begins_on, import"
        )
        holding: dict[tuple[str, str], tuple[int, bytes, str]] = {}
        for name, begins_on, number, digest, source in cursor:
            # The later import of the same day takes the place of the earlier one.
            holding[name, begins_on] = (number, digest, source)
        keys = list(holding)
        following = (*keys[1:], ("", ""))
        return tuple(
            KnowledgeVersion(
                name=name,
                begins_on=begins_on,
                ends_on=after[1] if after[0] == name else None,
                digest=holding[name, begins_on][1],
                import_id=holding[name, begins_on][0],
                source=holding[name, begins_on][2],
            )
            for (name, begins_on), after in zip(keys, following, strict=False)
        )

    def rows(self, version: KnowledgeVersion) -> list[KnowledgeRow]:
        """Get the rows of a version.

        Raises:
            StoreError: The version is not here, or was changed.
        """
        row = self._connection.execute(
            "select body from knowledge_version where import = ? and name = ?",
            (version.import_id, version.name),
        ).fetchone()
        if row is None:
            raise StoreError(
                f"version {version.import_id} of {version.name} is not in this node: restore the"
                " node's directory from its backup"
            )
        content = zlib.decompressobj().decompress(row[0], _MAX_BODY_BYTES)
        if hashlib.sha256(content).digest() != version.digest:
            raise StoreError(
                f"version {version.import_id} of {version.name} was changed: restore the node's"
                " directory from its backup"
            )
        found: list[KnowledgeRow] = orjson.loads(content)
        return found


def rows_digest(rows: Sequence[KnowledgeRow]) -> bytes:
    """Digest rows in their order: SHA-256 of their JSON."""
    return hashlib.sha256(_to_json(rows)).digest()


def _to_json(rows: Sequence[KnowledgeRow]) -> bytes:
    return orjson.dumps([dict(row) for row in rows], option=orjson.OPT_SORT_KEYS)
