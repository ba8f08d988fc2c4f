"""Roles, signatures and four eyes, at the gate before every job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hub.domain.roles import REGISTERED
from hub.errors import ApprovalNeededError, ConfigurationError, RoleError
from hub.store import agreements, members, operator_log, refusals
from hub.store.engine import reading
from tests.support.department_files import write_register
from tests.support.hub_city import Clock, open_city
from tests.support.operators import Desk, Person

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City
    from tests.unit.hub.operators.conftest import Office

PERIOD = {"period": "2026H1"}

CHILD = "yixin://330302/hub/county"


def asked(office: Office, person: Person, job: str, **arguments: Any) -> str:  # noqa: ANN401
    """Ask for what needs four eyes; the id it waits under."""
    with pytest.raises(ApprovalNeededError) as caught:
        office.desk.ask(person, job, **arguments)
    found = re.search(r"approval ([0-9a-f]{16}), digest [0-9a-f]{64}\.", str(caught.value))
    assert found is not None
    return found[1]


def graded(office: Office, where: Path) -> None:
    office.desk.ask(office.zhao, "import", path=str(write_register(where)))
    office.desk.ask(office.zhao, "grade", **PERIOD, incomplete=True)


def published(city: City) -> bool:
    with reading(city.parts.engine) as connection:
        return any(
            one.row.job == "publish" and one.row.outcome == "done"
            for one in operator_log.rows(connection)
        )


def test_nobody_registered_means_a_single_operator(desk: Desk) -> None:
    assert desk.run("status", {})["operators"] == "single operator"
    assert desk.run("operators", {}) == {"mode": "single operator", "rows": []}
    assert desk.run("members", {})["rows"] == []


def test_the_first_person_is_an_officer(desk: Desk) -> None:
    with pytest.raises(RoleError, match="first person registered is an officer"):
        desk.register(Person.named("wang"), "reviewer")
    assert desk.run("operators", {})["mode"] == "single operator"


def test_once_somebody_is_registered_commands_are_signed(office: Office) -> None:
    assert office.desk.run("status", {})["operators"] == "roles, 4 in office"
    for job in ("members", "grade", "publish", "revoke", "operations"):
        with pytest.raises(RoleError, match="needs a signature"):
            office.desk.run(job, PERIOD)
    assert office.desk.ask(office.sun, "members")["rows"] == []


def test_every_role_does_what_its_row_names_only(office: Office) -> None:
    with pytest.raises(RoleError, match="'sun' is auditor"):
        office.desk.ask(office.sun, "grade", **PERIOD)
    with pytest.raises(RoleError, match="'zhao' is operator"):
        office.desk.ask(office.zhao, "publish", **PERIOD)
    with pytest.raises(RoleError, match="'wang' is reviewer"):
        office.desk.ask(office.wang, "operator-add", name="x", role="officer", key="")
    with pytest.raises(RoleError, match="'sun' is auditor"):
        office.desk.ask(office.sun, "approve", id="0" * 16)


def test_a_stranger_and_a_borrowed_name_are_refused_and_kept_as_refusals(office: Office) -> None:
    stranger = Person.named("qian")
    with pytest.raises(RoleError, match="nobody's name"):
        office.desk.ask(stranger, "members")
    with pytest.raises(RoleError, match="does not fit"):
        office.desk.ask(Person(name="li", key=stranger.key), "members")

    with reading(office.desk.city.parts.engine) as connection:
        kept = refusals.recent(connection)
    assert [(one.peer, one.method, one.code) for one in kept] == [
        ("operator li", "job members", "RoleError"),
        ("operator qian", "job members", "RoleError"),
    ]


@pytest.mark.parametrize("job", ["members", "grade"])
def test_a_command_is_taken_once(office: Office, job: str, tmp_path: Path) -> None:
    graded(office, tmp_path)
    command = office.desk.sign(office.zhao, job, PERIOD | {"incomplete": True})
    office.desk.run(job, command)

    with pytest.raises(RoleError, match="taken before"):
        office.desk.run(job, command)


def test_a_writing_command_is_taken_once_over_a_restart(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)
    command = office.desk.sign(office.zhao, "grade", PERIOD | {"incomplete": True})
    office.desk.run("grade", command)

    with pytest.raises(RoleError, match="taken before"):
        Desk(office.desk.city).run("grade", command)


def test_old_and_future_commands_are_refused(office: Office) -> None:
    clock = office.desk.city.clock
    command = office.desk.sign(office.sun, "members", {})
    clock.advance(seconds=301)
    with pytest.raises(RoleError, match="301 s ago"):
        office.desk.run("members", command)
    clock.advance(seconds=-400)
    with pytest.raises(RoleError, match="ahead of this clock"):
        office.desk.run("members", command)


def test_a_command_for_one_hub_is_none_for_another(office: Office, tmp_path: Path) -> None:
    command = office.desk.sign(office.sun, "members", {})
    with open_city(tmp_path / "p", Clock(), level="province", division="330000") as province:
        other = Desk(province)
        li = Person(name="li", key=office.li.key)
        other.register(li, "officer")
        other.register(Person(name="sun", key=office.sun.key), "auditor", by=li)
        with pytest.raises(RoleError, match="does not fit"):
            other.run("members", command)


def test_arguments_cannot_be_changed_on_the_way(office: Office) -> None:
    command = office.desk.sign(office.zhao, "grade", PERIOD)
    with pytest.raises(RoleError, match="does not fit"):
        office.desk.run("grade", command | {"period": "2025H2"})


def test_grades_are_published_by_two_people(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)
    waiting = asked(office, office.li, "publish", **PERIOD)
    assert not published(office.desk.city)

    listed = office.desk.ask(office.wang, "approvals")["rows"]
    assert [(one["id"], one["job"], one["asked_by"]) for one in listed] == [
        (waiting, "publish", "li")
    ]
    approved = office.desk.ask(office.wang, "approve", id=waiting)

    assert (approved["job"], approved["asked_by"]) == ("publish", "li")
    assert approved["result"]["is_new"]
    assert published(office.desk.city)
    with pytest.raises(ApprovalNeededError, match="Nothing waits"):
        office.desk.ask(office.wang, "approve", id=waiting)


def test_one_person_cannot_be_both_pairs_of_eyes(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)
    waiting = asked(office, office.li, "publish", **PERIOD)

    with pytest.raises(RoleError, match="cannot approve it as well"):
        office.desk.ask(office.li, "approve", id=waiting)
    twin = Person(name="li2", key=office.li.key)
    with pytest.raises(ApprovalNeededError):
        office.desk.register(twin, "officer", by=office.li)
    with pytest.raises(RoleError, match="nobody's name"):
        office.desk.ask(twin, "approve", id=waiting)
    assert not published(office.desk.city)


def test_one_key_is_one_person(desk: Desk) -> None:
    li = Person.named("li")
    desk.register(li, "officer")
    with pytest.raises(ConfigurationError, match="one key is one person"):
        desk.register(Person(name="li2", key=li.key), "reviewer", by=li)


def test_a_second_pair_of_eyes_is_not_made_by_the_first_alone(office: Office) -> None:
    """With two who can approve, one of them cannot register a third one by himself."""
    accomplice = Person.named("qian")
    with pytest.raises(ApprovalNeededError):
        office.desk.register(accomplice, "officer", by=office.li)
    with pytest.raises(ApprovalNeededError):
        office.desk.ask(office.li, "operator-retire", name="wang")


def test_the_same_asked_twice_waits_once(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)

    first = asked(office, office.li, "publish", **PERIOD)
    assert asked(office, office.li, "publish", **PERIOD) == first


def test_what_changed_meanwhile_is_asked_anew(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)
    waiting = asked(office, office.li, "publish", **PERIOD)
    office.desk.city.clock.advance(days=1)
    office.desk.ask(office.zhao, "grade", **PERIOD, incomplete=True, day="2026-06-29")

    with pytest.raises(ApprovalNeededError, match="has changed since 'li' asked"):
        office.desk.ask(office.wang, "approve", id=waiting)
    assert not published(office.desk.city)


def test_an_approval_waits_for_seven_days(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)
    waiting = asked(office, office.li, "publish", **PERIOD)
    office.desk.city.clock.advance(days=7)

    with pytest.raises(ApprovalNeededError, match="older than 7 days"):
        office.desk.ask(office.wang, "approve", id=waiting)
    assert office.desk.ask(office.wang, "approvals") == {"rows": []}


def test_what_somebody_asked_who_retired_since_is_void(office: Office, tmp_path: Path) -> None:
    graded(office, tmp_path)
    qian = Person.named("qian")
    arguments = {"name": "qian", "role": "officer", "key": qian.line}
    office.desk.ask(
        office.wang, "approve", id=asked(office, office.li, "operator-add", **arguments)
    )
    waiting = asked(office, qian, "publish", **PERIOD)
    leaves = asked(office, office.li, "operator-retire", name="qian")
    office.desk.ask(office.wang, "approve", id=leaves)

    with pytest.raises(RoleError, match="retired"):
        office.desk.ask(office.wang, "approve", id=waiting)
    with pytest.raises(RoleError, match="retired"):
        office.desk.ask(qian, "members")


def test_the_last_officer_stays(office: Office) -> None:
    waiting = asked(office, office.li, "operator-retire", name="li")
    with pytest.raises(RoleError, match="last officer"):
        office.desk.ask(office.wang, "approve", id=waiting)


def test_revoking_a_hub_needs_two_and_revoking_a_node_one(office: Office, tmp_path: Path) -> None:
    city = office.desk.city
    node = city.enrol(tmp_path / "node", "yixin://330302/node/H33030200001", "H33030200001")
    child = city.enrol(tmp_path / "child", CHILD)

    office.desk.ask(office.li, "revoke", member=node.member, reason="theft")
    waiting = asked(office, office.li, "revoke", member=child.member, reason="theft")
    with reading(city.parts.engine) as connection:
        assert {one.member: str(one.status) for one in members.list_members(connection)} == {
            node.member: "revoked",
            child.member: "active",
        }
    office.desk.ask(office.wang, "approve", id=waiting)
    with reading(city.parts.engine) as connection:
        found = members.find_member(connection, CHILD)
    assert found is not None
    assert found.status == "revoked"


@pytest.mark.parametrize(
    ("job", "rest"),
    [("packs-use", {}), ("packs-order", {"group": "all", "from_day": "2026-12-01"})],
)
def test_two_look_at_the_same_pack_not_at_the_newest(
    office: Office, job: str, rest: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError, match="--version"):
        office.desk.ask(office.li, job, version=None, **rest)
    assert asked(office, office.li, job, version="2026.12.1", **rest)


def test_an_agreement_bears_the_name_of_who_signed_the_command(city: City, office: Office) -> None:
    waiting = asked(office, office.li, "agreement-sign", terms="bank", officer="somebody else")
    office.desk.ask(office.wang, "approve", id=waiting)
    with reading(city.parts.engine) as connection:
        held = agreements.find_version(connection, "bank@1")
    assert held is not None
    assert held.officer == "wang"


def test_evidence_is_answered_by_two(office: Office, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    waiting = asked(office, office.li, "audit-export", out=str(out))
    assert not out.exists()

    office.desk.ask(office.wang, "approve", id=waiting)
    assert out.is_dir()


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("", "officer"),
        ("a b", "officer"),
        ("a" * 65, "officer"),
        ("l\u0456", "officer"),  # looks like the name of another person
        ("a", "public"),
    ],
)
def test_names_and_roles_are_well_formed(desk: Desk, name: str, role: str) -> None:
    with pytest.raises(ConfigurationError, match="Found the"):
        desk.register(Person(name=name, key=Person.named("x").key), role)


def test_a_name_may_be_chinese(desk: Desk) -> None:
    desk.register(Person(name="王_li-1.2", key=Person.named("x").key), "officer")


def test_the_public_is_no_role_of_a_person() -> None:
    assert sorted(REGISTERED) == ["auditor", "officer", "operator", "reviewer"]
