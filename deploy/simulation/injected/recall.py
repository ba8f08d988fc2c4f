"""How well rules find what was injected: recall and false alarms of each rule.

Rules:
- a case is found when a hit of its rule names its institution and, where the case says them,
  its visit, its key and its amount;
- a near miss that its rule hits is a false alarm, and so is a hit on a visit in which nothing
  was injected for any rule and no misconduct happened; a hit of one rule on a case of another, or
  on a misconduct, is counted apart: they may break several rules.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.simulation.injected.truth import CASE, MISCONDUCT, NEAR_MISS, Injected

__all__ = ["Found", "RuleRecall", "measure_recall", "read_truth"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One hit, as far as recall asks."""

    rule: str
    institution: str
    visits: Collection[str]
    keys: Collection[str]
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRecall:
    """How one rule did."""

    rule: str
    cases: int
    found: int
    wrong_amounts: int
    """Found cases whose amount is another than the case says."""
    near_misses: int
    near_hits: int
    """Near misses that were hit."""
    clean_hits: int
    """Hits on what nothing was injected into."""
    other_hits: int
    """Hits on cases of other rules, and on misconduct."""
    missed: tuple[Injected, ...]
    false_alarms: tuple[Found, ...]

    @property
    def recall(self) -> float:
        """Share of the cases that were found, 0 to 1; 1 where there is none."""
        return self.found / self.cases if self.cases else 1.0


def read_truth(rows: Iterable[Mapping[str, str]]) -> tuple[Injected, ...]:
    """Read the rows of ``rule_truth.csv``."""
    return tuple(
        Injected(
            rule=row["rule"],
            kind=row["kind"],
            institution=row["institution"],
            mdtrt_id=row["mdtrt_id"],
            key=row["key"],
            amount_fen=int(row["amount_fen"]) if row["amount_fen"] else None,
            note=row["note"],
        )
        for row in rows
    )


def measure_recall(truth: Sequence[Injected], hits: Sequence[Found]) -> tuple[RuleRecall, ...]:
    """Compare hits with what was injected.

    Args:
        truth: Cases and near misses.
        hits: Hits of all rules.

    Returns:
        One result a rule that has cases or hits, in order of the rules.
    """
    by_rule: dict[str, list[Found]] = {}
    for hit in hits:
        by_rule.setdefault(hit.rule, []).append(hit)
    wrong = (CASE, MISCONDUCT)
    injected_visits = {one.mdtrt_id for one in truth if one.kind in wrong and one.mdtrt_id}
    rules = sorted({one.rule for one in truth if one.rule} | set(by_rule))
    return tuple(
        _of_rule(rule, [one for one in truth if one.rule == rule], by_rule.get(rule, []),
                 injected_visits)
        for rule in rules
    )  # fmt: skip


def _of_rule(
    rule: str, truth: Sequence[Injected], hits: Sequence[Found], injected: Collection[str]
) -> RuleRecall:
    cases = [one for one in truth if one.kind == CASE]
    near = [one for one in truth if one.kind == NEAR_MISS]
    matched: set[int] = set()
    missed = []
    wrong = 0
    for case in cases:
        places = [place for place, hit in enumerate(hits) if _names(hit, case)]
        if not places:
            missed.append(case)
        elif case.amount_fen not in {None, *(hits[place].amount_fen for place in places)}:
            wrong += 1
        matched.update(places)
    rest = [hit for place, hit in enumerate(hits) if place not in matched]
    near_hits = sum(any(_names(hit, one) for hit in rest) for one in near)
    others = [hit for hit in rest if set(injected) & set(hit.visits)]
    clean = [hit for hit in rest if not set(injected) & set(hit.visits)]
    return RuleRecall(
        rule=rule,
        cases=len(cases),
        found=len(cases) - len(missed),
        wrong_amounts=wrong,
        near_misses=len(near),
        near_hits=near_hits,
        clean_hits=len(clean),
        other_hits=len(others),
        missed=tuple(missed),
        false_alarms=tuple(clean),
    )


def _names(hit: Found, one: Injected) -> bool:
    """Tell whether a hit is about what was injected."""
    if hit.institution != one.institution:
        return False
    if one.mdtrt_id and one.mdtrt_id not in hit.visits:
        return False
    return not one.key or any(one.key in key.split("|") for key in hit.keys)
