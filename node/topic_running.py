"""Counting measures and running topics, as a process of its own over a snapshot of the records.

Rules:
- One at a time, by a lock of its own: what it counts is in a file of its own, so the daemon,
  ingest and the interface go on meanwhile.
- Whoever has persons shown unmasked is noted in the log of operators before they are.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from node.app import opened
from node.config import NODE_KEY
from node.errors import ConfigurationError
from node.jobs import NodeJobs
from node.pack_jobs import standing_of
from node.retention import frozen_through
from node.store import LogEntry
from node.store.findings import Findings
from node.store.month_rows import MonthRows
from node.supervision.counting import CountReport, count_months
from node.supervision.hit_tables import hits_of
from node.supervision.noticing import Noticing
from node.supervision.topics import TopicDesk
from scoring_kernel.supervision import Topic
from scoring_kernel.supervision.loading import Supervision, load_supervision
from scoring_kernel.supervision.telling import told_indicators, told_topic
from security.at_rest import Vault
from security.moments import SHANGHAI
from security.operator import writer_lock
from security.progress import ProgressReporter

__all__ = ["TopicWish", "run_indicators", "run_topics"]

TOPICS_LOCK: Final = "topics.lock"
MAX_TOLD: Final = 5_000
"""Indicators of subjects that are told at once."""
_TAG_DIGITS: Final = 8

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicWish:
    """What the operator asks for."""

    month: int | None = None
    """yyyymm; the last with records when None."""
    reveal_to: str | None = None
    """Operator who is to see persons unmasked; None for nobody."""
    topics: Sequence[str] = ()
    """Ids; all when empty."""
    kind: str = ""
    """Kind of subject whose indicators are wanted."""
    indicators: Sequence[str] = ()
    """Ids; all when empty."""
    subject: str | None = None
    """One subject; all when None."""


def run_topics(directory: Path, wish: TopicWish, progress: ProgressReporter) -> Result:
    """Count what changed, run topics, and keep what they find about somebody.

    Args:
        directory: State directory of the node.
        wish: Which topics and month, and for whom.
        progress: Told months and topics.

    Returns:
        What was counted, and what each topic found, as JSON.

    Raises:
        ConfigurationError: A topic or month is unknown.
        LockHeldError: Another run is at work.
        StoreError: The store failed; what was kept before stays.
    """
    with _counted(directory, wish, progress) as run:
        topics = _chosen(run.desk.supervision, wish.topics)
        month = run.month(wish.month)
        found = [] if month is None else run.desk.run(topics, month)
        with Findings(directory, Vault.load(directory / NODE_KEY)) as kept:
            noticed = Noticing(
                desk=run.desk,
                kept=kept,
                secret=run.jobs.store.supervision.secret(),
                at=run.jobs.now(),
            ).keep(found, run.kept_months())
        sources = run.jobs.catalog.legal_basis
        return run.told(month) | {
            "noticed": asdict(noticed),
            "topics": [told_topic(one, sources) for one in found],
        }


def run_indicators(directory: Path, wish: TopicWish, progress: ProgressReporter) -> Result:
    """Count what changed, then derive the indicators of one kind of subject.

    Raises:
        ConfigurationError: Kind, indicator, subject or month is unknown.
        LockHeldError: Another run is at work.
        StoreError: The store failed; what was kept before stays.
    """
    with _counted(directory, wish, progress) as run:
        supervision = run.desk.supervision
        if wish.kind not in supervision.indicators:
            raise ConfigurationError(
                f"{wish.kind[:20]!r} is no kind of subject; expected one of "
                f"{', '.join(supervision.indicators)}"
            )
        for one in wish.indicators:
            if one not in supervision.indicator_ids:
                raise ConfigurationError(f"{one[:20]!r} is no indicator; expected I001 to I489")
        month = run.month(wish.month)
        if month is None:
            return run.told(month) | {"indicators": [], "found": 0}
        table = run.desk.indicators(wish.kind, month)
        show = run.desk.mask if wish.kind == "person" else str
        units = run.jobs.catalog.units
        told = told_indicators(table, units, only=wish.indicators, subject=wish.subject, show=show)
        if wish.subject is not None and not told:
            raise ConfigurationError(f"{show(wish.subject)[:40]!r} has no records in {month}")
        return run.told(month) | {"indicators": told[:MAX_TOLD], "found": len(told)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A node whose measures are up to date."""

    jobs: NodeJobs
    desk: TopicDesk
    report: CountReport

    def month(self, wanted: int | None) -> int | None:
        """The month asked for, else the last; None where nothing is counted."""
        months = self.report.months
        if wanted is None:
            return months[-1] if months else None
        if wanted not in months:
            held = f"{months[0]} to {months[-1]}" if months else "no month"
            raise ConfigurationError(f"{wanted} holds no records; this node has {held}")
        return wanted

    def kept_months(self) -> tuple[int, ...]:
        """Counted months whose findings may still be kept."""
        today = self.jobs.now().astimezone(SHANGHAI).date()
        retention = self.jobs.catalog.joining.node_clues
        return tuple(one for one in self.report.months if not retention.is_over(one, today))

    def told(self, month: int | None) -> Result:
        """What was counted."""
        return {
            "month": month,
            "months": list(self.report.months),
            "counted": self.report.counted,
            "unchanged": self.report.unchanged,
        }


@contextmanager
def _counted(directory: Path, wish: TopicWish, progress: ProgressReporter) -> Iterator[_Run]:
    with (
        writer_lock(directory, TOPICS_LOCK, "counting the measures of"),
        opened(directory, writer=False) as jobs,
        MonthRows(directory, Vault.load(directory / NODE_KEY)) as kept,
    ):
        standing_of(jobs).verify_scored()
        if wish.reveal_to is not None:
            _note_reveal(jobs, wish.reveal_to)
        supervision = load_supervision(jobs.catalog)
        report = count_up(jobs, kept, supervision, progress)
        desk = TopicDesk(
            kept=kept,
            supervision=supervision,
            peers={one.code: f"{one.level}/{one.type}" for one in jobs.store.institutions()},
            grades=[
                (one.period, one.subject_class, one.subject, one.grade, one.total_centi)
                for one in jobs.scores.prescores()
            ],
            mask=str if wish.reveal_to is not None else _tagging(jobs.store.supervision.secret()),
        )
        yield _Run(jobs=jobs, desk=desk, report=report)


def count_up(
    jobs: NodeJobs, kept: MonthRows, supervision: Supervision, progress: ProgressReporter
) -> CountReport:
    """Bring a node's measures of supervision up to date.

    Args:
        jobs: The node's parts.
        kept: Its measures; the caller holds their lock.
        supervision: Measure sets.
        progress: Told months.
    """
    frozen = jobs.store.frozen_months()
    today = jobs.now().astimezone(SHANGHAI).date()
    return count_months(
        jobs.store,
        kept,
        supervision,
        jobs.catalog.records,
        hits_of(jobs.store.supervision),
        this_month=today.year * 100 + today.month,
        frozen=frozen_through(
            month for kind in supervision.kinds(supervision.sets) for month in frozen.get(kind, ())
        ),
        progress=progress,
    )


def _chosen(supervision: Supervision, names: Sequence[str]) -> list[Topic]:
    for name in names:
        if name not in supervision.topics:
            raise ConfigurationError(
                f"{name[:20]!r} is no topic; list them with: yixin node topics list"
            )
    return [one for one in supervision.topics.values() if not names or one.id in names]


def _note_reveal(jobs: NodeJobs, operator: str) -> None:
    if not operator:
        raise ConfigurationError("no login name found: name yourself with --operator")
    at = jobs.now().isoformat(timespec="seconds")
    entry = LogEntry(at=at, operator=operator, action="topics_reveal", subject="topics")
    jobs.store.desk.note(entry)


def _tagging(secret: bytes) -> Callable[[str], str]:
    """Tags under the node's key: the same person has the same one, nobody can try names out."""

    def tag(text: str) -> str:
        state = hashlib.blake2b(text.encode(), digest_size=8, key=secret, person=b"yixin/topics")
        return f"#{state.hexdigest()[:_TAG_DIGITS]}"

    return tag
