"""Judging one encounter (事前事中审核): which rules are asked at a scene, and what they find.

Rules:
- A warning asks the live forms of the rules that it uses, then its own, which speaks where none
  of those did.
- A rule's parameters are those of the day on which a hit lies; one that is not in force then
  finds nothing.
- What cannot be judged is told by rule, with its reason, beside what was found: a form that lacks
  what it needs, one that failed, and all that is left when the time is up. Nothing is raised.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scoring_kernel.rules.live.case import Case, NotJudgedError
from scoring_kernel.rules.live.encounter import DAY_S, date_of
from scoring_kernel.rules.live.forms import FORMS, OWN_TRIGGERS, PREFIX_TABLES, TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from scoring_kernel.rules.book import RuleBook
    from scoring_kernel.rules.live.case import Form, Hit
    from scoring_kernel.rules.live.encounter import Encounter
    from scoring_kernel.rules.live.knowledge import KnowledgeIndex
    from scoring_kernel.rules.live.known import Known
    from scoring_kernel.rules.rule import Rule, Value

__all__ = ["Finding", "Judgement", "LiveRules", "Missing"]

_WARN: Final = "warn"
_LATE: Final = "the time is up"
_FAULT: Final = "a fault of this program"
_MAX_MEMO: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to tell whoever asked."""

    warning: str
    """The warning (W01 to W11), or the rule itself where no warning uses it."""
    rule: Rule
    version: str
    """First day of the rule's parameters in force, or ``-``."""
    answer: str
    """``warn`` or ``block``, as the warning's file has it."""
    hit: Hit = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A rule that was asked and not judged."""

    warning: str
    rule: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Judgement:
    """What came of one encounter."""

    findings: list[Finding] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list, repr=False)
    """What failed unforeseen, for the log; a text may quote a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    warning: str
    rule: Rule
    form: Form
    answer: str
    is_own: bool
    """True for the warning's own form."""
    is_by_code: bool = False
    """Whether it is asked only about items of ``codes``, whole or, with lengths, by prefix."""
    codes: frozenset[str] = frozenset()
    lengths: tuple[int, ...] = ()


class LiveRules:
    """A rule book and knowledge, made ready for judging; safe to share between threads."""

    def __init__(self, book: RuleBook, knowledge: KnowledgeIndex) -> None:
        """Make ready.

        Args:
            book: The rules.
            knowledge: The knowledge in force.
        """
        self._knowledge = knowledge
        self._rules = book.rules
        self._steps = tuple(_about(step, knowledge) for step in _steps(book))
        self._triggers = {
            rule.id: OWN_TRIGGERS.get(rule.id, rule.triggers) for rule in book.rules.values()
        }
        self._plans: dict[tuple[str, tuple[str, ...], frozenset[str]], tuple[_Step, ...]] = {}
        self._held: dict[
            tuple[str, tuple[int, ...]], tuple[tuple[str, Mapping[str, Value]], ...]
        ] = {}

    def plan(
        self, infno: str, scenes: tuple[str, ...], only: frozenset[str] = frozenset()
    ) -> tuple[tuple[str, str], ...]:
        """List the (warning, rule) that are asked at a scene."""
        return tuple((one.warning, one.rule.id) for one in self._plan(infno, scenes, only))

    def hits(
        self, rule: str, encounter: Encounter, known: Known | None
    ) -> tuple[tuple[str, Hit], ...]:
        """What the live form of one rule finds, with the version of its parameters.

        Raises:
            KeyError: The rule has no live form, or is not in the book.
            NotJudgedError: The form lacks what it needs.
        """
        one = self._rules[rule]
        step = _step(rule, one, _WARN, is_own=True)
        case = Case(encounter=encounter, known=known, knowledge=self._knowledge)
        return tuple(self._hits(step, case, _days(encounter)))

    def judge(
        self,
        encounter: Encounter,
        known: Known | None,
        infno: str,
        scenes: tuple[str, ...],
        *,
        only: frozenset[str] = frozenset(),
        off: Collection[str] = (),
        is_late: Callable[[], bool] = lambda: False,
    ) -> Judgement:
        """Judge an encounter.

        Args:
            encounter: The encounter.
            known: What is known around it; None where nothing can be.
            infno: ``3101`` or ``3102``.
            scenes: Codes of trig_scen.
            only: Rules or warnings that are asked for; empty for all of the scene.
            off: Warnings and rules that are switched off.
            is_late: Tells whether the time is up; asked before each rule.
        """
        found = Judgement()
        case = Case(encounter=encounter, known=known, knowledge=self._knowledge)
        days = _days(encounter)
        codes = {order.item_code for order in encounter.orders}
        spoken: dict[str, set[str | None]] = {}
        late = False
        for step in self._plan(infno, scenes, only):
            if step.warning in off or step.rule.id in off or not _concerns(step, codes):
                continue
            late = late or is_late()
            if late:
                found.missing.append(_missing(step, _LATE))
                continue
            try:
                hits = [*self._hits(step, case, days)]
            except NotJudgedError as error:
                found.missing.append(_missing(step, str(error)))
            except Exception as error:  # noqa: BLE001  # the till must not suffer from a fault of ours
                found.missing.append(_missing(step, _FAULT))
                found.faults.append(error)
            else:
                said = spoken.setdefault(step.warning, set())
                for version, hit in hits:
                    if step.is_own and hit.key in said:
                        continue
                    said.add(hit.key)
                    found.findings.append(
                        Finding(
                            warning=step.warning,
                            rule=step.rule,
                            version=version,
                            answer=step.answer,
                            hit=hit,
                        )
                    )
        return found

    def _hits(self, step: _Step, case: Case, days: tuple[int, ...]) -> Iterable[tuple[str, Hit]]:
        """Ask a form with every version of its parameters that holds on some of the days."""
        for version, values in self._versions(step.rule, days):
            case.values = values
            for hit in step.form(case):
                if any(one[0] == version for one in self._versions(step.rule, (hit.at // DAY_S,))):
                    yield version, hit

    def _versions(
        self, rule: Rule, days: tuple[int, ...]
    ) -> tuple[tuple[str, Mapping[str, Value]], ...]:
        """Versions and parameters of a rule on some days; none where it is not in force."""
        key = (rule.id, days)
        found = self._held.get(key)
        if found is None:
            if len(self._held) > _MAX_MEMO:
                self._held.clear()
            versions = (_parameters(rule, day) for day in days)
            found = tuple(dict(one for one in versions if one is not None).items())
            self._held[key] = found
        return found

    def _plan(self, infno: str, scenes: tuple[str, ...], only: frozenset[str]) -> tuple[_Step, ...]:
        key = (infno, scenes, only)
        found = self._plans.get(key)
        if found is None:
            if len(self._plans) > _MAX_MEMO:
                self._plans.clear()
            found = tuple(
                step
                for step in self._steps
                # Without a scene the caller names its rules.
                if (scenes or only)
                and (not only or step.warning in only or step.rule.id in only)
                and self._is_asked(step.warning, infno, scenes)
            )
            self._plans[key] = found
        return found

    def _is_asked(self, warning: str, infno: str, scenes: tuple[str, ...]) -> bool:
        wanted = self._triggers[warning].get(infno, ())
        return bool(wanted) and (not scenes or any(scene in wanted for scene in scenes))


def _steps(book: RuleBook) -> Iterable[_Step]:
    for warning in sorted(book.rules.values(), key=lambda rule: rule.id):
        if warning.set != "warning":
            continue
        answer = warning.answer or _WARN
        for name in warning.forms_of:
            if name in FORMS and name in book.rules:
                yield _step(warning.id, book.rules[name], answer, is_own=False)
        if warning.id in FORMS:
            yield _step(warning.id, warning, answer, is_own=True)
    for name in OWN_TRIGGERS:
        if name in book.rules:
            yield _step(name, book.rules[name], _WARN, is_own=True)


def _about(step: _Step, knowledge: KnowledgeIndex) -> _Step:
    """Note of a step what items it is about."""
    rule = step.rule.id
    if rule in TABLES:
        return replace(step, is_by_code=True, codes=knowledge.codes(TABLES[rule]))
    if rule in PREFIX_TABLES:
        codes = knowledge.codes(PREFIX_TABLES[rule])
        lengths = tuple(sorted({len(code) for code in codes})) or (0,)
        return replace(step, is_by_code=True, codes=codes, lengths=lengths)
    return step


def _concerns(step: _Step, codes: Collection[str]) -> bool:
    """Whether a form can find something among orders of some items."""
    if step.lengths:
        return not all(
            step.codes.isdisjoint([code[:length] for code in codes]) for length in step.lengths
        )
    return not step.is_by_code or not step.codes.isdisjoint(codes)


def _step(warning: str, rule: Rule, answer: str, *, is_own: bool) -> _Step:
    return _Step(
        warning=warning,
        rule=rule,
        form=FORMS[rule.id],
        answer=answer,
        is_own=is_own,
    )


def _days(encounter: Encounter) -> tuple[int, ...]:
    """Days on which a hit may lie."""
    begun = encounter.now if encounter.begins_at is None else encounter.begins_at
    days = {encounter.now // DAY_S, begun // DAY_S}
    return tuple(sorted(days.union(order.day for order in encounter.orders)))


def _missing(step: _Step, reason: str) -> Missing:
    return Missing(warning=step.warning, rule=step.rule.id, reason=reason)


def _parameters(rule: Rule, day: int) -> tuple[str, Mapping[str, Value]] | None:
    held = rule.find_parameters(date_of(day))
    if held is None:
        return None
    version = max((one.begins.isoformat() for one in held.values()), default="-")
    values = {name: one.value for name, one in held.items() if one.value is not None}
    return version, values
