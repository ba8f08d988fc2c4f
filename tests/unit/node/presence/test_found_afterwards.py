"""What terminals deliver is found after the fact: impersonated visits (M35), empty beds (M29)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from node.store.hits import HitFilter
from protos.yixin.v1 import edge_pb2
from scoring_kernel.rules import load_rules
from security.moments import to_ms
from tests.support.presence_desk import AT, Desk, join
from tests.support.rule_facts import RuleFacts, short_code
from tests.support.rule_runs import put_facts, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ABSENT = {"result": edge_pb2.PRESENCE_RESULT_ABSENT, "model": b"", "liveness": 0}
BED = {"purpose": edge_pb2.PRESENCE_PURPOSE_BED_CHECK}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path / "node")
    yield opened
    opened.close()


def settled(desk: Desk, med_type: str = "11") -> None:
    """A visit of P1 at noon, and a stay of P2 of five days, both settled."""
    facts = RuleFacts.of(
        {
            "visits": {
                "V1": {"person": "P1", "begins": "2026-07-15 11:00", "med_type": med_type},
                "V2": {
                    "person": "P2",
                    "begins": "2026-07-10 09:00",
                    "inpatient": True,
                    "discharged": "2026-07-15 10:00",
                },
            }
        }
    )
    facts.settle()
    put_facts(desk.store, facts)


def about(visit: str, person: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """Fields of an event about a visit."""
    return {"visit": short_code(visit), "person": short_code(person), **changes}


def found(desk: Desk) -> list[str]:
    """Rules that are hit."""
    whole = load_rules()
    rules = {name: whole.rules[name] for name in ("M29", "M35")}
    run(desk.store, replace(whole, rules=rules))
    return sorted(hit.rule for hit in desk.store.supervision.hits(HitFilter(), limit=9, offset=0))


def test_an_impersonated_visit_is_found(desk: Desk) -> None:
    settled(desk)
    for score in (1200, 900, 1500):
        assert desk.one(**about("V1", "P1", score_e4=score)) == ""
    assert found(desk) == ["M35"]
    # Whom the window knows in the end, after too many attempts, was not verified.
    assert desk.one(**about("V1", "P1")) == ""
    assert found(desk) == ["M35"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"result": edge_pb2.PRESENCE_RESULT_UNJUDGED, "cause": 7, "model": b"", "liveness": 0},
        {**ABSENT, "reason": edge_pb2.REASON_CODE_CHILD, "staff": "N1"},
    ],
)
def test_who_was_verified_not_judged_or_let_pass_is_not_found(
    desk: Desk, changes: dict[str, Any]
) -> None:
    settled(desk)
    assert desk.one(**about("V1", "P1", **changes)) == ""
    assert found(desk) == []


def test_an_emergency_is_not_found(desk: Desk) -> None:
    settled(desk, med_type="13")
    assert desk.one(**about("V1", "P1", result=edge_pb2.PRESENCE_RESULT_SPOOF, model=b"")) == ""
    assert found(desk) == []


def test_an_empty_bed_is_found_by_two_checks(desk: Desk) -> None:
    settled(desk)
    bed = join(desk.store, "bed", "b1")
    check = about("V2", "P2", **ABSENT, **BED)
    moments = [to_ms(AT - timedelta(days=days)) for days in (3, 2, 1)]
    assert desk.one(bed, **check, at_ms=moments[0]) == ""
    assert found(desk) == []
    seen = {"result": edge_pb2.PRESENCE_RESULT_UNJUDGED, "cause": 1}
    assert desk.one(bed, **{**check, **seen}, at_ms=moments[1]) == ""
    assert found(desk) == []
    assert desk.one(bed, **check, at_ms=moments[2]) == ""
    assert found(desk) == ["M29"]
