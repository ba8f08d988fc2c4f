from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hub.errors import ConfigurationError
from hub.jobs import HubJobs
from hub.store import join_records
from protos.yixin.v1 import clue_pb2
from scoring_kernel import load_catalog
from scoring_kernel.joining import Join
from security.progress import no_progress
from tests.support import join_payloads as made
from tests.support.hub_city import FIRST, SECOND, THIRD, City, Sender
from tests.support.join_payloads import KEYS, Record, clue, clue_month, join_day, mark

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def city(city: City, node: Sender, other: Sender) -> City:
    """The hub with two nodes: one of two institutions, one of a third."""
    del node, other
    return city


def send(city: City, member: int, message: object) -> None:
    """Submit a payload of the first or the second node."""
    sender = list(city.senders.values())[member]
    is_clue = isinstance(message, clue_pb2.Clues)
    envelope = sender.seal(
        message.SerializeToString(),  # type: ignore[attr-defined]  # a message
        payload_type="clues" if is_clue else "join_records",
        data_class="clue" if is_clue else "join_record",
        period="",
    )
    city.submit(envelope, peer=sender.member)


def stays(city: City, *, version: int = 1, second: Sequence[Record] | None = None) -> None:
    """A stay of one person at each node; they overlap by two days and an hour."""
    first = Record(who="ann", begins="2026-10-01 09:00", ends="2026-10-05 10:00", leaf=11)
    later = Record(who="ann", begins="2026-10-03 09:00", ends="2026-10-09 09:00", leaf=22)
    send(city, 0, made.join_records("stay", join_day(FIRST, [first], version=version)))
    records = [later] if second is None else second
    day = join_day(THIRD, records, day=20261009, version=version)
    send(city, 1, made.join_records("stay", day))


def job(city: City, name: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON
    found = HubJobs(parts=city.parts).table()[name](arguments, no_progress)
    assert isinstance(found, dict)
    return found


def listed(city: City, **wanted: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as JSON
    rows: list[dict[str, Any]] = job(city, "clues", limit=50, **wanted)["rows"]
    return rows


def test_two_normal_stays_are_one_clue_with_its_sources(city: City) -> None:
    stays(city)
    report = job(city, "clues-join")
    assert report["found"]["overlapping_stays"] == 1
    assert (report["new"], report["updated"], report["unchanged"]) == (1, 0, 0)
    assert (report["gone"], report["records"]) == (0, 2)
    (row,) = listed(city)
    assert row["source"] == "J01"
    assert row["found_by"] == "hub"
    assert row["institution"] == THIRD
    assert row["person"] == f"R{mark('ann').hex()}"
    shown = job(city, "clue", id=row["id"][:8])
    assert shown["name_zh"] == "跨机构重叠住院"
    assert shown["detail"]["numbers"] == {"overlap_hours": 49}
    sources = shown["detail"]["sources"]
    assert [(one["institution"], one["leaf"]) for one in sources] == [(FIRST, 11), (THIRD, 22)]
    assert sources[0]["begins"] == "2026-10-01T09:00"
    assert mark("ann").hex() not in str(sources)


def test_joining_again_changes_nothing(city: City) -> None:
    stays(city)
    job(city, "clues-join")
    before = listed(city)
    city.clock.advance(hours=1)
    report = job(city, "clues-join")
    assert (report["new"], report["updated"], report["unchanged"]) == (0, 0, 1)
    assert report["gone"] == 0
    assert listed(city) == before


def test_stays_at_a_border_are_one_clue_under_two_tokens(city: City) -> None:
    """The same records travel under the tokens of both periods: one finding, not two."""
    for period, who in (("2026H1", "ann in spring"), ("2026H2", "ann in autumn")):
        first = Record(who=who, begins="2026-06-25 09:00", ends="2026-07-05 10:00", leaf=11)
        later = Record(who=who, begins="2026-07-01 09:00", ends="2026-07-09 09:00", leaf=22)
        send(city, 0, made.join_records("stay", join_day(FIRST, [first]), period=period))
        send(city, 1, made.join_records("stay", join_day(THIRD, [later]), period=period))
    report = job(city, "clues-join")
    assert report["found"]["overlapping_stays"] == 1
    assert (report["new"], report["updated"], report["unchanged"]) == (1, 0, 0)
    (row,) = listed(city)
    assert row["person"] == f"R{mark('ann in autumn').hex()}", "that of the later stay's period"
    city.clock.advance(hours=1)
    report = job(city, "clues-join")
    assert (report["new"], report["updated"], report["unchanged"]) == (0, 0, 1)


def test_a_finding_that_says_something_else_is_updated(city: City) -> None:
    stays(city)
    job(city, "clues-join")
    longer = Record(who="ann", begins="2026-10-04 09:00", ends="2026-10-09 09:00", leaf=22)
    stays(city, version=2, second=[longer])
    city.clock.advance(hours=1)
    report = job(city, "clues-join")
    assert (report["new"], report["updated"], report["unchanged"]) == (0, 1, 0)
    shown = job(city, "clue", id=listed(city)[0]["id"])
    assert shown["detail"]["numbers"] == {"overlap_hours": 25}


def test_a_corrected_stay_takes_the_finding_back_and_keeps_it(city: City) -> None:
    stays(city)
    job(city, "clues-join")
    stays(city, version=2, second=[])
    city.clock.advance(hours=1)
    assert job(city, "clues-join")["gone"] == 1
    assert listed(city) == []
    (row,) = listed(city, gone=True)
    assert row["gone"]
    stays(city, version=3)
    city.clock.advance(hours=1)
    report = job(city, "clues-join")
    assert (report["new"], report["updated"], report["unchanged"]) == (0, 1, 0)
    assert len(listed(city)) == 1


def test_what_expired_is_deleted_and_its_finding_stays(city: City) -> None:
    stays(city)
    job(city, "clues-join")
    city.clock.at = datetime(2027, 4, 6, 16, tzinfo=UTC)
    report = job(city, "clues-join")
    assert (report["expired"], report["gone"], report["records"]) == (1, 0, 1)
    assert len(listed(city)) == 1


def test_all_joins_are_found_side_by_side(city: City) -> None:
    stays(city)
    at = "2026-10-20 09:00"
    moments = [
        ("presence", Record(who="bob", begins=at), Record(who="bob", begins="2026-10-20 09:10")),
        ("trace", Record(who="pack", begins=at), Record(who="pack", begins="2026-10-20 17:00")),
    ]
    for kind, first, second in moments:
        send(city, 0, made.join_records(kind, join_day(FIRST, [first])))
        send(city, 1, made.join_records(kind, join_day(THIRD, [second])))
    drug = Record(who="eve", begins=at, drug_class="XN05C")
    for sender, place in ((0, FIRST), (0, SECOND), (1, THIRD)):
        send(city, sender, made.join_records("dispense", join_day(place, [drug])))
    doctor = "D330302000001"
    for sender, place, begins in ((0, FIRST, "09:00"), (1, THIRD, "10:00")):
        session = Record(
            who=doctor, begins=f"2026-10-20 {begins}", ends="2026-10-20 11:31", leaf=sender
        )
        send(city, sender, made.join_records("session", join_day(place, [session])))
        named = clue(sender + 1, person=b"", staff=[doctor], score=400)
        send(city, sender, clue_pb2.Clues(months=[clue_month(place, named)]))
    joining = load_catalog().joining
    rule = joining.joins[Join.DOCTOR_SHOPPING]
    lower = {**rule.parameters, "min_institutions": _number(rule.parameters, 3)}
    rules = {**joining.joins, Join.DOCTOR_SHOPPING: replace(rule, parameters=lower)}
    catalog = replace(city.parts.catalog, joining=replace(joining, joins=rules))
    city.parts = replace(city.parts, catalog=catalog)
    report = job(city, "clues-join")
    assert report["found"] == dict.fromkeys(map(str, Join), 1)
    by_source = {row["source"]: row for row in listed(city) if row["found_by"] == "hub"}
    assert sorted(by_source) == ["J01", "J02", "J03", "J04", "J05", "J06"]
    assert by_source["J03"]["person"] is None
    shown = job(city, "clue", id=by_source["J03"]["id"])
    assert shown["detail"]["trace_digest"] == mark("pack").hex()
    shown = job(city, "clue", id=by_source["J04"]["id"])
    assert {one["drug_class"] for one in shown["detail"]["sources"]} == {"XN05C"}
    for source in ("J05", "J06"):
        assert (by_source[source]["person"], by_source[source]["staff"]) == (None, [doctor])
        shown = job(city, "clue", id=by_source[source]["id"])
        assert shown["detail"]["trace_digest"] is None
        assert [one["institution"] for one in shown["detail"]["sources"]] == [FIRST, THIRD]
    assert {row["source"] for row in listed(city, staff=doctor)} == {"M33", "J05", "J06"}


def test_staff_with_a_clue_at_one_node_only_are_no_finding(city: City) -> None:
    doctor = "D330302000001"
    two = (clue_month(FIRST, clue(1)), clue_month(SECOND, clue(2)))
    send(city, 0, clue_pb2.Clues(months=two))
    assert job(city, "clues-join")["found"]["staff_at_several_nodes"] == 0
    light = clue(3, person=b"", score=399)
    send(city, 1, clue_pb2.Clues(months=[clue_month(THIRD, light)]))
    assert job(city, "clues-join")["found"]["staff_at_several_nodes"] == 0, "too small a score"
    heavy = clue(3, person=b"", score=400)
    send(city, 1, clue_pb2.Clues(months=[clue_month(THIRD, heavy, version=2)]))
    assert job(city, "clues-join")["found"]["staff_at_several_nodes"] == 1
    send(city, 1, clue_pb2.Clues(months=[clue_month(THIRD, version=3)]))
    city.clock.advance(hours=1)
    report = job(city, "clues-join")
    assert (report["found"]["staff_at_several_nodes"], report["gone"]) == (0, 1)
    assert {row["source"] for row in listed(city, staff=doctor)} == {"M33"}


def _number(parameters: Any, value: int) -> Any:  # noqa: ANN401 - a dated parameter
    held = parameters["min_institutions"]
    return replace(held, values=(replace(held.values[0], amounts={"": value * 1_000_000}),))


def test_a_clue_shows_what_else_is_known_of_the_same_person_and_staff(city: City) -> None:
    stays(city)
    send(city, 0, clue_pb2.Clues(months=[clue_month(FIRST, clue(1))]))
    same_doctor = clue(2, person=b"", source="M16")
    send(city, 1, clue_pb2.Clues(months=[clue_month(THIRD, same_doctor)]))
    job(city, "clues-join")
    shown = job(city, "clue", id=(1).to_bytes(16, "big").hex())
    assert [row["source"] for row in shown["related"]] == ["J01", "M16", "J06"]
    rows = listed(city, person=f"R{mark('ann').hex()}")
    assert {row["source"] for row in rows} == {"J01", "M33"}
    assert {row["source"] for row in listed(city, staff="D330302000001")} == {"M33", "M16", "J06"}


@pytest.mark.parametrize(
    ("text", "words"),
    [("zz", "expected the id"), ("ab", "expected the id"), ("abcdef", "No clue has")],
)
def test_an_id_that_names_no_clue_is_said(city: City, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        job(city, "clue", id=text)


def test_an_id_that_fits_several_is_said(city: City) -> None:
    send(city, 0, clue_pb2.Clues(months=[clue_month(FIRST, clue(1), clue(2))]))
    with pytest.raises(ConfigurationError, match="Several clues"):
        job(city, "clue", id="0000")


def test_a_persons_number_is_no_pseudonym(city: City) -> None:
    with pytest.raises(ConfigurationError, match="goes by a pseudonym") as caught:
        listed(city, person="330302199001011234")
    assert "330302199001011234" not in str(caught.value)


def test_tokens_under_two_keys_are_reported_and_never_meet(city: City) -> None:
    stays(city)
    odd = Record(who="zoe", begins="2026-10-03 09:00", ends="2026-10-09 09:00")
    day = join_day(FIRST, [odd], day=20261009)
    message = made.join_records("stay", day, keys_digest=bytes(reversed(KEYS[:-1] + b"x")))
    send(city, 0, message)
    report = job(city, "clues-join")
    assert report["key_faults"] == {"2026H2": 2}


def test_a_mark_that_is_everybodys_is_told_and_stops_nobody(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join_records, "MAX_ROWS", 3)
    stays(city)
    crowd = [
        Record(who="all", begins="2026-10-03 09:00", ends="2026-10-09 09:00", leaf=leaf)
        for leaf in range(4)
    ]
    day = join_day(SECOND, crowd[:2], day=20261009)
    send(city, 0, made.join_records("stay", day))
    ann = Record(who="ann", begins="2026-10-03 09:00", ends="2026-10-09 09:00", leaf=22)
    day = join_day(THIRD, [*crowd[2:], ann], version=2)
    send(city, 1, made.join_records("stay", day))
    report = job(city, "clues-join")
    assert report["crowded"] == {"stay": 1}
    assert report["found"]["overlapping_stays"] == 1


def test_marks_are_read_page_by_page(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join_records, "_PAGE", 2)
    people = [f"p{number}" for number in range(7)]
    for sender, place, begins in ((0, FIRST, "01"), (1, THIRD, "03")):
        records = [
            Record(who=who, begins=f"2026-10-{begins} 09:00", ends="2026-10-09 09:00", leaf=leaf)
            for leaf, who in enumerate(people)
        ]
        send(city, sender, made.join_records("stay", join_day(place, records)))
    assert job(city, "clues-join")["found"]["overlapping_stays"] == 7


def test_the_status_tells_what_is_held(city: City) -> None:
    stays(city)
    send(city, 0, clue_pb2.Clues(months=[clue_month(FIRST, clue(1))]))
    job(city, "clues-join")
    found = job(city, "status")
    assert found["clues"] == {"stated": 1, "joined": 1}
    assert found["join_records"] == {
        "parts": 2,
        "records": 2,
        "members": 2,
        "first_expiry": 20270407,
    }
