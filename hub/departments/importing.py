"""Import of department files (信息归集): good rows go in, refused lines go to quarantine.

The steps, in order:

0. The file's name, the options or the mapping tell item and period.
1. The file is opened as a table and digested. A failure refuses the whole file.
2. A content that was read to its end before, and has no open fault, is left alone.
3. Every line is mapped, where there is a mapping, and parsed by the kernel's rules for its item.
4. What only the hub can check: the period, the day of an event, the register, and
   keys repeated within the file.
5. Batches of rows and faults are committed together, in short transactions.
6. At the end the import is recorded (it "covers" its item and period) and faults of
   earlier files of this name that are gone are resolved.

A crash between the steps leaves rows that the next import finds unchanged.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from hub.departments.faults import Fault, FileFaultError, Rule
from hub.departments.file_names import FileName, find_files, parse_name
from hub.departments.item_lines import open_item_file
from hub.departments.quarantine import FileIdentity, has_open, keep_faults, resolve_others
from hub.departments.report import FileReport, ImportReport
from hub.departments.row_checks import RowChecks, parse_line
from hub.errors import ImportFileError
from hub.store.engine import reading, writing
from hub.store.item_imports import is_imported, record_import
from hub.store.item_rows import ItemRow, Source, known_subjects, store_rows
from scoring_kernel.errors import PeriodError
from scoring_kernel.periods import Period
from scoring_kernel.subject_ids import PERSON
from security.moments import SHANGHAI, to_ms
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from hub.departments.item_lines import ItemFile, Line
    from scoring_kernel import Catalog
    from scoring_kernel.information import InformationItem
    from scoring_kernel.tables.mapping import ItemMapping
    from security.at_rest import Vault
    from security.progress import ProgressReporter

MAX_FAULTS_PER_FILE: Final = 20_000
_BATCH_LINES: Final = 1000
_UNREAD: Final = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Item and period that a file is for; ``period`` is None for a register."""

    item: InformationItem
    period: Period | None

    @property
    def period_name(self) -> str:
        return "" if self.period is None else self.period.name


@dataclass(slots=True, kw_only=True)
class _Tally:
    """Counts of one file while it is read."""

    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    rows: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    standing: set[bytes] = field(default_factory=set)

    def report(self, file: FileIdentity, *, known_before: bool = False) -> FileReport:
        return FileReport(
            file_name=file.file_name,
            item=file.item,
            period=file.period,
            added=self.added,
            corrected=self.corrected,
            unchanged=self.unchanged,
            quarantined=self.by_rule.total(),
            by_rule=dict(sorted(self.by_rule.items())),
            known_before=known_before,
        )


def import_items(
    engine: Engine,
    catalog: Catalog,
    path: Path,
    *,
    vault: Vault,
    now: datetime,
    item: str | None = None,
    period: str | None = None,
    mapping: ItemMapping | None = None,
    progress: ProgressReporter = no_progress,
) -> ImportReport:
    """Import one department file, or all tables of a directory.

    Args:
        engine: The hub's database.
        catalog: Information items and code lists.
        path: A file, or a directory.
        vault: Seals the rows at rest.
        now: Moment of the import, UTC.
        item: Number of the information item, over what the file name says.
        period: Rating period, over what the file name says.
        mapping: What the columns of the files mean, over item and file name.
        progress: Told after every batch, in bytes.

    Returns:
        The report; refused lines and files are in it and in the quarantine.

    Raises:
        ImportFileError: There is nothing to read, or an option names no item or period.
        HubStoreError: The database failed; what was committed before stays.
    """
    if item is not None and item not in catalog.items:
        raise ImportFileError(
            f"Found item {item[:20]!r}, expected one of {', '.join(sorted(catalog.items))}."
        )
    if mapping is not None:
        if item not in {None, mapping.item}:
            raise ImportFileError(
                f"Found item {item} and a mapping for item {mapping.item}: name one of them."
            )
        item = mapping.item
    if period is not None:
        _parse_period(period)
    desk = _Desk(
        engine=engine, catalog=catalog, vault=vault, now=now, mapping=mapping, progress=progress
    )
    reports: list[FileReport] = []
    registers = {one.number for one in catalog.items.values() if one.kind == "register"}
    for file in find_files(path, registers):
        said = parse_name(file.name)
        wanted = FileName(item=item or said.item, period=period or said.period)
        reports.append(desk.import_file(file, wanted))
    return ImportReport(files=tuple(reports))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """The import desk at work: everything that stays the same from file to file."""

    engine: Engine
    catalog: Catalog
    vault: Vault
    now: datetime
    mapping: ItemMapping | None
    progress: ProgressReporter

    @property
    def now_ms(self) -> int:
        return to_ms(self.now)

    def import_file(self, path: Path, wanted: FileName) -> FileReport:
        """Import one file; a file that is refused as a whole is one fault."""
        name = FileIdentity(
            item=wanted.item or "",
            period=wanted.period or "",
            file_name=path.name,
            sha256=_UNREAD,
        )
        try:
            target = _target(self.catalog, wanted)
            with open_item_file(path, target.item, self.mapping) as opened:
                name = FileIdentity(
                    item=target.item.number,
                    period=target.period_name,
                    file_name=path.name,
                    sha256=opened.sha256,
                )
                return self._read(opened, target, name)
        except FileFaultError as error:
            return self._refuse(name, error.fault)

    def _refuse(self, file: FileIdentity, fault: Fault) -> FileReport:
        tally = _Tally()
        tally.by_rule[str(fault.rule)] += 1
        with writing(self.engine) as connection:
            keep_faults(connection, file, [fault], self.now_ms)
        return tally.report(file)

    def _read(self, opened: ItemFile, target: _Target, file: FileIdentity) -> FileReport:
        with reading(self.engine) as connection:
            known = is_imported(connection, file.item, file.period, file.sha256)
            if known and not has_open(connection, file):
                return _Tally().report(file, known_before=True)
            number = target.item.register
            register = None if number is None else known_subjects(connection, number)
        checks = RowChecks(
            period=target.period,
            register=register,
            today=self.now.astimezone(SHANGHAI).date(),
        )
        source = Source(sha256=file.sha256, imported_at_ms=self.now_ms, keep_existing=known)
        tally = _Tally()
        for rows, faults in _batches(opened.lines(), target, checks, tally):
            with writing(self.engine) as connection:
                stored = store_rows(connection, self.vault, target.item.number, rows, source)
                tally.standing |= keep_faults(connection, file, faults, self.now_ms)
            tally.added += stored.added
            tally.corrected += stored.corrected
            tally.unchanged += stored.unchanged
            table = opened.table
            self.progress(f"importing {file.file_name}", table.consumed, table.size_bytes, "bytes")
        with writing(self.engine) as connection:
            resolve_others(connection, file, tally.standing, self.now_ms)
            if not known:
                record_import(
                    connection,
                    item=file.item,
                    period=file.period,
                    file_name=file.file_name,
                    sha256=file.sha256,
                    rows=tally.rows,
                    now_ms=self.now_ms,
                )
        return tally.report(file, known_before=known)


def _batches(
    lines: Iterator[Line | Fault], target: _Target, checks: RowChecks, tally: _Tally
) -> Iterator[tuple[list[ItemRow], list[Fault]]]:
    """Cut a file into batches of parsed rows and faults.

    Yields:
        Rows with unique keys, and faults.

    Raises:
        FileFaultError: More lines are refused than a file worth reading can have.
    """
    seen: dict[bytes, bytes] = {}
    rows: list[ItemRow] = []
    faults: list[Fault] = []
    for line in lines:
        tally.rows += 1
        outcome = line if isinstance(line, Fault) else _outcome(line, target, checks, seen)
        if outcome is None:
            tally.unchanged += 1
            continue
        if isinstance(outcome, Fault):
            tally.by_rule[str(outcome.rule)] += 1
            faults.append(_unguessable(outcome, target.item))
            if tally.by_rule.total() > MAX_FAULTS_PER_FILE:
                raise FileFaultError(
                    Rule.TOO_MANY_FAULTS,
                    f"more than {MAX_FAULTS_PER_FILE} refused lines",
                    "Compare the file with the item's fields; it seems to be another table.",
                )
        else:
            rows.append(outcome)
        if len(rows) + len(faults) >= _BATCH_LINES:
            yield rows, faults
            rows, faults = [], []
    if rows or faults:
        yield rows, faults


def _unguessable(fault: Fault, item: InformationItem) -> Fault:
    """Know a fault in a file about persons by its line's place, not by its content.

    A digest of a line that holds a person's number would let the number be guessed.
    """
    if item.subject_type != PERSON:
        return fault
    return replace(fault, content=str(fault.line).encode())


def _outcome(
    line: Line, target: _Target, checks: RowChecks, seen: dict[bytes, bytes]
) -> ItemRow | Fault | None:
    """Parse and check one line; None when it repeats an earlier line of the file."""
    outcome = parse_line(target.item, line, checks)
    if isinstance(outcome, Fault):
        return outcome
    key = hashlib.sha256(outcome.key.encode()).digest()[:16]
    if key not in seen:
        seen[key] = line.content
        return outcome
    if seen[key] == line.content:
        return None
    return Fault(
        line=line.number,
        field=",".join(target.item.primary_key),
        rule=Rule.DUPLICATE_KEY,
        masked="another row with the same key earlier in the file",
        mend="Keep one row per key; send a correction in a later file.",
        content=line.content,
    )


def _target(catalog: Catalog, wanted: FileName) -> _Target:
    item = catalog.items.get(wanted.item or "")
    if item is None:
        raise FileFaultError(
            Rule.FILE_NAME,
            "no known item number" if wanted.item is None else f"item {wanted.item}",
            "Name the file like item_05_2026H1.csv, or say --item with a number of the catalogue.",
        )
    if not item.has_period:
        return _Target(item=item, period=None)
    if wanted.period is None:
        raise FileFaultError(
            Rule.FILE_NAME,
            "no period",
            f"Name the file like item_{item.number}_2026H1.csv, or say --period.",
        )
    return _Target(item=item, period=_parse_period(wanted.period))


def _parse_period(name: str) -> Period:
    try:
        return Period.parse(name)
    except PeriodError as error:
        raise ImportFileError(str(error)) from error
