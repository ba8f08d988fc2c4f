"""Before and after the fact: for every rule in both forms the verdict is the same.

Hypothesis makes visits, histories and orders of a few persons at a few institutions. The SQL runs
over all records at once; the live form is asked of every visit in turn, as its institution would
on settling it, with everything else as what is known. Both must find the same hits: key, amount,
and lines with their roles.
"""

from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings

from tests.support.live_checks import book
from tests.support.live_rules import BOTH_FORMS, LiveCity, expected_hits
from tests.support.parity_draws import worlds
from tests.support.parity_world import FIRST_DAYS, ITEMS, LINE, VISIT, facts_of
from tests.support.rule_engine import find_all_hits
from tests.support.rule_facts import Facts

EXAMPLES = 20
World = tuple[date, list[Facts], list[Facts]]


def compare(world: World) -> set[str]:
    """Ask every rule in both forms; the rules by which both found something."""
    both: set[str] = set()
    found = find_all_hits(book(), BOTH_FORMS, facts_of(*world))
    with TemporaryDirectory() as directory:
        city = LiveCity(Path(directory), facts_of(*world))
        try:
            for paid in city.visits():
                for rule in BOTH_FORMS:
                    live = city.hits(rule, paid)
                    if live is not None:
                        expected = expected_hits(city, rule, found[rule], paid)
                        assert Counter(live) == Counter(expected), (rule, paid["mdtrt_id"])
                        both.update({rule} if live else ())
        finally:
            city.close()
    return both


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds())
def test_live_and_batch_find_the_same(world: World) -> None:
    for rule in compare(world):
        event(rule)


@pytest.mark.faults
@settings(max_examples=25 * EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds())
def test_live_and_batch_find_the_same_in_many_worlds(world: World) -> None:
    compare(world)


EVERYTHING: list[Facts] = [
    {
        **LINE,
        "item": item,
        "after": place,
        "amount": 20.0,
        "count": 26,
        "doctor": "D2",
        "days": 40,
        "dose": ("1500mg", "bid"),
        "trace": ("81",) if place % 2 else (),
    }
    for place, item in enumerate(ITEMS)
]
SECOND_LINE = [line for line in EVERYTHING if line["item"] == "XD02AAA002001"]


def visit(person: str, institution: str, hour: int, days: int = 0, **given: Any) -> Facts:  # noqa: ANN401 - of any column
    """A visit that buys one of each, unless told."""
    return {
        **VISIT,
        "person": person,
        "institution": institution,
        "begins": 60 * hour,
        "lasts": 24 * 60 * days,
        "insutype": "390" if person == "P2" else "310",
        "identity": (("mismatch", (None, None), None, "window", True),),
        "lines": EVERYTHING,
        **given,
    }


HISTORY: list[Facts] = [
    visit("P1", "H1", 2, icd=("J31.100",), sold=True),
    visit("P1", "H1", 27),
    visit("P1", "H1", 52, 3),
    visit("P1", "H2", 80, 2),
    visit("P1", "S1", 82),
    visit("P1", "H1", 138, 1),
    visit("P2", "H2", 122),
    visit("P3", "H2", 60, lines=SECOND_LINE),
]


def test_every_rule_in_both_forms_is_hit() -> None:
    """The worlds above can bring every rule to find something, in both forms."""
    assert compare((max(FIRST_DAYS), HISTORY, [])) == set(BOTH_FORMS)


@pytest.mark.parametrize("sold", [True, False])
@pytest.mark.parametrize("items", [("XI02", "XD07AAA007001"), ("XD07AAA007001", "XI02")])
def test_a_code_on_two_lines_of_one_visit_counts_on_the_last(
    items: tuple[str, str], *, sold: bool
) -> None:
    lines = [
        {**LINE, "item": item, "amount": amount, "trace": ("82",)}
        for item, amount in zip(items, (8.88, 15.54), strict=True)
    ]
    world = [
        visit("P1", "H1", 2, lines=[{**LINE, "amount": 20.0, "trace": ("82",)}]),
        visit("P1", "S1", 170, lines=lines, sold=sold),
    ]
    assert "M38" in compare((max(FIRST_DAYS), world, []))
