"""Runs of the rules (规则运行): when, with which rules and knowledge, and what came of each rule.

A run without an end was interrupted, or is at work: what it had found by then is kept.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from node.domain.masking import printable

__all__ = ["RUN_TABLES", "NewRun", "RuleOutcome", "RuleRun", "RuleRuns"]

RUN_TABLES: Final = (
    # Months: yyyymm, those whose hits were looked for.
    """create table rule_run(
        id integer primary key autoincrement,
        started_at text not null,
        ended_at text,
        book_digest blob not null,
        knowledge_digest blob not null,
        first_month integer not null,
        last_month integer not null
    ) strict""",
    # error: empty where the rule came to its end.
    """create table rule_outcome(
        run integer not null references rule_run(id),
        rule text not null,
        hits integer not null,
        new integer not null,
        gone integer not null,
        ms integer not null,
        error text not null,
        primary key(run, rule)
    ) strict, without rowid""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that begins."""

    started_at: str
    """ISO 8601, UTC."""
    book_digest: bytes
    """Digest of the rule book, 32 bytes."""
    knowledge_digest: bytes
    """Digest of the knowledge in force, 32 bytes."""
    first_month: int
    """yyyymm."""
    last_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleOutcome:
    """What came of one rule in one run."""

    rule: str
    hits: int
    """Hits it found, also those that were known."""
    new: int
    """Hits that no run had found before."""
    gone: int
    """Hits that were there before and were not found again."""
    ms: int
    error: str
    """Why it was stopped; empty where it came to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRun:
    """A run as it is kept."""

    id: int
    run: NewRun
    ended_at: str | None
    """None: interrupted, or at work."""
    outcomes: Mapping[str, RuleOutcome]
    """By rule."""


class RuleRuns:
    """Tables ``rule_run`` and ``rule_outcome``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def begin(self, run: NewRun) -> int:
        """Add a run; inside the caller's transaction.

        Returns:
            Its number.
        """
        cursor = self._connection.execute(
            "insert into rule_run(started_at, book_digest, knowledge_digest, first_month,"
            " last_month) values(?, ?, ?, ?, ?)",
            (
                run.started_at,
                run.book_digest,
                run.knowledge_digest,
                run.first_month,
                run.last_month,
            ),
        )
        return int(cursor.lastrowid or 0)

    def put(self, run: int, outcome: RuleOutcome) -> None:
        """Add what came of a rule; inside the caller's transaction."""
        self._connection.execute(
            "insert or replace into rule_outcome values(?, ?, ?, ?, ?, ?, ?)",
            (
                run,
                outcome.rule,
                outcome.hits,
                outcome.new,
                outcome.gone,
                outcome.ms,
                printable(outcome.error),
            ),
        )

    def end(self, run: int, ended_at: str) -> None:
        """Note that a run came to its end; inside the caller's transaction."""
        self._connection.execute("update rule_run set ended_at = ? where id = ?", (ended_at, run))

    def newest(self, limit: int) -> tuple[RuleRun, ...]:
        """List runs, the newest first."""
        cursor = self._connection.execute(
            "select id, started_at, book_digest, knowledge_digest, first_month, last_month,"
            " ended_at from rule_run order by id desc limit ?",
            (limit,),
        )
        return tuple(
            RuleRun(
                id=row[0],
                run=NewRun(
                    started_at=row[1],
                    book_digest=row[2],
                    knowledge_digest=row[3],
                    first_month=row[4],
                    last_month=row[5],
                ),
                ended_at=row[6],
                outcomes=self._outcomes(row[0]),
            )
            for row in cursor.fetchall()
        )

    def _outcomes(self, run: int) -> dict[str, RuleOutcome]:
        cursor = self._connection.execute(
            "select rule, hits, new, gone, ms, error from rule_outcome where run = ? order by rule",
            (run,),
        )
        return {
            row[0]: RuleOutcome(
                rule=row[0], hits=row[1], new=row[2], gone=row[3], ms=row[4], error=row[5]
            )
            for row in cursor
        }
