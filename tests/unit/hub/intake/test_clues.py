from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.domain.statements import SlotRule
from hub.errors import StatementError
from hub.intake.clues import decode_clues
from hub.store import clues
from hub.store.clues import ClueFilter
from hub.store.engine import reading
from protos.yixin.v1 import clue_pb2, exchange_pb2
from tests.support.hub_city import FIRST, JOIN_LEAVES, OWN_LEAVES, SECOND, THIRD, City, Sender
from tests.support.join_payloads import clue, clue_month, mark

if TYPE_CHECKING:
    from hub.store.clues import ClueRow

PERSON_NUMBER = "330302199001011234"


def payload(*months: clue_pb2.ClueMonth) -> bytes:
    return clue_pb2.Clues(months=months).SerializeToString(deterministic=True)


def send(city: City, node: Sender, *months: clue_pb2.ClueMonth) -> int:
    """Submit clues; the number of parts its receipt says were refused."""
    envelope = node.seal(payload(*months), payload_type="clues", data_class="clue", period="")
    (receipt,) = city.submit(envelope, peer=node.member)
    assert isinstance(receipt, exchange_pb2.Receipt), receipt
    return exchange_pb2.ReceiptBody.FromString(receipt.body).quarantined_parts


def measure(**changes: Any) -> clue_pb2.MeasurePointer:  # noqa: ANN401 - fields
    values: dict[str, Any] = {"set": "stay", "month": 202610, "months": 6, "digest": bytes(32)}
    return clue_pb2.MeasurePointer(**(values | changes))


def held(city: City, **wanted: Any) -> tuple[ClueRow, ...]:  # noqa: ANN401 - fields of the filter
    with reading(city.parts.engine) as connection:
        return clues.list_clues(connection, ClueFilter(**wanted), 100)


def test_a_clue_is_kept_with_everything_but_a_name(city: City, node: Sender) -> None:
    assert send(city, node, clue_month(FIRST, clue())) == 0
    (found,) = held(city)
    assert (found.source, found.institution, found.month) == ("M33", FIRST, 202610)
    assert (found.score, found.amount_fen, found.verdict) == (700, 120_000, "suspicion")
    assert (found.person, found.staff) == (mark("ann"), ("D330302000001",))
    assert found.detail["evidence"] == [{"kind": "settlement", "leaf": 7, "involved": False}]


def test_a_clue_that_is_stated_no_longer_is_gone_and_comes_back(city: City, node: Sender) -> None:
    assert send(city, node, clue_month(FIRST, clue(1), clue(2))) == 0
    assert send(city, node, clue_month(FIRST, clue(2), version=2)) == 0
    assert [one.id[-1] for one in held(city)] == [2]
    assert {one.id[-1]: one.gone for one in held(city, gone=True)} == {1: True, 2: False}
    assert send(city, node, clue_month(FIRST, clue(1), clue(2), version=3)) == 0
    first = {one.id[-1]: one.detail["first_log_index"] for one in held(city)}
    assert first == dict.fromkeys((1, 2), OWN_LEAVES + JOIN_LEAVES)
    assert send(city, node, clue_month(FIRST, version=2)) == 0
    assert len(held(city)) == 2, "an older version changes nothing"


def test_a_clue_that_moves_to_another_part_is_not_lost(city: City, node: Sender) -> None:
    assert send(city, node, clue_month(FIRST, clue(1)), clue_month(FIRST, part=1)) == 0
    moved = (clue_month(FIRST, clue(1), part=1, version=2), clue_month(FIRST, version=2))
    assert send(city, node, *moved) == 0
    assert len(held(city)) == 1
    back = (clue_month(FIRST, version=3, part=1), clue_month(FIRST, clue(1), version=3))
    assert send(city, node, *back) == 0
    assert len(held(city)) == 1


def test_clues_are_found_by_person_staff_rule_institution_and_score(
    city: City, node: Sender, other: Sender
) -> None:
    doctor = "D330302000002"
    assert send(city, node, clue_month(FIRST, clue(1), clue(2, staff=[doctor], person=b""))) == 0
    assert send(city, node, clue_month(SECOND, clue(3, source="T04", score=100))) == 0
    assert send(city, other, clue_month(THIRD, clue(4, staff=[doctor]))) == 0
    assert {one.id[-1] for one in held(city, person=mark("ann"))} == {1, 3, 4}
    assert {one.id[-1] for one in held(city, staff=doctor)} == {2, 4}
    assert {one.id[-1] for one in held(city, source="T04")} == {3}
    assert {one.id[-1] for one in held(city, institution=FIRST)} == {1, 2}
    assert {one.id[-1] for one in held(city, least_score=101)} == {1, 2, 4}


def test_a_clue_of_a_topic_points_at_measures(city: City, node: Sender) -> None:
    topic = clue(source="T04", person=b"", evidence=[], evidence_count=0, measures=[measure()])
    assert send(city, node, clue_month(FIRST, topic)) == 0
    (found,) = held(city, source="T04")
    assert found.detail["measures"] == [
        {"measure_set": "stay", "month": 202610, "months": 6, "digest": "00" * 32}
    ]
    assert found.detail["evidence"] == []


@pytest.mark.parametrize(("month", "refused"), [(202310, 1), (202311, 0)])
def test_a_clue_whose_retention_is_over_is_refused(
    city: City, node: Sender, month: int, refused: int
) -> None:
    assert city.clock().year * 100 + city.clock().month == 202611
    assert send(city, node, clue_month(FIRST, clue(person=b""), month=month)) == refused
    assert len(held(city)) == 1 - refused


def test_only_the_custodian_accuses_an_institution(city: City, node: Sender) -> None:
    assert send(city, node, clue_month(THIRD, clue())) == 1
    assert held(city) == ()


def test_a_month_that_is_yet_to_come_is_refused(city: City, node: Sender) -> None:
    assert send(city, node, clue_month(FIRST, clue(), month=202612)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"id": b"short"},
        {"source": PERSON_NUMBER},
        {"source": "X01"},
        {"version": "since 1990"},
        {"staff": [PERSON_NUMBER]},
        {"staff": ["D330302000001"] * 65},
        {"person": b"\0" * 15},
        {"score": 1001},
        {"amount_fen": 10**14},
        {"verdict": clue_pb2.CLUE_VERDICT_UNSPECIFIED},
        {"evidence": [clue_pb2.EvidencePointer(kind=PERSON_NUMBER)]},
        {"evidence": [clue_pb2.EvidencePointer(kind="settlement")] * 2, "evidence_count": 1},
        {"evidence": [clue_pb2.EvidencePointer(kind="x")] * 65, "evidence_count": 65},
        {"measures": [measure(set=PERSON_NUMBER)]},
        {"measures": [measure(month=202613)]},
        {"measures": [measure(months=121)]},
        {"measures": [measure(digest=b"short")]},
        {"measures": [measure()] * 33},
    ],
)
def test_a_clue_out_of_bounds_refuses_its_part_and_is_not_quoted(
    changes: dict[str, Any],
) -> None:
    bad = clue_month(FIRST, clue(1), clue(2, **changes))
    found = decode_clues(payload(bad, clue_month(SECOND, clue(3))))
    assert [part.institution for part in found.parts] == [SECOND]
    ((fault),) = found.faults
    assert fault.rule == SlotRule.ROWS
    assert "clue 1 of the part" in fault.mend
    assert PERSON_NUMBER not in str(found)


@pytest.mark.parametrize(
    ("month", "rule"),
    [
        (clue_month("H1", clue()), SlotRule.INSTITUTION),
        (clue_month(FIRST, clue(), month=202613), SlotRule.MONTH),
        (clue_month(FIRST, clue(), version=0), SlotRule.SHAPE),
        (clue_month(FIRST, clue(), part=256), SlotRule.SHAPE),
        (clue_month(FIRST, clue(), clue()), SlotRule.SHAPE),
        (clue_month(FIRST, *[clue(n) for n in range(4001)]), SlotRule.SHAPE),
        (clue_month(FIRST, clue(), period=""), SlotRule.PERIOD),
        (clue_month(FIRST, clue(), keys_digest=b""), SlotRule.PERIOD),
        (clue_month(FIRST, clue(person=b""), period="2026H2"), SlotRule.PERIOD),
    ],
)
def test_a_part_out_of_bounds_is_refused(month: clue_pb2.ClueMonth, rule: SlotRule) -> None:
    found = decode_clues(payload(month))
    assert [fault.rule for fault in found.faults] == [rule]
    assert found.parts == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xff", "no Clues"),
        (payload(), "Found 0 months"),
        (payload(*[clue_month(FIRST)] * 4097), "Found 4097 months"),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_whole(content: bytes, words: str) -> None:
    with pytest.raises(StatementError, match=words):
        decode_clues(content)
