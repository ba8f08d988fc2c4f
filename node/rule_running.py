"""A run of the rules, as a process of its own: it reads a snapshot, the daemon keeps what it finds.

Rules:
- One run at a time, by a lock of its own; ingest and the interface go on meanwhile.
- The run holds the memory, not the daemon; the daemon gets hits a few hundred at a time, sealed.
- Where no daemon runs, the run takes the writer's lock and keeps its hits itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from node.app import opened
from node.config import CONTROL_SOCKET, LOCK_FILE
from node.errors import ConfigurationError
from node.jobs import NodeJobs
from node.pack_jobs import standing_of
from node.retention import frozen_through
from node.rule_jobs import packed
from node.store.hits import SealedHit
from node.store.rule_runs import NewRun, RuleOutcome
from node.supervision.batch import ALL_MONTHS, HitSink, RunOrder, run_rules
from node.supervision.budget import Budget
from scoring_kernel.rules import Rule, RuleBook, load_rules
from security.local_channel import DaemonAbsentError, call_daemon
from security.local_socket import probe_socket
from security.operator import when_free, writer_lock
from security.progress import ProgressReporter

__all__ = ["RULES_LOCK", "RunWish", "run_node_rules"]

RULES_LOCK: Final = "rules.lock"

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWish:
    """What the operator asks for."""

    rules: Sequence[str] = ()
    """Ids; every monitoring rule when empty."""
    first_month: int = ALL_MONTHS[0]
    last_month: int = ALL_MONTHS[1]
    budget: Budget


def run_node_rules(directory: Path, wish: RunWish, progress: ProgressReporter) -> Result:
    """Run rules over a node's records and keep what they find.

    Args:
        directory: State directory of the node.
        wish: Which rules, for which months, within which budget.
        progress: Told rules.

    Returns:
        Number of the run and what came of each rule, as JSON.

    Raises:
        ConfigurationError: A rule is unknown, or has nothing to run.
        LockHeldError: Another run is at work; or another writer, and no daemon.
        StoreError: The store failed; what was kept before stays.
    """
    socket = directory / CONTROL_SOCKET

    def look() -> Result:
        try:
            probe_socket(socket)
        except DaemonAbsentError:
            with writer_lock(directory, LOCK_FILE), opened(directory) as jobs:
                return _run(jobs, jobs.store.supervision, wish, progress)
        with opened(directory, writer=False) as jobs:
            return _run(jobs, _DaemonSink(socket=socket), wish, progress)

    with writer_lock(directory, RULES_LOCK, "running the rules over"):
        return when_free(look)


def _run(jobs: NodeJobs, sink: HitSink, wish: RunWish, progress: ProgressReporter) -> Result:
    standing_of(jobs).verify_scored()
    book = load_rules(jobs.catalog)
    rules = _chosen(book, wish.rules)
    frozen = jobs.store.frozen_months()
    report = run_rules(
        jobs.store,
        jobs.store.supervision,
        sink,
        book,
        RunOrder(
            rules=rules,
            kinds=frozenset(jobs.store.schemas),
            first_month=wish.first_month,
            last_month=wish.last_month,
            gone_after=frozen_through(
                month for kind in book.kinds(rules) for month in frozen.get(kind, ())
            ),
            budget=wish.budget,
        ),
        now=jobs.now,
        progress=progress,
    )
    return {
        "run": report.run,
        "rules": [
            asdict(one) | {"name_zh": rule.name_zh, "verdict": rule.verdict}
            for one, rule in zip(report.outcomes, rules, strict=True)
        ],
        "stopped": [one.rule for one in report.stopped],
    }


def _chosen(book: RuleBook, names: Collection[str]) -> tuple[Rule, ...]:
    runnable = {one.id: one for one in book.runnable}
    if not names:
        # A warning is given before or while a visit goes on: afterwards it runs when it is named.
        return tuple(one for one in runnable.values() if one.set != "warning")
    for name in names:
        if name not in runnable:
            what = "has no form that runs afterwards" if name in book.rules else "is no rule"
            raise ConfigurationError(f"{name[:20]!r} {what}; list them with: yixin rules list")
    return tuple(one for one in runnable.values() if one.id in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DaemonSink:
    """Hands what a run finds to the daemon."""

    socket: Path

    def begin(self, run: NewRun) -> int:
        answer = self._call(
            "rules_begin",
            asdict(run)
            | {
                "book_digest": run.book_digest.hex(),
                "knowledge_digest": run.knowledge_digest.hex(),
            },
        )
        return int(answer["run"])

    def keep(
        self, run: int, rule: str, changed: Sequence[SealedHit], same: Collection[bytes]
    ) -> None:
        self._call(
            "rules_keep",
            {
                "run": run,
                "rule": rule,
                "changed": [packed(one) for one in changed],
                "same": [one.hex() for one in same],
            },
        )

    def sweep(self, run: int, rule: str, first_month: int, last_month: int) -> int:
        arguments = {
            "run": run,
            "rule": rule,
            "first_month": first_month,
            "last_month": last_month,
        }
        return int(self._call("rules_sweep", arguments)["gone"])

    def note(self, run: int, outcome: RuleOutcome) -> None:
        self._call("rules_note", {"run": run, "outcome": asdict(outcome)})

    def end(self, run: int, ended_at: str) -> None:
        self._call("rules_end", {"run": run, "ended_at": ended_at})

    def _call(self, command: str, arguments: Mapping[str, Any]) -> Result:
        return call_daemon(self.socket, command, dict(arguments))
