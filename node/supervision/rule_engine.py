"""Rules over records, in an engine of their own: relations are made once, hits come out sorted.

Rules:
- The engine reads nothing but a snapshot of the node's records and the knowledge tables; what
  a rule returns is checked row by row before any of it becomes a hit: codes, numbers and ids of
  records, never free text.
- A relation that cannot be made fails the rules that read it, and no others.
- Relations are made first, compressed and month by month; then the configuration is locked, and
  no rule can change what the engine may do.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final

import duckdb
import pyarrow as pa

from node.domain.rule_hits import MAX_LISTED, Evidence, HitBody, RuleHit, hit_id
from node.errors import RuleStoppedError
from node.supervision.budget import Budget, limited
from scoring_kernel.rules import VIOLATING, Rule, RuleBook, Statement
from scoring_kernel.rules.relations import AS_WRITTEN, OPENING, OPTIMISED, order
from security.progress import ProgressReporter

__all__ = ["RuleEngine"]

MAX_FEN: Final = 10**12
"""Largest amount of one record: those of as many records as a rule may find can be added up."""
_FOUND: Final = "rule_found"
_STAGE: Final = "relations"
_BATCH_ROWS: Final = 16_384
_NAMES: Final = ("institution", "person", "mdtrt_id", "staff", "key")
_AT, _KIND, _RECORD, _ROLE, _AMOUNT, _VERSION = range(5, 11)
_COLUMNS: Final = (
    'institution, person, mdtrt_id, staff, key, "at", kind, record_id, role, amount_fen'
)
_CHECKS: Final[Mapping[str, str]] = {
    "institution": "coalesce(not regexp_full_match(institution, '[HP][0-9]{11}'), true)",
    "key": "not regexp_full_match(key, '[A-Za-z0-9._:|-]{0,80}')",
    # No proof, but whoever writes a person into another's place sees it at once.
    "key or staff": "length(person) >= 6 and (contains(key, person) or contains(staff, person))",
    "person, mdtrt_id or staff": "greatest(length(person), length(mdtrt_id), length(staff)) > 128",
    "at": """"at" is null or "at" < timestamp '1900-01-01' or "at" >= timestamp '2200-01-01'""",
    "kind": "kind is null or kind not in (select unnest(?))",
    "record_id": "record_id is null or length(record_id) > 128",
    "role": "role is null or role not in (1, 2)",
    "amount_fen": (
        "amount_fen is null or role = 2 and amount_fen <> 0"
        f" or amount_fen not between -{MAX_FEN} and {MAX_FEN}"
    ),
}
"""Column of a result → when a row is none of a rule's."""


class RuleEngine:
    """Runs the rules of a book over one snapshot."""

    def __init__(
        self,
        engine: duckdb.DuckDBPyConnection,
        book: RuleBook,
        knowledge: Mapping[str, pa.Table],
        kinds: Collection[str],
        *,
        months: Iterable[int],
        budget: Budget,
    ) -> None:
        """Take over an engine that has the records; ``close`` closes it.

        Args:
            engine: Opened by the node's store.
            book: The rule book.
            knowledge: Rows by knowledge table.
            kinds: Record kinds that evidence may name.
            months: Every month that the engine has records of, yyyymm.
            budget: Of each rule and relation.
        """
        self._engine = engine
        self._book = book
        self._kinds = sorted(kinds)
        self._months = sorted(months)
        self._budget = budget
        self._made: set[str] = set()
        self._failed: dict[str, str] = {}
        for name, table in knowledge.items():
            engine.register(name, table)
        for statement in OPENING:
            engine.execute(statement)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def needed(self, rule: Rule) -> tuple[str, ...]:
        """Name the derived relations that a rule reads, each after what it reads."""
        return order(self._book.relations, rule.relations, {})

    def prepare(self, rules: Iterable[Rule], progress: ProgressReporter) -> None:
        """Make what rules read, and lock the engine; one that cannot be made fails its rules."""
        names = order(self._book.relations, [one for rule in rules for one in rule.relations], {})
        self._engine.execute(AS_WRITTEN)
        for done, name in enumerate(names):
            progress(_STAGE, done, len(names), name)
            self._make(name)
        self._engine.execute(OPTIMISED)
        self._engine.execute("set lock_configuration = true")

    def _make(self, name: str) -> None:
        for one in self._book.relations[name].reads:
            if one in self._failed:
                self._failed[name] = self._failed[one]
                return
        relation = self._book.relations[name]
        try:
            with limited(self._engine, self._budget.seconds):
                for statement in relation.statements(self._months):
                    self._engine.execute(statement)
        except duckdb.Error as error:
            self._failed[name] = str(self._translated(error, f"relation {name}"))
            self._drop(name)
        else:
            self._made.add(name)

    def _drop(self, name: str) -> None:
        kept = self._book.relations[name].kept
        self._engine.execute(f"drop {kept} if exists {name}")

    def keep_only(self, names: Collection[str]) -> None:
        """Drop the derived relations that no later rule reads."""
        for name in sorted(self._made - set(names)):
            self._drop(name)
            self._made.discard(name)

    def find(self, rule: Rule, secret: bytes) -> Iterator[RuleHit]:
        """Find the hits of a rule.

        Args:
            rule: A rule of the book, with SQL.
            secret: What hits are named under.

        Yields:
            Hits in the order of what makes them.

        Raises:
            RuleStoppedError: It takes too long, too much memory, or finds too much; its SQL
                fails, or returns what is no result of a rule.
        """
        for name in self.needed(rule):
            if name in self._failed:
                raise RuleStoppedError(self._failed[name])
        try:
            with limited(self._engine, self._budget.seconds):
                statements = self._book.statements(rule)
                self._gather(rule, statements)
                self._verify(rule)
                yield from self._hits(rule, statements, secret)
        except duckdb.Error as error:
            raise self._translated(error, f"rule {rule.id}") from error
        finally:
            self._engine.execute(f"drop table if exists {_FOUND}")

    def _gather(self, rule: Rule, statements: Iterable[Statement]) -> None:
        self._engine.execute(
            f"create temp table {_FOUND}(institution varchar, person varchar, mdtrt_id varchar,"
            ' staff varchar, key varchar, "at" timestamp, kind varchar, record_id varchar,'
            " role integer, amount_fen bigint, version varchar)"
        )
        for one in statements:
            # No limit on top: the engine was seen to wait for ever where one cut an aggregate off.
            # What a rule finds is bounded by the memory first; its spans are looked at when read.
            self._engine.execute(
                f"insert into {_FOUND} select {_COLUMNS}, '{one.version}'"  # noqa: S608 - SQL of the book
                f" from ({one.bare}\n) as found"
            )
            ((count,),) = self._rows(f"select count(*) from {_FOUND}")  # noqa: S608 - constant
            if count > self._budget.rows:
                raise RuleStoppedError(
                    f"rule {rule.id} finds more than {self._budget.rows} records: look at what it"
                    " reads and knows"
                )

    def _verify(self, rule: Rule) -> None:
        counts = ", ".join(f"count(*) filter ({test})" for test in _CHECKS.values())
        (found,) = self._rows(f"select {counts} from {_FOUND}", self._kinds)  # noqa: S608 - constants
        for column, count in zip(_CHECKS, found, strict=True):
            if count:
                raise RuleStoppedError(
                    f"rule {rule.id} returns {count} rows whose {column} is none that a rule may"
                    " return; mend its SQL"
                )

    def _hits(
        self, rule: Rule, statements: Iterable[Statement], secret: bytes
    ) -> Iterator[RuleHit]:
        made_of = ", ".join(rule.hit)
        found_rows = self._engine.sql(
            f"select {_COLUMNS}, version from {_FOUND}"  # noqa: S608 - columns of the book
            f' order by {made_of}, version, role, "at", kind, record_id'
        )
        spans = {one.version: one for one in statements}
        made = itemgetter(*(_NAMES.index(name) for name in rule.hit))
        # Closed whatever happens: an engine takes nothing else while a result is open.
        with found_rows.to_arrow_reader(_BATCH_ROWS) as reader:
            rows = (row for batch in reader for row in _tuples(batch))
            for values, found in groupby(rows, made):
                named = values if len(rule.hit) > 1 else (values,)
                for version, group in groupby(found, itemgetter(_VERSION)):
                    hit = _hit(rule, hit_id(secret, rule.id, named), spans[version], group)
                    if hit is not None:
                        # What two versions find is the earlier one's: a hit is there once.
                        yield hit
                        break

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        # To its end: an engine takes nothing else while a result is unfinished.
        return self._engine.execute(sql, values).fetchall()

    def _translated(self, error: duckdb.Error, what: str) -> RuleStoppedError:
        if isinstance(error, duckdb.InterruptException):
            return RuleStoppedError(
                f"{what} was stopped after {self._budget.seconds:g} s: give it more time with"
                " --max-seconds, or look at what it reads"
            )
        if isinstance(error, duckdb.OutOfMemoryException):
            return RuleStoppedError(
                f"{what} was stopped: it needs more than {self._budget.memory_bytes >> 20} MiB:"
                " give it more with --max-memory, or look at what it reads"
            )
        # An engine's message may quote a value; its kind may not.
        return RuleStoppedError(
            f"{what} cannot be computed ({type(error).__name__}); check it with `yixin rules check`"
        )


def _tuples(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _holds(statement: Statement, at: datetime) -> bool:
    begins, ends, day = statement.begins, statement.ends, at.date()
    return (begins is None or begins <= day) and (ends is None or day < ends)


def _hit(
    rule: Rule, name: bytes, statement: Statement, rows: Iterator[tuple[Any, ...]]
) -> RuleHit | None:
    """Make a hit of its rows, the violating ones first and by moment; None out of the span."""
    first = next(rows)
    if first[_ROLE] != VIOLATING or not _holds(statement, first[_AT]):
        return None
    named: tuple[set[str], ...] = tuple(set() for _ in _NAMES)
    evidence: dict[tuple[str, str, int], Evidence] = {}
    amount = records = 0
    for row in chain((first,), rows):
        amount += row[_AMOUNT]
        for kept, value in zip(named, row, strict=False):
            if value is not None and len(kept) < MAX_LISTED:
                kept.add(value)
        key = (row[_KIND], row[_RECORD], row[_ROLE])
        known = evidence.get(key)
        if known is None:
            records += 1
        if known is not None or len(evidence) < MAX_LISTED:
            evidence[key] = Evidence(
                role=row[_ROLE],
                at=row[_AT] if known is None else known.at,
                kind=row[_KIND],
                record_id=row[_RECORD],
                amount_fen=row[_AMOUNT] + (0 if known is None else known.amount_fen),
            )
    institutions, persons, visits, staff, keys = named
    return RuleHit(
        id=name,
        rule=rule.id,
        version=statement.version,
        institution=min(institutions),
        at=first[_AT],
        amount_fen=amount,
        verdict=rule.verdict,
        body=HitBody(
            persons=tuple(sorted(persons)),
            visits=tuple(sorted(visits)),
            staff=tuple(sorted(staff)),
            keys=tuple(sorted(keys)),
            evidence=tuple(sorted(evidence.values())),
            records=records,
        ),
    )
