from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from node.supervision import clues as clues_module
from node.supervision.clues import read_drafts
from node.supervision.join_facts import open_facts
from scoring_kernel import load_catalog
from scoring_kernel.rules import load_rules
from tests.support.rule_facts import RuleFacts, short_code
from tests.support.rule_runs import put_facts, run

if TYPE_CHECKING:
    import pytest

    from node.domain.clue_drafts import ClueDraft
    from node.store import NodeStore

JOINING = load_catalog().joining
BOOK = load_rules()
VISITS: dict[str, Any] = {
    "V1": {
        "inpatient": True,
        "begins": "2026-03-01 09:00",
        "discharged": "2026-03-08 09:00",
        "doctor": "D1",
        "institution": "H1",
        "inscp": 900,
    },
    "V2": {
        "inpatient": True,
        "begins": "2026-03-03 09:00",
        "discharged": "2026-03-09 09:00",
        "doctor": "D2",
        "institution": "H2",
        "inscp": 1200,
    },
}


def put(store: NodeStore, **case: Any) -> None:  # noqa: ANN401 - of a case
    facts = RuleFacts.of(case)
    facts.settle()
    put_facts(store, facts)


def drafts(store: NodeStore) -> list[ClueDraft]:
    kinds = frozenset(store.schemas)
    with closing(open_facts(store, BOOK, JOINING, kinds)) as engine:
        return list(read_drafts(store.supervision, BOOK, JOINING.score, engine, kinds))


def test_a_hit_becomes_a_clue_with_pointers_and_no_number_of_a_visit(store: NodeStore) -> None:
    put(store, visits=VISITS)
    run(store, BOOK)
    (hit,) = store.supervision.hits()
    (found,) = drafts(store)
    assert (found.id, found.source, found.institution) == (hit.id, "M33", short_code("H2"))
    assert (found.amount_fen, found.verdict, found.month) == (120_000, "violation", 202603)
    assert found.score == JOINING.score.of("violation", "high", 120_000)
    assert found.person == short_code("P1")
    assert found.staff == (short_code("D2"),)
    assert [(one.kind, one.involved) for one in found.evidence] == [
        ("settlement", False),
        ("settlement", True),
    ]
    assert all(0 <= one.leaf < store.ledger_size() for one in found.evidence)
    assert short_code("P1") not in repr(found)


def test_a_hit_that_is_gone_makes_no_clue(store: NodeStore) -> None:
    put(store, visits=VISITS)
    run(store, BOOK)
    cancelled = {"visit": "V1", "what": "admission", "cancelled_at": "2026-03-10"}
    put(store, visits={"V1": VISITS["V1"]}, records={"cancellation": [cancelled]})
    run(store, BOOK)
    assert drafts(store) == []


def test_what_is_no_code_of_staff_is_left_out(store: NodeStore) -> None:
    odd = {**VISITS["V2"], "doctor": "330302197001011234"}
    put(store, visits={"V1": VISITS["V1"], "V2": odd})
    run(store, BOOK)
    (found,) = drafts(store)
    assert found.staff == ()


def test_a_hit_about_many_persons_names_none(store: NodeStore) -> None:
    put(store, visits=VISITS)
    run(store, BOOK)
    real = store.supervision

    class Crowded:
        hits = staticmethod(real.hits)

        @staticmethod
        def body(hit: bytes) -> Any:  # noqa: ANN401 - a body
            return replace(real.body(hit), persons=("a", "b"))

    kinds = frozenset(store.schemas)
    with closing(open_facts(store, BOOK, JOINING, kinds)) as engine:
        (found,) = read_drafts(Crowded(), BOOK, JOINING.score, engine, kinds)
    assert found.person is None


def test_a_hit_of_a_rule_that_left_the_book_makes_no_clue(store: NodeStore) -> None:
    put(store, visits=VISITS)
    run(store, BOOK)
    kinds = frozenset(store.schemas)
    other = replace(BOOK, rules={one: BOOK.rules[one] for one in BOOK.rules if one != "M33"})
    with closing(open_facts(store, other, JOINING, kinds)) as engine:
        assert list(read_drafts(store.supervision, other, JOINING.score, engine, kinds)) == []


def test_hits_are_read_page_by_page(store: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = {
        name: {**visit, "person": f"P{number}"}
        for number in range(1, 6)
        for name, visit in {f"V{number}1": VISITS["V1"], f"V{number}2": VISITS["V2"]}.items()
    }
    put(store, visits=pairs)
    run(store, BOOK)
    monkeypatch.setattr(clues_module, "_PAGE", 2)
    found = drafts(store)
    assert len({one.id for one in found}) == len(found) == 5
    assert len({one.person for one in found}) == 5
