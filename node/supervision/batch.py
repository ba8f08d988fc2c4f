"""Rules after the fact (事后监管): every rule over everything a node holds, hits kept as they come.

The order of work:
0. Gather the knowledge in force; open the engine over one snapshot of the records.
1. Rule by rule: make the relations it reads that are not made yet, find its hits, keep them in
   small transactions, mark what it no longer finds as gone, note what came of it.
2. A rule that is stopped is noted with the reason; what was known of it stays as it was.
A run that is cut off leaves whole hits, and no end: the next one does all of it again.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

import duckdb

from node.domain.rule_hits import RuleHit, encode_body
from node.errors import RuleStoppedError
from node.store.hits import SealedHit
from node.store.rule_runs import NewRun, RuleOutcome
from node.store.supervision_store import KEPT_ROWS
from node.supervision.budget import Budget
from node.supervision.knowledge import KnowledgeSource, arrow_table, rows_in_force
from node.supervision.rule_engine import RuleEngine
from scoring_kernel.rules import Rule, RuleBook
from security.progress import ProgressReporter

__all__ = ["ALL_MONTHS", "HitSink", "RuleRecords", "RunOrder", "RunReport", "run_rules"]

ALL_MONTHS: Final = (190_001, 999_912)
_DIGEST_BYTES: Final = 8
_PART_RECORDS: Final = 5_000
"""Records that the hits of one transaction list: about half a megabyte."""
_STAGE: Final = "rules"


class RuleRecords(Protocol):
    """The node's records."""

    def relations(
        self,
        kinds: Iterable[str],
        months: Collection[int] | None = None,
        *,
        memory_bytes: int | None = None,
    ) -> duckdb.DuckDBPyConnection:
        """Open an engine over a snapshot of some kinds of record; the caller closes it."""

    def months_held(self) -> Mapping[str, Mapping[int, int]]:
        """Count the records of every kind and month (yyyymm)."""


class HitReader(KnowledgeSource, Protocol):
    """What is known already."""

    def secret(self) -> bytes:
        """Get the secret under which hits are named."""

    def known(self, rule: str) -> dict[bytes, bytes]:
        """Digests of every hit kept of a rule, by id."""

    def knowledge_digest(self) -> bytes:
        """Digest what imported knowledge holds when."""

    def seal(self, hit: bytes, body: bytes) -> bytes:
        """Seal the body of a hit."""


class HitSink(Protocol):
    """Keeps what a run finds: the node's store, or the daemon in front of it."""

    def begin(self, run: NewRun) -> int:
        """Begin a run; returns its number."""

    def keep(
        self, run: int, rule: str, changed: Sequence[SealedHit], same: Collection[bytes]
    ) -> None:
        """Keep hits that a run found, at most ``KEPT_ROWS``."""

    def sweep(self, run: int, rule: str, first_month: int, last_month: int) -> int:
        """Mark what a run did not find again as gone; returns how many."""

    def note(self, run: int, outcome: RuleOutcome) -> None:
        """Note what came of a rule."""

    def end(self, run: int, ended_at: str) -> None:
        """Note that a run came to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """What a run does."""

    rules: tuple[Rule, ...]
    """Rules of the book, with SQL."""
    kinds: frozenset[str]
    """Record kinds that evidence may name."""
    first_month: int = ALL_MONTHS[0]
    """Hits of earlier months are neither looked for nor marked as gone; yyyymm."""
    last_month: int = ALL_MONTHS[1]
    gone_after: int = 0
    """Hits up to this month stay as they are: retention has deleted what they rested on."""
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What came of a run."""

    run: int
    outcomes: tuple[RuleOutcome, ...]

    @property
    def stopped(self) -> tuple[RuleOutcome, ...]:
        """Rules that did not come to their end."""
        return tuple(one for one in self.outcomes if one.error)


def run_rules(
    records: RuleRecords,
    reader: HitReader,
    sink: HitSink,
    book: RuleBook,
    order: RunOrder,
    *,
    now: Callable[[], datetime],
    progress: ProgressReporter,
) -> RunReport:
    """Run rules and keep their hits.

    Args:
        records: The node's records.
        reader: Knowledge, and the hits that are kept already.
        sink: Keeps what is found.
        book: The rule book.
        order: Which rules, for which months, within which budget.
        now: The time, UTC-aware.
        progress: Told rules.

    Returns:
        What came of each rule.

    Raises:
        StoreError: The store failed; what was kept before stays.
    """
    tables = [book.knowledge[name] for name in book.tables(order.rules)]
    rows = rows_in_force(tables, reader)
    knowledge = {one.id: arrow_table(one, rows[one.id]) for one in tables}
    engine = records.relations(book.kinds(order.rules), memory_bytes=order.budget.memory_bytes)
    run = RuleEngine(
        engine,
        book,
        knowledge,
        order.kinds,
        months={month for held in records.months_held().values() for month in held},
        budget=order.budget,
    )
    try:
        run.prepare(order.rules, progress)
        number = sink.begin(
            NewRun(
                started_at=_text(now()),
                book_digest=book.digest,
                knowledge_digest=reader.knowledge_digest(),
                first_month=order.first_month,
                last_month=order.last_month,
            )
        )
        turns = _Turns(
            run=number,
            engine=run,
            reader=reader,
            sink=sink,
            order=order,
            secret=reader.secret(),
            now=now,
        )
        outcomes = []
        for done, rule in enumerate(order.rules):
            progress(_STAGE, done, len(order.rules), rule.id)
            outcomes.append(turns.take(rule))
            run.keep_only({name for one in order.rules[done + 1 :] for name in run.needed(one)})
        progress(_STAGE, len(order.rules), len(order.rules), "")
    finally:
        run.close()
    sink.end(number, _text(now()))
    return RunReport(run=number, outcomes=tuple(outcomes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turns:
    """The turns of the rules within one run."""

    run: int
    engine: RuleEngine
    reader: HitReader
    sink: HitSink
    order: RunOrder
    secret: bytes = field(repr=False)
    now: Callable[[], datetime]

    def take(self, rule: Rule) -> RuleOutcome:
        """Find and keep the hits of a rule; one that is stopped is noted so."""
        begun = self.now()
        known = self.reader.known(rule.id)
        found = new = gone = 0
        error = ""
        try:
            hits = self.engine.find(rule, self.secret)
            wanted = (one for one in hits if self._is_wanted(one))
            for part in _parts(wanted):
                found += len(part)
                new += sum(one.id not in known for one in part)
                self._keep(rule.id, part, known)
            first = max(self.order.first_month, self.order.gone_after + 1)
            gone = self.sink.sweep(self.run, rule.id, first, self.order.last_month)
        except RuleStoppedError as stopped:
            error = str(stopped)
        outcome = RuleOutcome(
            rule=rule.id,
            hits=found,
            new=new,
            gone=gone,
            ms=round((self.now() - begun).total_seconds() * 1000),
            error=error,
        )
        self.sink.note(self.run, outcome)
        return outcome

    def _is_wanted(self, hit: RuleHit) -> bool:
        return self.order.first_month <= hit.month <= self.order.last_month

    def _keep(self, rule: str, hits: Sequence[RuleHit], known: Mapping[bytes, bytes]) -> None:
        changed, same = [], []
        for hit in hits:
            body = encode_body(hit.body)
            digest = _digest(hit, body, self.secret)
            if known.get(hit.id) == digest:
                same.append(hit.id)
                continue
            changed.append(
                SealedHit(
                    id=hit.id,
                    version=hit.version,
                    institution=hit.institution,
                    month=hit.month,
                    at=hit.at.isoformat(),
                    amount_fen=hit.amount_fen,
                    verdict=hit.verdict,
                    digest=digest,
                    body=self.reader.seal(hit.id, body),
                )
            )
        self.sink.keep(self.run, rule, changed, same)


def _parts(hits: Iterable[RuleHit]) -> Iterator[list[RuleHit]]:
    """Cut hits into parts of one small transaction, by their number and what they list."""
    part: list[RuleHit] = []
    listed = 0
    for hit in hits:
        part.append(hit)
        listed += len(hit.body.evidence)
        if len(part) == KEPT_ROWS or listed >= _PART_RECORDS:
            yield part
            part, listed = [], 0
    if part:
        yield part


def _digest(hit: RuleHit, body: bytes, secret: bytes) -> bytes:
    state = hashlib.blake2b(body, digest_size=_DIGEST_BYTES, key=secret, person=b"yixin/hit_body")
    state.update(f"{hit.version} {hit.at} {hit.amount_fen} {hit.verdict}".encode())
    return state.digest()


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
