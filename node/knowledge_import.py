"""Knowledge points (知识点) that are imported: bound to tables, versioned, in force from a day.

Rules:
- A file with one row that cannot be read is refused whole; a point that no rule can use is not:
  it is reported with its reason.
- A file that is named like a knowledge table (``k_atc.csv``) holds rows of that table, which
  nobody publishes: its columns are the table's, without the days.
- A table's first version holds since the regulation does, as nothing is judged before; a later
  one from today on, or from the day that is named.
- A table that says on that day what it says already is not imported again.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from node.domain.masking import printable
from node.errors import ConfigurationError, IntakeFileError
from node.store import LogEntry, NodeStore
from node.store.knowledge import KnowledgeRow, KnowledgeVersion, NewImport, rows_digest
from scoring_kernel.errors import KernelInputError, RuleError
from scoring_kernel.rules import Points, RuleBook, read_points, read_table_rows
from scoring_kernel.rules.knowledge import DATES
from scoring_kernel.rules.points import COLUMNS
from scoring_kernel.tables import TableError, open_table
from security.moments import SHANGHAI

__all__ = ["FIRST_DAY", "KnowledgeImported", "TableImported", "import_knowledge"]

FIRST_DAY: Final = date(2021, 5, 1)
"""The Regulation on the Supervision of the Use of Medical Security Funds (Decree 735) is in
force since then."""
MAX_BYTES: Final = 64 * 1024 * 1024
_SHOWN: Final = 20
_SHOWN_CHARS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TableImported:
    """What came of one knowledge table."""

    table: str
    name_zh: str
    rules: tuple[str, ...]
    """Rules that read it."""
    points: int
    """Points of the file that are bound to it."""
    rows: int
    """Rows they make, each once."""
    begins_on: str
    """Day from which they hold, ISO 8601."""
    is_new: bool
    """False where the table said the same already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeImported:
    """What came of a file."""

    source: str
    points: int
    bound: int
    tables: tuple[TableImported, ...]
    unbound: Mapping[str, int]
    """Points that no rule can use, by reason."""
    first_unbound: tuple[tuple[int, str], ...]
    """The first of them: number of the point and reason."""
    changed: bool
    """Whether anything was imported."""


def import_knowledge(
    store: NodeStore,
    book: RuleBook,
    path: Path,
    *,
    begins_on: str | None,
    operator: str,
    now: datetime,
) -> KnowledgeImported:
    """Take a file of knowledge points.

    Args:
        store: Keeps the knowledge.
        book: Says which tables there are and who reads them.
        path: CSV or workbook with the columns of a file of points, or of the table whose name it
            has.
        begins_on: First day, ISO 8601; see the module's rules when None.
        operator: Who imports.
        now: The time, UTC-aware.

    Raises:
        ConfigurationError: Nobody knows who imports, or the day is none.
        IntakeFileError: The file cannot be read, or no point of it can be used.
        StoreError: The store failed; nothing was kept.
    """
    if not operator:
        raise ConfigurationError("no login name found: name yourself with --operator")
    source = printable(path.name)
    digest, points = _read(book, path, source)
    if not points.tables:
        raise IntakeFileError(
            f"{source} holds {points.count} points, none of which a rule can use: expected points"
            " of the national libraries; nothing was imported"
        )
    named = None if begins_on is None else _day(begins_on)
    today = now.astimezone(SHANGHAI).date()
    keeper = store.supervision
    versions: dict[str, list[KnowledgeVersion]] = {}
    for version in keeper.knowledge_versions():
        versions.setdefault(version.name, []).append(version)
    tables = [
        _table(book, points, name, named or (today if name in versions else FIRST_DAY), versions)
        for name in sorted(points.tables)
    ]
    at = now.isoformat(timespec="seconds")
    new = [one for one in tables if one.is_new]
    for day in sorted({one.begins_on for one in new}):
        keeper.import_knowledge(
            NewImport(
                sha256=digest,
                source=source,
                begins_on=day,
                imported_at=at,
                operator=operator,
                unbound=len(points.unbound),
                tables={one.table: points.tables[one.table] for one in new if one.begins_on == day},
            )
        )
    if new:
        detail = ", ".join(f"{one.table} {one.rows} from {one.begins_on}" for one in new)
        action = "knowledge_import"
        store.desk.note(
            LogEntry(at=at, operator=operator, action=action, subject=source, detail=detail)
        )
    return KnowledgeImported(
        source=source,
        points=points.count,
        bound=sum(points.bound.values()),
        tables=tuple(tables),
        unbound=dict(points.reasons),
        first_unbound=tuple(points.unbound[:_SHOWN]),
        changed=bool(new),
    )


def _table(
    book: RuleBook,
    points: Points,
    name: str,
    begins: date,
    versions: Mapping[str, Sequence[KnowledgeVersion]],
) -> TableImported:
    rows: Sequence[KnowledgeRow] = points.tables[name]
    day = begins.isoformat()
    held = [one for one in versions.get(name, ()) if one.begins_on <= day]
    return TableImported(
        table=name,
        name_zh=book.knowledge[name].name_zh,
        rules=book.readers(name),
        points=points.bound[name],
        rows=len(rows),
        begins_on=day,
        is_new=not held or held[-1].digest != rows_digest(rows),
    )


def _read(book: RuleBook, path: Path, source: str) -> tuple[bytes, Points]:
    if path.exists() and not path.is_file():
        # Opening a pipe would wait for its other end.
        raise IntakeFileError(f"{source} is no file; name a CSV file or a workbook")
    table = book.knowledge.get(path.stem)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        if table is None:
            return digest, read_points(_rows(path, source, COLUMNS), book.knowledge)
        columns = [name for name in table.columns if name not in DATES]
        rows = _rows(path, source, columns, table.nullable, is_closed=True)
        return digest, read_table_rows(table, rows, source)
    except OSError as error:
        raise IntakeFileError(
            f"{source} cannot be read ({error.strerror}); check the file"
        ) from error
    except (TableError, KernelInputError, RuleError) as error:
        raise IntakeFileError(f"{source}: {error}; nothing was imported") from error


def _rows(
    path: Path,
    source: str,
    columns: Sequence[str],
    optional: Collection[str] = (),
    *,
    is_closed: bool = False,
) -> Iterator[Mapping[str, str | None]]:
    """Read rows of a file; ``is_closed``: no other columns are allowed."""
    with open_table(path, max_bytes=MAX_BYTES) as table:
        lacking = [name for name in columns if name not in (*table.header, *optional)]
        other = [name for name in table.header if is_closed and name not in columns]
        if lacking or other:
            found = f"lacks the columns {', '.join(lacking)}" if lacking else (
                f"has the columns {printable(', '.join(other))[:_SHOWN_CHARS]}"
            )  # fmt: skip
            raise IntakeFileError(
                f"{source} {found}, expected {', '.join(columns)}; nothing was imported"
            )
        present = [name for name in columns if name in table.header]
        for batch in table.batches(columns=present):
            for fault in batch.faults:
                raise IntakeFileError(
                    f"{source} row {fault.number}: {fault.found}, expected {fault.expected};"
                    f" {fault.mend.rstrip('.')}. Nothing was imported"
                )
            names = list(batch.columns)
            cells = (batch.columns[name].to_pylist() for name in names)
            yield from (dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"{text[:40]!r} is no day: expected the form 2025-01-01"
        ) from error
