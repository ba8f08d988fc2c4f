"""The desk: find a refused line, show it masked, mend it, replay it through the same intake.

Rules:
- A line is replayed by itself: what stood beside it in its file is not touched.
- A corrected line that goes in takes its row out of quarantine, and the line as it was
  refused makes no row again. One that is refused again leaves the row as it was.
- Who mends or looks at a line is noted before it is done: fields, never values.
- Nothing is shown unmasked but by ``reveal``.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from node.errors import ConfigurationError
from node.quarantine.fields import KnownFields
from node.quarantine.mending import Change, Correction, bounded, correct_message, row_changes
from node.quarantine.outline import OutlineRow, outline_message, outline_row
from node.quarantine.ports import LineIntake, RefusedLine, Replayed
from node.store import ROW_FORM, Commit, LogEntry, NodeStore, QuarantineFilter, QuarantineRow
from scoring_kernel import Catalog
from security.progress import ProgressReporter, no_progress

__all__ = ["SHORT_ID", "Mended", "Picture", "QuarantineDesk", "ReplayReport", "short_id"]

SHORT_ID: Final = 12
"""Hex digits of an id as it is shown."""
_LEAST_ID: Final = 4
_BATCH_LINES: Final = 500
_BATCH_BYTES: Final = 4 * 1024 * 1024
_PAGE: Final = 1_000
_SHOWN_STILL: Final = 20
STAGE: Final = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A refused line, masked."""

    row: QuarantineRow
    outline: tuple[OutlineRow, ...]
    """Empty where the line was not kept or cannot be cut into fields."""
    body_bytes: int | None
    """Length of the kept line; None when it was too long to keep."""
    log: tuple[LogEntry, ...]
    """What operators did to it, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """What became of a correction."""

    id: str
    changes: tuple[Change, ...]
    outcome: Replayed


@dataclass(slots=True, kw_only=True)
class ReplayReport:
    """What became of a replay."""

    replayed: int = 0
    standings: Counter[str] = field(default_factory=Counter)
    """Lines that went in, by how."""
    still: Counter[str] = field(default_factory=Counter)
    """Lines refused again, by rule."""
    not_kept: int = 0
    """Lines that were too long to keep: their files must be ingested again."""
    refused: list[tuple[QuarantineRow, Replayed]] = field(default_factory=list)
    """The first of those refused again."""


class QuarantineDesk:
    """Works on the refused lines of one store."""

    def __init__(
        self, store: NodeStore, catalog: Catalog, intake: LineIntake, now: datetime
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._intake = intake
        self._now = now

    def find(self, prefix: str) -> QuarantineRow:
        """Find the one row whose id begins so.

        Raises:
            ConfigurationError: None does, or several do.
        """
        digits = prefix.strip().lower()
        if not _LEAST_ID <= len(digits) <= 64 or not set(digits) <= set("0123456789abcdef"):
            raise ConfigurationError(
                f"an id of {len(prefix)} characters found, expected {_LEAST_ID} to 64 hex digits"
                " as `yixin node quarantine list` shows them"
            )
        found = self._store.desk.find(digits)
        if len(found) != 1:
            number = "no row" if not found else "several rows"
            raise ConfigurationError(
                f"{number} of the quarantine begin with {digits}; give"
                f" {'an id' if not found else 'more digits'} of `yixin node quarantine list`"
            )
        return found[0]

    def show(self, prefix: str) -> Picture:
        """Picture a refused line: its reason, and every field masked.

        Raises:
            ConfigurationError: The id is not of one row.
        """
        row = self.find(prefix)
        body = self._store.desk.body(row.digest)
        return Picture(
            row=row,
            outline=() if body is None else self._outline(row, body),
            body_bytes=None if body is None else len(body),
            log=self._store.desk.entries(20, short_id(row)),
        )

    def reveal(self, prefix: str, operator: str) -> bytes:
        """Give a refused line as it came; who asked is noted before.

        Raises:
            ConfigurationError: The id is not of one row, or the line was not kept.
        """
        row = self.find(prefix)
        body = self._body(row)
        self.note(operator, "quarantine_reveal", short_id(row))
        return body

    def fix(
        self, prefix: str, operator: str, *, changes: Sequence[str] = (), whole: bytes | None = None
    ) -> Mended:
        """Correct a copy of a refused line and replay it.

        Args:
            prefix: Id of the row.
            operator: Who corrects.
            changes: Texts ``path=value``, of mapped rows ``column=value``.
            whole: The corrected line in whole, instead of changes.

        Raises:
            ConfigurationError: The id, a change or the corrected line does not fit.
            StoreError: The store failed; nothing was changed.
        """
        if bool(changes) == (whole is not None):
            raise ConfigurationError("expected --set PATH=VALUE, or --file with the whole line")
        row = self.find(prefix)
        if whole is not None:
            corrected = Correction(body=bounded(whole), changes=())
        else:
            corrected = self._corrected(row, self._body(row), changes)
        named = ", ".join(change.place for change in corrected.changes) or "the whole line"
        self.note(operator, "quarantine_fix", short_id(row), named)
        line = RefusedLine(row=row, body=corrected.body)
        (outcome,) = self._take([line])
        if outcome.went_in:
            self._store.desk.mend(row.digest)
        else:
            # The reason given now is that of the correction; the kept line has its own.
            self._store.commit(Commit(quarantine=[row]))
        self.note(operator, f"quarantine_fix_{outcome.standing}", short_id(row))
        return Mended(id=short_id(row), changes=corrected.changes, outcome=outcome)

    def replay(
        self,
        ids: Sequence[str],
        wanted: QuarantineFilter | None,
        progress: ProgressReporter = no_progress,
    ) -> ReplayReport:
        """Replay refused lines as they came: what was wrong lay outside of them.

        Args:
            ids: Rows by id.
            wanted: Also every row that this names; None for no other.
            progress: Told of every durable batch.

        Raises:
            ConfigurationError: An id is not of one row.
        """
        rows = {row.digest: row for row in map(self.find, ids)}
        if wanted is not None:
            rows |= {row.digest: row for row in self._rows(wanted)}
        report = ReplayReport()
        done = 0
        for batch in self._batches(list(rows.values()), report):
            for line, outcome in zip(batch, self._take(batch), strict=True):
                report.replayed += 1
                if outcome.went_in:
                    report.standings[outcome.standing] += 1
                    continue
                report.still[outcome.rule] += 1
                if len(report.refused) < _SHOWN_STILL:
                    report.refused.append((line.row, outcome))
            self._store.flush_if_large()
            done += len(batch)
            progress(STAGE, done, len(rows), "lines")
        return report

    def note(self, operator: str, action: str, subject: str, detail: str = "") -> None:
        """Note what an operator does.

        Raises:
            ConfigurationError: Nobody knows who the operator is.
        """
        if not operator:
            raise ConfigurationError("no login name found: name yourself with --operator")
        at = self._now.isoformat(timespec="seconds")
        self._store.desk.note(
            LogEntry(at=at, operator=operator, action=action, subject=subject, detail=detail)
        )

    def rows(self, wanted: QuarantineFilter) -> Iterator[QuarantineRow]:
        """List all rows that are wanted, page by page."""
        return self._rows(wanted)

    def _rows(self, wanted: QuarantineFilter) -> Iterator[QuarantineRow]:
        offset = 0
        while page := self._store.quarantine_rows(_PAGE, offset, wanted):
            yield from page
            offset += len(page)

    def _outline(self, row: QuarantineRow, body: bytes) -> tuple[OutlineRow, ...]:
        if row.form == ROW_FORM:
            context = self._store.desk.context(row.context)
            if context is None:
                return ()
            cells = self._intake.cut_row(context, body)
            return outline_row(cells.header, cells.cells, cells.personal, row.field)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return ()
        fields = KnownFields(self._catalog, row.infno or _infno(document))
        return outline_message(document, fields, row.field, row.value)

    def _corrected(self, row: QuarantineRow, body: bytes, changes: Sequence[str]) -> Correction:
        if row.form == ROW_FORM:
            context = self._context(row)
            cells = self._intake.cut_row(context, body)
            new, told = row_changes(cells, changes)
            return Correction(body=self._intake.change_row(context, body, new), changes=tuple(told))
        return correct_message(body, changes, KnownFields(self._catalog, row.infno))

    def _take(self, lines: Sequence[RefusedLine]) -> Sequence[Replayed]:
        first = lines[0].row
        if first.form == ROW_FORM:
            return self._intake.take_rows(first.source, self._context(first), lines)
        return self._intake.take_messages(first.source, lines)

    def _batches(
        self, rows: Sequence[QuarantineRow], report: ReplayReport
    ) -> Iterator[list[RefusedLine]]:
        """Group rows of one file that were read alike; bodies are opened a batch at a time."""
        batch: list[RefusedLine] = []
        size = 0
        for row in sorted(rows, key=_read_alike):
            body = self._store.desk.body(row.digest)
            if body is None:
                report.not_kept += 1
                continue
            ends = batch and _read_alike(batch[0].row)[:3] != _read_alike(row)[:3]
            if ends or len(batch) == _BATCH_LINES or size + len(body) > _BATCH_BYTES:
                if batch:
                    yield batch
                batch, size = [], 0
            batch.append(RefusedLine(row=row, body=body))
            size += len(body)
        if batch:
            yield batch

    def _body(self, row: QuarantineRow) -> bytes:
        body = self._store.desk.body(row.digest)
        if body is None:
            raise ConfigurationError(
                f"the line of {short_id(row)} was too long to keep, or was never there: correct"
                " it in its file and ingest that again, or give it whole with --file"
            )
        return body

    def _context(self, row: QuarantineRow) -> bytes:
        context = self._store.desk.context(row.context)
        if context is None:
            raise ConfigurationError(
                f"{short_id(row)} was refused by an earlier version that kept no mapping with it:"
                " ingest its file again"
            )
        return context


def short_id(row: QuarantineRow) -> str:
    """The id of a row as it is shown."""
    return row.digest.hex()[:SHORT_ID]


def _read_alike(row: QuarantineRow) -> tuple[str, str, str, int]:
    return row.source, row.form, row.context, row.line


def _infno(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    request = document.get("request")
    found = document.get("infno") or (request.get("infno") if isinstance(request, dict) else "")
    return found if isinstance(found, str) else ""
