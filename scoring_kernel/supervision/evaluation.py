"""Indicators of one month: values, changes and deviations of every subject.

0. Who is a subject: whoever has a row of the month in a set that says so.
1. Values of the window and of the two it is compared with, by formula.
2. Changes: ``(now - before) / before``; none where before is missing or not positive.
3. Deviations among peers: at least so many with a value, by the dated parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scoring_kernel.subject_ids import INSTITUTION
from scoring_kernel.supervision.formulas import Deviation, outcomes_of
from scoring_kernel.supervision.frames import Frame, subjects_of
from scoring_kernel.supervision.outcomes import (
    NO_BASE,
    NO_PEERS,
    NO_SPREAD,
    ZERO_BASE,
    Outcome,
    Reason,
)
from scoring_kernel.supervision.spans import Span
from scoring_kernel.supervision.values import quotient, robust_z

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.supervision.frames import Monthly, Stated
    from scoring_kernel.supervision.indicators import BaseIndicator, SubjectIndicators
    from scoring_kernel.supervision.sets import SupervisionSet


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorRow:
    """One base indicator of every subject, with what is derived of it."""

    base: BaseIndicator
    outcomes: Mapping[str, Sequence[Outcome]] = field(repr=False)
    """By derivation, one per subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorTable:
    """All indicators of one kind of subject in one month."""

    subject: str
    month: int
    """yyyymm."""
    subjects: tuple[str, ...] = field(repr=False)
    rows: tuple[IndicatorRow, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Who is compared with whom."""

    groups: Mapping[str, str] = field(repr=False)
    """Group by subject, where a register says it."""
    least: int
    """Least number of values of a group that are compared."""


def window(kind: str, month: int) -> tuple[int, ...]:
    """Months of a window that ends with a month.

    >>> window("month", 202603), window("year", 202603)
    ((202603,), (202601, 202602, 202603))
    >>> window("half", 202602)
    (202509, 202510, 202511, 202512, 202601, 202602)
    """
    if kind == "half":
        return tuple(earlier(month, back) for back in range(5, -1, -1))
    first = month if kind == "month" else month // 100 * 100 + 1
    return tuple(range(first, month + 1))


def earlier(month: int, months: int = 1) -> int:
    """The month so many months before another.

    >>> earlier(202601), earlier(202603, 12)
    (202512, 202503)
    """
    count = month // 100 * 12 + month % 100 - 1 - months
    return count // 12 * 100 + count % 12 + 1


def previous(kind: str, month: int) -> tuple[int, ...]:
    """Window before: of a year's window that up to the month before, none in January.

    >>> previous("month", 202601), previous("year", 202601), previous("year", 202603)
    ((202512,), (), (202601, 202602))
    """
    return window(kind, month)[:-1] if kind == "year" else window(kind, earlier(month))


def months_needed(month: int) -> tuple[int, ...]:
    """Months whose rows the indicators of a month may read, ascending."""
    back = {earlier(month, months) for months in (*range(7), *range(12, 19))}
    return tuple(sorted(back.union(window("year", month), window("year", month - 100))))


def indicators_of(
    of: SubjectIndicators,
    sets: Mapping[str, SupervisionSet],
    monthly: Monthly,
    month: int,
    peers: Peers,
    *,
    stated: Stated | None = None,
) -> IndicatorTable:
    """Derive the indicators of one kind of subject.

    Args:
        of: The kind of subject and its base indicators.
        sets: Measure sets by id.
        monthly: Rows by set and month; what was not counted is absent.
        month: The month, yyyymm.
        peers: Who is compared with whom.
        stated: Institutions that are stated, by set and month; None where one node counts all.
    """
    subjects = [of.subject]
    everybody = subjects
    if of.subject_sets:
        named = of.subject_sets, monthly, of.key, of.prefix
        subjects = subjects_of(*named, (month,))
        # A share of growth is of everybody's growth: of those too who are gone since.
        everybody = subjects_of(*named, months_needed(month))
    of_institutions = of.key == INSTITUTION and bool(of.subject_sets)
    frame = Frame(sets, monthly, of.key, everybody, stated if of_institutions else None)
    held = frozenset(subjects)
    places = [at for at, one in enumerate(everybody) if one in held]
    groups = [_group(of.peers, one, peers) for one in subjects]
    rows = tuple(
        IndicatorRow(
            base=base, outcomes=_derived(base, frame, places, month, (groups, peers.least))
        )
        for base in of.bases
    )
    return IndicatorTable(subject=of.subject, month=month, subjects=tuple(subjects), rows=rows)


def _derived(
    base: BaseIndicator,
    frame: Frame,
    places: Sequence[int],
    month: int,
    among: tuple[Sequence[str], int],
) -> dict[str, Sequence[Outcome]]:
    def at(end: int) -> list[Outcome]:
        span = Span(
            frame=frame, months=window(base.window, end), previous=previous(base.window, end)
        )
        found = outcomes_of(base.formula, base.gate, span)
        kept = [found[place] for place in places]
        return deviations(kept, *among) if isinstance(base.formula, Deviation) else kept

    now = at(month)
    if base.value_only:
        return {"value": now}
    last = previous(base.window, month)
    nothing: list[Outcome] = [NO_BASE] * len(now)
    return {
        "value": now,
        "yoy": changes(now, at(earlier(month, 12))),
        "mom": changes(now, at(last[-1]) if last else nothing),
        "z": deviations(now, *among),
    }


def changes(now: Sequence[Outcome], then: Sequence[Outcome]) -> list[Outcome]:
    """Changes (增长率) against another window, millionths.

    Args:
        now: Outcomes of the window.
        then: Outcomes of the window it is compared with.

    >>> changes([3_000_000, 1], [2_000_000, 0])[0]
    500000
    """
    found: list[Outcome] = []
    for one, base in zip(now, then, strict=True):
        if isinstance(one, Reason):
            found.append(one)
        elif isinstance(base, Reason):
            found.append(NO_BASE)
        else:
            found.append(quotient(one - base, base) if base > 0 else ZERO_BASE)
    return found


def deviations(now: Sequence[Outcome], groups: Sequence[str], least: int) -> list[Outcome]:
    """Robust z of every value among those of its group, millionths.

    Args:
        now: Outcomes.
        groups: Group of each.
        least: Least number of values of a group that are compared.
    """
    members: dict[str, list[tuple[int, int]]] = {}
    found: list[Outcome] = list(now)
    for at, one in enumerate(now):
        if not isinstance(one, Reason):
            found[at] = NO_PEERS
            members.setdefault(groups[at], []).append((at, one))
    for held in members.values():
        if len(held) < least:
            continue
        scores = robust_z([value for _, value in held])
        for rank, (at, _) in enumerate(held):
            found[at] = NO_SPREAD if scores is None else scores[rank]
    return found


def _group(kind: str, subject: str, peers: Peers) -> str:
    if kind == "register":
        return peers.groups.get(subject, subject)
    return subject[:1] if kind == "letter" else ""
