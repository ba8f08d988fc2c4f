"""Payment qualification by points (医保支付资格记分): a person's state on any day.

Rules, in the order in which one day's decisions are taken:

0. With the new year the points are 0. A running suspension or termination goes on.
1. A suspension ends with its term. A termination ends on the day of restoration (恢复、
   重新备案) that follows it, never before its term and never by itself. Both are over
   before the day's points count.
2. An act counts once in the city, with its highest points: a further decision on it adds
   only what exceeds the points it had. All decisions of one day are one step.
3. 12 points in one act terminate for the longer term, 12 points of the year for the
   shorter one. 9 and more of the year, or of an act that the day raised, suspend for the
   months of the decision, or of the ladder at that number.
4. A term never becomes shorter: a later day of ending wins.

Points follow the person to every institution. The order in which decisions arrive does
not matter.

Legal basis:
    ``nhsa_payment_qualification_2024``; the ladder of months within 1 to 6 is a proposal
    (``qualification_ladder_proposal``). All numbers are parameters of ``qualification.yaml``.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scoring_kernel.qualification_rules import QualificationRules, RulesOfDay


class Qualification(StrEnum):
    """State of the payment qualification (支付资格状态)."""

    NORMAL = "normal"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


class Step(StrEnum):
    """What can happen to a state."""

    POINTS = "points"
    """Points that reach no threshold."""
    SUSPENSION = "suspension"
    TERMINATION = "termination"
    TERM_ENDED = "term_ended"
    """A suspension's term has ended."""
    RESTORED = "restored"
    """A terminated person is registered again, after the term."""


TRANSITIONS: Final[Mapping[tuple[Qualification, Step], Qualification]] = {
    (Qualification.NORMAL, Step.POINTS): Qualification.NORMAL,
    (Qualification.NORMAL, Step.SUSPENSION): Qualification.SUSPENDED,
    (Qualification.NORMAL, Step.TERMINATION): Qualification.TERMINATED,
    (Qualification.SUSPENDED, Step.POINTS): Qualification.SUSPENDED,
    (Qualification.SUSPENDED, Step.SUSPENSION): Qualification.SUSPENDED,
    (Qualification.SUSPENDED, Step.TERMINATION): Qualification.TERMINATED,
    (Qualification.SUSPENDED, Step.TERM_ENDED): Qualification.NORMAL,
    (Qualification.TERMINATED, Step.POINTS): Qualification.TERMINATED,
    (Qualification.TERMINATED, Step.SUSPENSION): Qualification.TERMINATED,
    (Qualification.TERMINATED, Step.TERMINATION): Qualification.TERMINATED,
    (Qualification.TERMINATED, Step.RESTORED): Qualification.NORMAL,
}
"""Only a suspension ends with its term, only a termination by restoration; no other pair is
missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsDecision:
    """One decision that gives a person points (记分决定).

    Attributes:
        day: Day of the decision.
        points: Points of the decision, 1 to 12.
        act: Id of the act, unique in the city; decisions on one act do not add up.
        suspended_months: Months of suspension that the decision names; None for the ladder's.
        restored: Day on which the person was registered again; None where not known.
    """

    day: date
    points: int
    act: str
    suspended_months: int | None = None
    restored: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualificationState:
    """A person's qualification on a day.

    Attributes:
        state: Normal, suspended or terminated.
        points: Points of the calendar year, at most the cap.
        until: First day after the term; None while normal. A termination goes on after it
            until the person is restored.
        points_left: Points left of the cap, 0 while suspended or terminated.
    """

    state: Qualification
    points: int
    until: date | None
    points_left: int

    @property
    def is_barred(self) -> bool:
        """Whether what the person orders is not paid by the fund."""
        return self.state is not Qualification.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class _DayOfPoints:
    """Points that one day's decisions add, and the most that one of their acts has."""

    day: date
    gained: int
    most: int
    months: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    state: Qualification = Qualification.NORMAL
    until: date | None = None
    since: date | None = None
    """Day of the last termination."""
    year: int = 0
    points: int = 0


def state_on(
    decisions: Iterable[PointsDecision], day: date, rules: QualificationRules
) -> QualificationState:
    """Tell a person's qualification on a day.

    Args:
        decisions: Decisions about one person, in any order; later ones are ignored, and
            so are those from before the rules came into force.
        day: The day asked for.
        rules: Thresholds and terms with their days in force.

    Returns:
        The state at the end of the day.

    Raises:
        KernelInputError: A decision has points or months outside the rules.
        ParameterNotInForceError: The rules have no values on the day.
    """
    counted = sorted(
        (one for one in decisions if rules.since <= one.day <= day), key=lambda one: one.day
    )
    restored = sorted({one.restored for one in counted if one.restored is not None})
    record = _Record()
    highest: dict[str, int] = {}
    for on, group in groupby(counted, key=lambda one: one.day):
        found = list(group)
        numbers = rules.on(on)
        _refuse_foreign(found, numbers)
        before = dict(highest)
        for one in found:
            highest[one.act] = max(highest.get(one.act, 0), one.points)
        raised = {act: most for act, most in highest.items() if most > before.get(act, 0)}
        if raised:
            gained = sum(most - before.get(act, 0) for act, most in raised.items())
            named = [one.suspended_months for one in found if one.suspended_months is not None]
            record = _count(
                _until(record, on, restored),
                _DayOfPoints(
                    day=on,
                    gained=gained,
                    most=max(raised.values()),
                    months=max(named, default=None),
                ),
                numbers,
            )
    record = _until(record, day, restored)
    barred = record.state is not Qualification.NORMAL
    left = 0 if barred else rules.on(day).cap - record.points
    return QualificationState(
        state=record.state,
        points=record.points,
        until=record.until,
        points_left=left,
    )


def is_barred_within(
    decisions: Sequence[PointsDecision], first: date, last: date, rules: QualificationRules
) -> bool:
    """Tell whether a person was suspended or terminated on any day of a span.

    Args:
        decisions: Decisions about one person, in any order.
        first: First day; days before the rules bar nobody.
        last: Last day.
        rules: Thresholds and terms with their days in force.

    Raises:
        KernelInputError: A decision has points or months outside the rules.
        ParameterNotInForceError: The rules have no values on a day.
    """
    first = max(first, rules.since)
    # Only a decision bars: the first day and the days of decisions tell about all others.
    days = {first, *(one.day for one in decisions if first <= one.day <= last)}
    return any(state_on(decisions, day, rules).is_barred for day in sorted(days))


def add_months(day: date, months: int) -> date:
    """Same day some months later, or the last day of a shorter month.

    >>> add_months(date(2026, 8, 31), 6)
    datetime.date(2027, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _refuse_foreign(decisions: Sequence[PointsDecision], rules: RulesOfDay) -> None:
    for one in decisions:
        if not 1 <= one.points <= rules.cap:
            raise KernelInputError(
                f"decision on act {one.act[:60]!r} of {one.day}: {one.points} points, expected "
                f"1 to {rules.cap}: correct the decision"
            )
        months, longest = one.suspended_months, max(rules.ladder.values())
        if months is not None and not 1 <= months <= longest:
            raise KernelInputError(
                f"decision on act {one.act[:60]!r} of {one.day}: suspension of {months} months, "
                f"expected 1 to {longest}: correct the decision"
            )


def _until(record: _Record, day: date, restored: Sequence[date]) -> _Record:
    """Let time pass up to a day: 0. the year's points, 1. the term or the restoration."""
    points = record.points if record.year == day.year else 0
    record = replace(record, year=day.year, points=points)
    if record.until is None or day < record.until:
        return record
    step = Step.TERM_ENDED
    if record.since is not None:
        step = Step.RESTORED
        if not any(record.since < one <= day for one in restored):
            return record
    return _Record(state=TRANSITIONS[record.state, step], year=day.year, points=points)


def _count(record: _Record, given: _DayOfPoints, rules: RulesOfDay) -> _Record:
    """Count the points of one day: 3. thresholds, 4. terms."""
    points = min(record.points + given.gained, rules.cap)
    step, term = Step.POINTS, 0
    if given.most >= rules.cap:
        step, term = Step.TERMINATION, rules.one_act_months
    elif record.points < rules.cap <= points:
        step, term = Step.TERMINATION, rules.cumulative_months
    elif rules.suspends_from <= (reached := max(points, given.most)) < rules.cap:
        step = Step.SUSPENSION
        term = rules.ladder[reached] if given.months is None else given.months
    state = TRANSITIONS[record.state, step]
    until = record.until
    since = given.day if step is Step.TERMINATION else record.since
    if step is Step.TERMINATION or (step is Step.SUSPENSION and state is Qualification.SUSPENDED):
        ends = add_months(given.day, term)
        until = ends if until is None else max(until, ends)
    return replace(record, state=state, until=until, since=since, points=points)
