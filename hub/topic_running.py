"""Topics at a hub as a command runs them: beside the daemon, over one reading transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hub.app import HubApp
from hub.errors import ConfigurationError
from hub.parts import HubParts
from hub.store.engine import reading
from hub.supervision.topics import HubTopics
from scoring_kernel.supervision.loading import load_supervision
from scoring_kernel.supervision.telling import told_absent, told_indicators, told_topic
from security.progress import ProgressReporter

__all__ = ["TopicWish", "run_indicators", "run_topics"]

MAX_TOLD: Final = 5_000
"""Indicators of subjects that are told at once."""

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicWish:
    """What the operator asks for."""

    month: int | None = None
    """yyyymm; the last stated when None."""
    topics: Sequence[str] = ()
    """Ids; all when empty."""
    kind: str = ""
    """Kind of subject whose indicators are wanted."""
    indicators: Sequence[str] = ()
    """Ids; all when empty."""
    subject: str | None = None
    """One subject; all when None."""


def run_topics(directory: Path, wish: TopicWish, progress: ProgressReporter) -> Result:
    """Run topics over what members stated.

    Args:
        directory: State directory of the hub.
        wish: Which topics and month.
        progress: Told the one stage there is.

    Returns:
        What each topic found, or why it cannot be run here, as JSON.

    Raises:
        ConfigurationError: A topic or month is unknown.
        HubStoreError: A topic's SQL fails.
    """
    with _opened(directory) as (parts, desk):
        known = desk.supervision.topics
        for name in wish.topics:
            if name not in known:
                raise ConfigurationError(
                    f"{name[:20]!r} is no topic; list them with `yixin hub topics list`."
                )
        month = _month(desk, wish.month)
        progress("topics", 0, 0, "")
        told: list[Result] = []
        for topic in known.values():
            if wish.topics and topic.id not in wish.topics:
                continue
            absence = desk.absence(topic)
            if absence is not None:
                told.append(told_absent(topic, absence))
                continue
            (found,) = desk.run([topic], month or _month_of(parts))
            told.append(told_topic(found, parts.catalog.legal_basis))
        return {"month": month, "months": list(desk.months()), "topics": told}


def run_indicators(directory: Path, wish: TopicWish, progress: ProgressReporter) -> Result:
    """Derive the indicators of one kind of subject from what members stated.

    Raises:
        ConfigurationError: Kind, indicator, subject or month is unknown.
    """
    with _opened(directory) as (parts, desk):
        supervision = desk.supervision
        of = supervision.indicators.get(wish.kind)
        if of is None or not set(of.subject_sets) <= supervision.stated.keys():
            raise ConfigurationError(
                f"{wish.kind[:20]!r} has no indicators at a hub; expected institution, physician, "
                "pharmacy or region."
            )
        for one in wish.indicators:
            if one not in supervision.indicator_ids:
                raise ConfigurationError(f"{one[:20]!r} is no indicator; expected I001 to I489.")
        month = _month(desk, wish.month)
        if month is None:
            return {"month": None, "indicators": [], "found": 0}
        progress("indicators", 0, 0, "")
        table = desk.indicators(wish.kind, month)
        units = parts.catalog.units
        told = told_indicators(table, units, only=wish.indicators, subject=wish.subject)
        if wish.subject is not None and not told:
            raise ConfigurationError(f"{wish.subject[:40]!r} is not stated in {month}.")
        return {"month": month, "indicators": told[:MAX_TOLD], "found": len(told)}


@contextmanager
def _opened(directory: Path) -> Iterator[tuple[HubParts, HubTopics]]:
    with (
        HubApp(directory).opened(writer=False) as parts,
        reading(parts.engine) as connection,
    ):
        yield (
            parts,
            HubTopics(
                connection=connection,
                statements=parts.statements,
                supervision=load_supervision(parts.catalog),
            ),
        )


def _month(desk: HubTopics, wanted: int | None) -> int | None:
    months = desk.months()
    if wanted is None:
        return months[-1] if months else None
    if wanted not in months:
        held = f"{months[0]} to {months[-1]}" if months else "no month"
        raise ConfigurationError(f"{wanted} was not stated; this hub has {held}.")
    return wanted


def _month_of(parts: HubParts) -> int:
    """Today's month: what a topic about grades alone is told for."""
    today = parts.now()
    return today.year * 100 + today.month
