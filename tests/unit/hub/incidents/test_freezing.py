"""A frozen member: revoked, distrusted since a moment, and graded without."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hub.errors import ApprovalNeededError, IncidentError, MemberRefusedError, RoleError
from hub.exchange.downlink import Downlink
from hub.intake.committing import Refused
from hub.store import members
from hub.store.engine import reading
from hub.store.incidents import count_suspect
from security.chain import GENESIS
from tests.support.department_files import write_register
from tests.support.hub_city import CITY, FIRST, NODE, OTHER, SECOND, THIRD, Slot, batch
from tests.support.operators import Desk, Person
from tests.unit.hub.exchange.test_downlink import queue
from tests.unit.hub.intake.test_committing import two_parts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City, Sender

SINCE = "2026-11-02"
PERIOD = {"period": "2026H1"}


@pytest.fixture
def hub(city: City, node: Sender, other: Sender) -> City:
    """Two members that stated before the moment and after it; the first one is suspected."""
    city.submit(node.seal(batch(Slot(value=1), Slot(month=202602, value=2))))
    city.submit(other.seal(batch(Slot(institution=THIRD, value=3))), peer=OTHER)
    city.parts.statements.flush(city.parts.engine)
    city.clock.advance(days=2)
    city.submit(node.seal(batch(Slot(month=202602, version=2, value=20))))
    city.submit(node.seal(batch(Slot(institution=SECOND, month=202601, value=30))))
    city.submit(other.seal(batch(Slot(institution=THIRD, month=202602, value=4))), peer=OTHER)
    return city


def freeze(city: City, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    arguments = {"member": NODE, "since": SINCE, "reason": "theft"} | changes
    return Desk(city).run("incident", arguments)


def values(city: City) -> list[tuple[str, int, int]]:
    found = city.monthly(202601, 202602)
    return list(zip(found["subjects"], found["months"], found["values"], strict=True))


def status_of(city: City, member: str) -> str:
    with reading(city.parts.engine) as connection:
        row = members.find_member(connection, member)
    assert row is not None
    return str(row.status)


def test_what_a_member_stated_since_then_counts_for_nobody(hub: City) -> None:
    frozen = freeze(hub)

    assert (frozen["is_new"], frozen["suspect"]) == (True, 2)
    assert frozen["certificates"] >= 2
    assert values(hub) == [(FIRST, 202601, 1), (THIRD, 202601, 3), (THIRD, 202602, 4)]
    with reading(hub.parts.engine) as connection:
        assert hub.parts.statements.stated(connection, [202602]) == {THIRD}
        assert hub.parts.statements.patchy(connection, "settlement", [202601, 202602]) == {FIRST}


def test_suspect_rows_survive_a_flush_and_count_again_when_it_is_lifted(hub: City) -> None:
    before = values(hub)
    freeze(hub)
    hub.parts.statements.flush(hub.parts.engine)
    assert values(hub) != before
    lifted = Desk(hub).run("incident-lift", {"member": NODE})

    assert lifted["suspect"] == 0
    assert values(hub) == before
    assert status_of(hub, NODE) == "revoked"


def test_a_statement_in_parts_is_suspect_when_one_part_is(city: City, node: Sender) -> None:
    first, second = two_parts(1)
    city.submit(node.seal(first))
    city.clock.advance(days=2)
    city.submit(node.seal(second))
    assert values(city) == [(FIRST, 202601, 1)]

    assert freeze(city)["suspect"] == 1
    assert values(city) == []


def test_a_frozen_member_is_revoked_and_gets_nothing_more(hub: City, node: Sender) -> None:
    queue(hub, b"grades")
    freeze(hub)

    assert status_of(hub, NODE) == "revoked"
    assert status_of(hub, OTHER) == "active"
    (refused,) = hub.submit(node.seal(batch(Slot(month=202603))))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, MemberRefusedError)


def test_exposure_is_told_from_the_log(hub: City) -> None:
    queue(hub, b"one", b"two")
    downlink = Downlink(
        engine=hub.parts.engine,
        identity=hub.parts.identity,
        outbox=hub.parts.outbox,
        keyring=hub.parts.keys.keyring,
    )
    downlink.acknowledge(NODE, {}, hub.clock.ms)
    cursors = dict.fromkeys((1, 2, 3), GENESIS)
    while downlink.next_round(NODE, cursors, 2, hub.clock.ms):
        pass
    shown = Desk(hub).run("exposure", {"member": NODE, "since": SINCE})

    flows = [
        (one["received"], one["payload_type"], one["period"], one["count"])
        for one in shown["flows"]
    ]
    assert flows == [(True, "grade_statements", "2026H1", 2), (False, "statements", "2026H1", 2)]
    assert shown["flows"][1]["last_at"].startswith("2026-11-03")
    assert status_of(hub, NODE) == "active"
    early = Desk(hub).run("exposure", {"member": NODE, "since": "2026-10-01"})
    assert [one["count"] for one in early["flows"]] == [2, 3]
    late = Desk(hub).run("exposure", {"member": NODE, "since": "2027-01-01"})
    assert late["flows"] == []


def test_the_last_graded_period_is_graded_anew_without_it(hub: City, tmp_path: Path) -> None:
    desk = Desk(hub)
    desk.run("import", {"path": str(write_register(tmp_path))})
    desk.run("grade", PERIOD | {"incomplete": True})
    before = desk.run("grades", PERIOD)
    frozen = freeze(hub)

    assert [one["period"] for one in frozen["graded_anew"]] == ["2026H1"]
    assert desk.run("status", {})["suspect_statements"] == 2
    assert desk.run("grades", PERIOD)["suspect_statements"] == 2
    assert desk.run("grade", PERIOD | {"incomplete": True})["suspect_statements"] == 2
    lifted = desk.run("incident-lift", {"member": NODE})
    assert [one["period"] for one in lifted["graded_anew"]] == ["2026H1"]
    assert desk.run("grades", PERIOD).keys() == before.keys()


def test_nothing_graded_yet_is_no_fault(hub: City) -> None:
    assert freeze(hub)["graded_anew"] == []


def test_again_changes_nothing_and_another_moment_is_refused(hub: City) -> None:
    freeze(hub)
    again = freeze(hub)

    assert (again["is_new"], again["certificates"], again["suspect"]) == (False, 0, 2)
    with pytest.raises(IncidentError, match="open with another moment"):
        freeze(hub, since="2026-11-01")
    listed = Desk(hub).run("incidents", {})
    assert [(one["member"], one["lifted"]) for one in listed["rows"]] == [(NODE, None)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"member": "yixin://330302/node/none"}, "holds no member"),
        ({"member": CITY}, "this hub itself"),
        ({"since": "2027-01-01"}, "lies ahead"),
        ({"since": "yesterday"}, "expected a moment"),
        ({"since": "0001-01-01"}, "expected a moment"),
        ({"since": "1970-01-01"}, "from 2000 on"),
    ],
)
def test_what_makes_no_sense_is_refused_and_freezes_nobody(
    hub: City, changes: dict[str, str], why: str
) -> None:
    with pytest.raises(IncidentError, match=why):
        freeze(hub, **changes)
    with reading(hub.parts.engine) as connection:
        assert count_suspect(connection) == 0
    assert status_of(hub, NODE) == "active"


def test_what_is_not_open_cannot_be_lifted(hub: City) -> None:
    with pytest.raises(IncidentError, match="No incident"):
        Desk(hub).run("incident-lift", {"member": NODE})


def test_freezing_needs_one_officer_and_lifting_two_people(hub: City) -> None:
    desk, li, wang, zhao = Desk(hub), *(Person.named(name) for name in ("li", "wang", "zhao"))
    desk.register(li, "officer")
    desk.register(zhao, "operator", by=li)
    desk.register(wang, "reviewer", by=li)
    arguments = {"member": NODE, "since": SINCE, "reason": "theft"}
    with pytest.raises(RoleError, match="'zhao' is operator"):
        desk.ask(zhao, "incident", **arguments)
    desk.ask(li, "incident", **arguments)

    with pytest.raises(ApprovalNeededError) as caught:
        desk.ask(li, "incident-lift", member=NODE)
    found = re.search(r"approval ([0-9a-f]{16})", str(caught.value))
    assert found is not None
    with reading(hub.parts.engine) as connection:
        assert count_suspect(connection) == 2
    desk.ask(wang, "approve", id=found[1])
    listed = desk.ask(wang, "incidents")["rows"][0]
    assert (listed["by"], listed["lifted_by"]) == ("li", "wang")


def test_moments_are_beijing_time(hub: City) -> None:
    """Midnight of 2 November in Beijing is four in the afternoon of the day before, UTC."""
    shown = Desk(hub).run("exposure", {"member": NODE, "since": SINCE})

    assert shown["since"].startswith("2026-11-01T16:00")
