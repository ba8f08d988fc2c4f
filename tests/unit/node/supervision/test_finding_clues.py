"""Findings of topics become clues: where they point, and what stays at the node."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from node.domain.clue_drafts import MeasureMonths
from node.domain.topic_findings import FindingBody, TopicFinding
from node.supervision import finding_clues
from node.supervision.finding_clues import read_finding_drafts
from node.supervision.join_facts import open_facts
from scoring_kernel import load_catalog
from scoring_kernel.rules import load_rules
from tests.support.rule_facts import RuleFacts, short_code
from tests.support.rule_runs import put_facts

if TYPE_CHECKING:
    from node.domain.clue_drafts import ClueDraft
    from node.store import NodeStore

JOINING = load_catalog().joining
MEASURES = (MeasureMonths(measure_set="patient", month=202603, months=1, digest=bytes(32)),)
VISITS: dict[str, Any] = {
    "V1": {"begins": "2026-03-02 09:00"},
    "V2": {"begins": "2026-03-03 09:00", "institution": "H2"},
    "V3": {"begins": "2026-03-04 09:00", "institution": "H2"},
    "V4": {"begins": "2026-04-04 09:00"},
    "V5": {"begins": "2026-03-05 09:00", "person": "P2"},
}


def finding(number: int = 1, **changes: Any) -> TopicFinding:  # noqa: ANN401 - fields
    names = {name: changes.pop(name, None) for name in ("staff", "person", "visit")}
    values: dict[str, Any] = {
        "id": number.to_bytes(16, "big"),
        "topic": "T08",
        "version": "2021-05-01",
        "institution": None,
        "month": 202603,
        "amount_fen": 120_000,
        "verdict": "warning",
        "severity": "mid",
        "body": FindingBody(measures=MEASURES, **names),
    }
    return TopicFinding(**(values | changes))


@pytest.fixture
def filled(store: NodeStore) -> NodeStore:
    facts = RuleFacts.of({"visits": VISITS})
    facts.settle()
    put_facts(store, facts)
    return store


def drafts(store: NodeStore, *findings: TopicFinding) -> list[ClueDraft]:
    with closing(open_facts(store, load_rules(), JOINING, ["settlement"])) as engine:
        return list(read_finding_drafts(findings, JOINING.score, engine))


def test_a_finding_about_a_person_points_at_settlements_where_most_were(filled: NodeStore) -> None:
    (found,) = drafts(filled, finding(person=short_code("P1")))
    assert (found.source, found.institution) == ("T08", short_code("H2"))
    assert (found.evidence_count, [one.kind for one in found.evidence]) == (2, ["settlement"] * 2)
    assert all(0 <= one.leaf < filled.ledger_size() for one in found.evidence)
    assert found.score == JOINING.score.of("warning", "mid", 120_000)
    assert (found.person, found.staff, found.measures) == (short_code("P1"), (), MEASURES)
    assert short_code("P1") not in repr(found)


def test_one_with_an_institution_points_there_only(filled: NodeStore) -> None:
    (found,) = drafts(filled, finding(person=short_code("P1"), institution=short_code("H1")))
    assert (found.institution, found.evidence_count) == (short_code("H1"), 1)


def test_a_finding_about_a_visit_names_its_person(filled: NodeStore) -> None:
    visit = short_code("V5")
    (found,) = drafts(filled, finding(institution=short_code("H1"), visit=visit))
    assert (found.person, found.evidence_count) == (short_code("P2"), 1)
    (unknown,) = drafts(filled, finding(institution=short_code("H1"), visit="V99"))
    assert (unknown.person, unknown.evidence) == (None, ())


def test_without_any_record_a_person_has_no_clue_and_an_institution_has(filled: NodeStore) -> None:
    nobody = finding(1, person=short_code("P9"))
    place = finding(2, institution=short_code("H1"))
    (found,) = drafts(filled, nobody, place)
    assert (found.institution, found.evidence, found.evidence_count) == (short_code("H1"), (), 0)


def test_only_national_codes_of_staff_are_told(filled: NodeStore) -> None:
    place = short_code("H1")
    codes = ["D330302000001", "330302199001011234"]
    found = drafts(
        filled, *(finding(n, institution=place, staff=code) for n, code in enumerate(codes))
    )
    assert [one.staff for one in found] == [("D330302000001",), ()]


def test_findings_are_read_page_by_page(filled: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_clues, "_PAGE", 2)
    findings = [finding(n, person=short_code("P1")) for n in range(5)]
    assert [one.id for one in drafts(filled, *findings)] == [one.id for one in findings]
