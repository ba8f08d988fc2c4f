"""Feeding the live state: a thread of the daemon that keeps it up with the records.

The order of work of a turn:
0. What came into the store since the state's mark is applied, with the mark.
1. What was told and answered (3101 to 3103) is gathered from the same records.
2. Now and then: the knowledge in force, what is too old, what retention deleted, counts.
A state that is lost or damaged is begun again; one that is of another store (a restored backup)
too: the root of the store's tree is noted with the mark, and compared at the start.

Rules:
- It reads the store beside the writer, through a connection of its own, and never waits for it.
- A failure is logged and tried again; the judging notices that the state grows old.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from node.errors import StoreError
from node.store import NodeStore
from node.store.live_specs import FACT_SPECS
from node.store.live_state import LiveWriter, Said, ToldRow
from node.store.news import NO_MARK, Mark
from node.supervision.knowledge import rows_in_force
from scoring_kernel.rules import RuleBook
from scoring_kernel.rules.live.encounter import day_of, moment_of
from security.moments import SHANGHAI

__all__ = ["HISTORY_DAYS", "LiveFeed"]

TURN_S: Final = 0.05
"""Wait between two turns."""
SCAN_PAUSE: Final = 5
"""After reading segments it waits so many times as long as that took."""
CHORES_S: Final = 5.0
HISTORY_DAYS: Final = 400
"""Visits are known for so long after their last day."""
TOLD_DAYS: Final = 2 * 366
APPLY_ROWS: Final = 100_000
_RAW: Final = "raw"
_FEEDBACK: Final = "feedback"
_KINDS: Final = frozenset((*FACT_SPECS, _RAW, _FEEDBACK))
_JUDGED: Final = ("3101", "3102")
_SMALL: Final = frozenset(
    (
        *("institution_profile", "agreement_status", "staff_qualification", "staff_member"),
        *("death", "benefit_freeze", "approved_purchase"),
        *("price_cap", "trace_code", "stock_movement", "stock_deletion"),
    )
)
"""Registers and traces hold for longer than visits: all their months are read."""

_LOG: Final = logging.getLogger(__name__)


class LiveFeed:
    """Keeps a live state up with a store; one thread."""

    def __init__(
        self,
        store: NodeStore,
        writer: LiveWriter,
        book: RuleBook,
        *,
        now: Callable[[], datetime],
        ticks: Callable[[], float],
        take_counts: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        """Take the parts.

        Args:
            store: The node's store, opened for reading, used by this thread alone.
            writer: The live state.
            book: The rules, for their knowledge tables.
            now: The time, aware.
            ticks: Seconds that only grow.
            take_counts: Takes what the judging has counted.
        """
        self._store = store
        self._writer = writer
        self._book = book
        self._now = now
        self._ticks = ticks
        self._take_counts = take_counts
        self._stop = threading.Event()
        self._fed = 0
        self._chores_at: float | None = None
        self._knowledge: bytes | None = None
        self._frozen: Mapping[str, frozenset[int]] = {}
        self.institutions: frozenset[str] = frozenset()
        """Codes under custody, as last read."""

    def run(self) -> None:
        """Feed until ``stop``; nothing is raised."""
        pause = 0.0
        is_checked = False
        while not self._stop.wait(pause):
            began = self._ticks()
            pause = CHORES_S
            try:
                if not is_checked:
                    self._check_store()
                    is_checked = True
                scanned = self.turn()
                self.chores()
                pause = SCAN_PAUSE * (self._ticks() - began) if scanned else TURN_S
            except StoreError as error:
                _LOG.error("the live state could not be fed: %s", error)  # it names no record
                is_checked = self._begin_again(is_checked=is_checked)
            except Exception as error:  # noqa: BLE001  # any fault of ours; its text may quote a record
                _LOG.error("the live state could not be fed: %s", type(error).__name__)

    def stop(self) -> None:
        """Let ``run`` end."""
        self._stop.set()

    def turn(self) -> bool:
        """Apply what came; returns whether segments had to be read.

        Raises:
            StoreError: The store or the state failed.
        """
        news = self._store.news(_KINDS, self._writer.applied, self._months)
        if news is None:
            return False
        said = Said()
        batches = _watched(news.batches, said)
        if news.is_scan:
            self._apply_scan(batches, news.mark, said)
        else:
            self._writer.apply(batches, news.mark, said)
        return news.is_scan

    def _apply_scan(self, batches: Iterator[tuple[str, pa.Table]], mark: Mark, said: Said) -> None:
        """Apply much in pieces; the mark follows with the last."""
        piece: list[tuple[str, pa.Table]] = []
        rows = 0
        for kind, table in batches:
            piece.append((kind, table))
            rows += table.num_rows
            if rows >= APPLY_ROWS:
                self._writer.apply(piece, None)
                piece, rows = [], 0
        self._writer.apply(piece, mark, said)

    def chores(self) -> None:
        """Do what is due now and then.

        Raises:
            StoreError: The store or the state failed.
        """
        now = self._ticks()
        if self._chores_at is not None and now - self._chores_at < CHORES_S:
            return
        self._chores_at = now
        if not self._writer.is_in_place:
            raise StoreError("the live state was taken away while it was written")
        today = self._today()
        self.institutions = self._store.institution_codes()
        self._note_knowledge()
        counts = self._take_counts()
        if counts:
            self._writer.count(today, counts)
        self._forget_frozen()
        self._writer.purge(today - HISTORY_DAYS, today - TOLD_DAYS)
        self._writer.note_seal(self._seal(self._writer.applied.size))
        self._fed += 1
        self._writer.note_fed(self._fed)

    def _today(self) -> int:
        return day_of(self._now().astimezone(SHANGHAI).date())

    def _months(self, kind: str) -> Collection[int] | None:
        """Months of a kind that are read when segments are: visits of the past days."""
        if kind in _SMALL:
            return None
        day = self._now().astimezone(SHANGHAI).date()
        first = day - timedelta(days=TOLD_DAYS if kind in (_RAW, _FEEDBACK) else HISTORY_DAYS)
        last = day + timedelta(days=31)
        return {
            year * 100 + month
            for year in range(first.year, last.year + 1)
            for month in range(1, 13)
            if first.year * 100 + first.month <= year * 100 + month <= last.year * 100 + last.month
        }

    def _note_knowledge(self) -> None:
        """Put the knowledge in force into the state where it is another than before."""
        digest = hashlib.sha256(
            self._book.digest + self._store.supervision.knowledge_digest()
        ).digest()
        if digest == self._knowledge:
            return
        rows = rows_in_force(self._book.knowledge.values(), self._store.supervision)
        body = {
            name: {
                "columns": list(self._book.knowledge[name].columns),
                "rows": [[_plain(cell) for cell in row] for row in held],
            }
            for name, held in rows.items()
        }
        self._writer.note_knowledge(digest, orjson.dumps(body))
        self._knowledge = digest

    def _forget_frozen(self) -> None:
        frozen = self._store.frozen_months()
        for kind, months in frozen.items():
            new = months - self._frozen.get(kind, frozenset())
            if new and kind in FACT_SPECS:
                self._writer.forget_months(kind, new)
        self._frozen = frozen

    def _seal(self, size: int) -> bytes:
        return b"%d %s" % (size, self._store.record_ledger.root(size).hex().encode())

    def _check_store(self) -> None:
        """Begin again where the state was made of another store than this one."""
        sealed = self._writer.seal
        if sealed is None or self._writer.applied == NO_MARK:
            return
        size = int(sealed.split()[0])
        if size > self._store.ledger_size() or sealed != self._seal(size):
            _LOG.error("the live state is of another store, and is begun again")
            self._writer.begin_again()

    def _begin_again(self, *, is_checked: bool) -> bool:
        """Begin the state again where it is it that is damaged."""
        try:
            self._writer.check()
        except StoreError:
            try:
                self._writer.begin_again()
                self._knowledge = None
            except StoreError as error:
                _LOG.error("the live state could not be begun again: %s", error)
        return is_checked


def _plain(cell: Any) -> Any:  # noqa: ANN401 - a cell of any column
    """Moments as seconds of the wall clock, everything else as it is."""
    return moment_of(cell) if isinstance(cell, datetime) else cell


def _watched(batches: Iterator[tuple[str, pa.Table]], said: Said) -> Iterator[tuple[str, pa.Table]]:
    """Hand on batches, gathering what was told and answered on the way."""
    for kind, table in batches:
        if kind == _RAW:
            said.told += _told(table)
        elif kind == _FEEDBACK:
            ways, warnings = (table.column(name).to_pylist() for name in ("way", "warning"))
            said.answered += zip(ways, warnings, strict=True)
        else:
            yield kind, table


def _told(table: pa.Table) -> Iterator[ToldRow]:
    """Give the warnings that kept answers told."""
    judged = table.filter(pc.is_in(table.column("infno"), pa.array(_JUDGED)))
    for body in judged.column("body").to_pylist():
        document = orjson.loads(body)
        request = document.get("request", {})
        # What a platform answered may be of any form.
        result = _object(_object(document.get("response")).get("output")).get("result")
        for one in map(_object, result if isinstance(result, list) else ()):
            words: list[Any] = [one.get(name) for name in ("jr_id", "warn_id", "rule_id", "answer")]
            # Of a platform's own warnings nobody tells which of ours they are.
            if all(isinstance(word, str) for word in words):
                day = day_of(datetime.fromisoformat(request["inf_time"]).date())
                yield ToldRow(words[0], words[1], words[2], words[3], day)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
