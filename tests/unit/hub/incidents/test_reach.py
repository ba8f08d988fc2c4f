"""What an incident reaches beside statements: clues, joins, products, and grades pushed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.agreements.delivering import Delivery, deliver
from hub.errors import AgreementRefusedError, GradingError, IncidentError, NotPublishedError
from hub.incidents import freeze as freeze_only
from hub.sharing_jobs import sharing_room
from hub.store import pushed
from hub.store.engine import reading, writing
from protos.yixin.v1 import clue_pb2
from scoring_kernel.periods import Period
from tests.support import join_payloads as made
from tests.support.department_files import write_register
from tests.support.hub_city import CITY, FIRST, NODE, OTHER, THIRD, Slot, batch, open_city
from tests.support.join_payloads import Record, clue, clue_month, join_day
from tests.support.operators import Desk
from tests.support.sharing_city import SharingCity
from tests.unit.hub.intake.test_pushes import grade, push

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

    from tests.support.hub_city import City, Sender

SINCE = "2026-11-02"
PERIOD = {"period": "2026H1"}
BANK = "yixin://330300/department/bank"


def send(city: City, sender: Sender, message: Message) -> None:
    is_clue = isinstance(message, clue_pb2.Clues)
    envelope = sender.seal(
        message.SerializeToString(),
        payload_type="clues" if is_clue else "join_records",
        data_class="clue" if is_clue else "join_record",
        period="",
    )
    city.submit(envelope, peer=sender.member)


def stay(institution: str, begins: str, ends: str, leaf: int, **changes: Any) -> Message:  # noqa: ANN401 - parts of a day
    record = Record(who="ann", begins=begins, ends=ends, leaf=leaf)
    day = int(ends[:10].replace("-", ""))
    return made.join_records("stay", join_day(institution, [record], day=day, **changes))


def freeze(city: City, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
    arguments = {"member": NODE, "since": SINCE, "reason": "theft"} | changes
    return Desk(city).run("incident", arguments)


def lift(city: City, member: str = NODE) -> dict[str, Any]:
    city.clock.advance(hours=1)
    return Desk(city).run("incident-lift", {"member": member})


def listed(city: City, **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as JSON
    rows: list[dict[str, Any]] = Desk(city).run("clues", {"limit": 50, **wanted})["rows"]
    return rows


def states(city: City) -> list[tuple[str, bool, bool]]:
    return sorted((one["source"], one["gone"], one["suspect"]) for one in listed(city))


def test_clues_stated_or_withdrawn_since_then_are_shown_as_suspect(
    city: City, node: Sender, other: Sender
) -> None:
    send(city, node, clue_pb2.Clues(months=[clue_month(FIRST, clue(1), clue(2))]))
    send(city, other, clue_pb2.Clues(months=[clue_month(THIRD, clue(5))]))
    city.clock.advance(days=2)
    later = clue_month(FIRST, clue(2), clue(3), version=2)
    send(city, node, clue_pb2.Clues(months=[later]))

    frozen = freeze(city)

    assert frozen["suspect_clues"] == 3
    found = {one["id"][-2:]: (one["gone"], one["suspect"]) for one in listed(city)}
    assert found == {
        "01": (True, True),
        "02": (False, True),
        "03": (False, True),
        "05": (False, False),
    }
    lift(city)
    assert {one["id"][-2:] for one in listed(city) if one["source"] == "M33"} == {"02", "03", "05"}
    assert not any(one["suspect"] for one in listed(city))


def test_suspect_clues_about_staff_are_not_joined(city: City, node: Sender, other: Sender) -> None:
    city.clock.advance(days=2)
    send(city, node, clue_pb2.Clues(months=[clue_month(FIRST, clue(1))]))
    send(city, other, clue_pb2.Clues(months=[clue_month(THIRD, clue(5))]))
    desk = Desk(city)
    found = desk.run("clues-join", {})["found"]["staff_at_several_nodes"]
    assert found == 1
    city.clock.advance(hours=1)

    frozen = freeze(city)

    assert (frozen["findings_left"], frozen["suspect_findings"]) == (0, 1)
    (joined,) = (one for one in listed(city) if one["source"].startswith("J"))
    assert (joined["gone"], joined["suspect"]) == (False, True)
    assert lift(city)["findings_left"] == 1
    assert not any(one["suspect"] for one in listed(city))


def test_join_records_since_then_are_not_joined_and_what_holds_without_them_stands(
    city: City, node: Sender, other: Sender
) -> None:
    send(city, other, stay(THIRD, "2026-10-03 09:00", "2026-10-09 09:00", 22))
    send(city, node, stay(FIRST, "2026-10-01 09:00", "2026-10-05 10:00", 11))
    city.clock.advance(days=2)
    send(city, other, stay(THIRD, "2026-09-03 09:00", "2026-09-09 09:00", 33))
    send(city, node, stay(FIRST, "2026-09-01 09:00", "2026-09-05 10:00", 44))
    desk = Desk(city)
    assert desk.run("clues-join", {})["found"]["overlapping_stays"] == 2
    city.clock.advance(hours=1)

    frozen = freeze(city)

    assert (frozen["findings_left"], frozen["suspect_findings"]) == (1, 1)
    assert states(city) == [("J01", False, False), ("J01", False, True)]
    city.clock.advance(hours=1)
    assert desk.run("clues-join", {})["gone"] == 0, "what is suspect cannot be judged"
    assert lift(city)["findings_left"] == 2
    assert states(city) == [("J01", False, False)] * 2


def half_year(version: int, value: int) -> bytes:
    return batch(*(Slot(month=202600 + one, version=version, value=value) for one in range(1, 7)))


@pytest.fixture
def graded(city: City, node: Sender, other: Sender, tmp_path: Path) -> SharingCity:
    """A city that graded and published what a member stated since the moment; a bank agreed."""
    city.submit(node.seal(half_year(1, value=1)))
    city.submit(other.seal(batch(Slot(institution=THIRD, value=3))), peer=OTHER)
    sharing = SharingCity(city, sharing_room(city.parts), tmp_path)
    sharing.enrol("bank")
    desk = Desk(city)
    desk.run("import", {"path": str(write_register(tmp_path))})
    desk.run("agreement-sign", {"terms": "bank", "officer": "王五"})
    city.clock.advance(days=2)
    city.submit(node.seal(half_year(2, value=77)))
    desk.run("grade", PERIOD | {"incomplete": True})
    desk.run("publish", PERIOD)
    return sharing


def send_product(sharing: SharingCity) -> Delivery:
    return deliver(
        sharing.room,
        "bank",
        period=Period.parse("2026H1"),
        officer="王五",
        correct=False,
        now_ms=sharing.city.clock.ms,
    )


def test_no_product_is_made_of_grades_that_rest_on_it_until_those_made_anew_are_published(
    graded: SharingCity,
) -> None:
    graded.city.clock.advance(hours=1)
    frozen = freeze(graded.city)
    assert [one["period"] for one in frozen["graded_anew"]] == ["2026H1"]

    with pytest.raises(NotPublishedError, match="rest on what an incident makes suspect"):
        send_product(graded)
    assert graded.collect("bank") == []
    graded.city.clock.advance(hours=1)
    assert any(one["is_new"] for one in Desk(graded.city).run("publish", PERIOD)["classes"])
    assert send_product(graded).is_new
    assert len(graded.collect("bank")) == 1


def test_a_product_that_waits_is_withdrawn(graded: SharingCity) -> None:
    assert send_product(graded).is_new
    graded.city.clock.advance(hours=1)
    freeze(graded.city)

    assert graded.collect("bank") == []
    assert any("suspect" in one for one in graded.refusals())
    lift(graded.city)
    Desk(graded.city).run("publish", PERIOD)
    assert send_product(graded).is_new, "what was withdrawn was not delivered"


def test_who_received_a_product_that_holds_it_is_named_from_the_log(graded: SharingCity) -> None:
    send_product(graded)
    assert len(graded.collect("bank")) == 1
    graded.city.clock.advance(hours=1)

    shown = Desk(graded.city).run("exposure", {"member": NODE, "since": SINCE})

    passed = [
        (one["recipient"], one["payload_type"], one["period"], one["agreement"])
        for one in shown["passed_on"]
    ]
    assert (BANK, "product", "2026H1", "bank@1") in passed
    early = Desk(graded.city).run("exposure", {"member": OTHER, "since": SINCE})
    assert early["passed_on"] == [], "it stated nothing since then"


def test_a_run_that_holds_it_is_not_published(graded: SharingCity) -> None:
    """As where grading anew failed, or was killed, after the member was frozen."""
    city = graded.city
    city.submit(city.senders[NODE].seal(half_year(3, value=99)))
    desk = Desk(city)
    desk.run("grade", PERIOD | {"incomplete": True})
    city.clock.advance(hours=1)
    with writing(city.parts.engine) as connection:
        freeze_only(
            connection,
            city.parts.identity,
            member=NODE,
            since_ms=city.clock.ms - 86_400_000,
            since_index=0,
            reason="theft",
            now_ms=city.clock.ms,
        )
    with pytest.raises(GradingError, match="grade it anew"):
        desk.run("publish", PERIOD)
    with pytest.raises(NotPublishedError):
        send_product(graded)
    desk.run("grade", PERIOD | {"incomplete": True})
    assert desk.run("publish", PERIOD)["classes"]
    assert send_product(graded).is_new


@pytest.fixture
def below(tmp_path: Path) -> Iterator[Sender]:
    """A city hub that joined a provincial one; its ``city`` is the province."""
    with open_city(tmp_path / "province", level="province", division="330000") as province:
        yield province.enrol(tmp_path / "below", CITY)


def distribution(below: Sender) -> dict[str, int]:
    with reading(below.city.parts.engine) as connection:
        found = pushed.distribution(connection, "2026H1")
    return found.get("designated_medical_institution", {})


def test_grades_that_a_hub_pushed_are_marked_and_its_correction_counts(below: Sender) -> None:
    province = below.city
    province.submit(below.seal(push(grade(grade="good"))), peer=CITY)
    province.clock.advance(days=2)
    province.submit(below.seal(push(grade(version=2, grade="excellent"))), peer=CITY)
    assert distribution(below) == {"excellent": 1}
    province.clock.advance(hours=1)

    marked = freeze(province, member=CITY, mark=True)

    assert (marked["is_mark"], marked["certificates"], marked["suspect_pushed"]) == (True, 0, 1)
    assert distribution(below) == {"good": 1}, "the version from before stands"
    province.submit(below.seal(push(grade(version=3, grade="bad"))), peer=CITY)
    assert distribution(below) == {"bad": 1}, "the correction counts"
    (row,) = Desk(province).run("incidents", {})["rows"]
    assert row["kind"] == "mark"
    lift(province, CITY)
    assert distribution(below) == {"bad": 1}


def test_a_marked_member_can_be_frozen_and_a_frozen_one_not_marked(below: Sender) -> None:
    province = below.city
    province.clock.advance(days=2)
    freeze(province, member=CITY, mark=True)
    assert not freeze(province, member=CITY)["is_new"]
    (row,) = Desk(province).run("incidents", {})["rows"]
    assert row["kind"] == "freeze"
    with pytest.raises(IncidentError, match="frozen already"):
        freeze(province, member=CITY, mark=True)


def test_a_question_about_suspect_grades_is_not_answered(graded: SharingCity) -> None:
    desk = Desk(graded.city)
    desk.run("agreement-sign", {"terms": "public_query", "officer": "王五"})
    asked = {"agreement": "public_query", "subject": FIRST, "officer": "王五"} | PERIOD
    assert desk.run("query", asked)["rows"]
    graded.city.clock.advance(hours=1)
    freeze(graded.city)
    with pytest.raises(AgreementRefusedError, match="no published grade"):
        desk.run("query", asked)
