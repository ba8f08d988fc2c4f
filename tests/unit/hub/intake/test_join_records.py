from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from hub.domain.statements import SlotRule
from hub.errors import StatementError
from hub.intake.join_records import decode_join_records
from hub.store import envelopes, join_records, quarantine
from hub.store.engine import reading
from hub.supervision.expiring import expire
from protos.yixin.v1 import clue_pb2, exchange_pb2
from scoring_kernel import load_catalog
from scoring_kernel.joining import JoinKind, staff_of
from tests.support import join_payloads as made
from tests.support.hub_city import FIRST, JOIN_LEAVES, NODE, OWN_LEAVES, THIRD, City, Sender
from tests.support.join_payloads import Record, join_day

if TYPE_CHECKING:
    from collections.abc import Callable

JOINING = load_catalog().joining
STAY = Record(who="ann", begins="2026-10-01 09:00", ends="2026-10-08 10:00", leaf=7)


def payload(*days: clue_pb2.JoinDay, kind: str = "stay", **changes: Any) -> bytes:  # noqa: ANN401 - fields of the message
    return made.join_records(kind, *days, **changes).SerializeToString(deterministic=True)


def send(city: City, node: Sender, content: bytes, **changes: object) -> int:
    """Submit a payload; the number of parts its receipt says were refused."""
    envelope = node.seal(content, payload_type="join_records", period="", **changes)
    (receipt,) = city.submit(envelope, peer=node.member)
    assert isinstance(receipt, exchange_pb2.Receipt), receipt
    return exchange_pb2.ReceiptBody.FromString(receipt.body).quarantined_parts


def held(city: City, kind: JoinKind = JoinKind.STAY) -> int:
    del kind
    with reading(city.parts.engine) as connection:
        return join_records.figures(connection).records


def faults(city: City) -> list[tuple[str, str]]:
    with reading(city.parts.engine) as connection:
        rows = quarantine.quarantined(connection)
    return [(str(row.fault.rule), row.fault.mend) for row in rows]


def test_records_are_kept_and_a_newer_version_replaces_them(city: City, node: Sender) -> None:
    other = Record(who="bob", begins="2026-10-05 09:00", ends="2026-10-08 12:00")
    assert send(city, node, payload(join_day(FIRST, [STAY, other]))) == 0
    assert held(city) == 2
    assert send(city, node, payload(join_day(FIRST, [STAY], version=3))) == 0
    assert held(city) == 1
    assert send(city, node, payload(join_day(FIRST, [STAY, other], version=2))) == 0
    assert held(city) == 1, "an older version changes nothing"
    assert send(city, node, payload(join_day(FIRST, [], day=20261008, version=4))) == 0
    assert held(city) == 0
    assert faults(city) == []


def test_parts_days_kinds_and_periods_are_apart(city: City, node: Sender) -> None:
    days = [join_day(FIRST, [STAY]), join_day(FIRST, [STAY], part=1)]
    assert send(city, node, payload(*days)) == 0
    seen = Record(who="ann", begins="2026-10-08 09:00")
    assert send(city, node, payload(join_day(FIRST, [seen]), kind="presence")) == 0
    pack = join_day(FIRST, [Record(who="pack", begins="2026-10-08 09:00")])
    assert send(city, node, payload(pack, kind="trace")) == 0
    assert held(city) == 4


def test_only_the_custodian_speaks_for_an_institution(
    city: City, node: Sender, other: Sender
) -> None:
    del other
    assert send(city, node, payload(join_day(THIRD, [STAY]), join_day(FIRST, [STAY]))) == 1
    assert held(city) == 1
    ((rule, mend),) = faults(city)
    assert rule == SlotRule.CUSTODY
    assert "ask the hub's officer" in mend


def test_an_expired_record_is_refused_with_its_day(city: City, node: Sender) -> None:
    old = Record(who="ann", begins="2026-04-20 09:00", ends="2026-05-01 09:00")
    assert send(city, node, payload(join_day(FIRST, [old]), period="2026H1")) == 1
    ((rule, mend),) = faults(city)
    assert rule == SlotRule.EXPIRED
    assert mend == (
        "the retention of stay records of 2026-05-01 ended on 2026-11-01; there is nothing to do"
    )
    young = Record(who="ann", begins="2026-04-20 09:00", ends="2026-05-02 09:00")
    assert send(city, node, payload(join_day(FIRST, [young]), period="2026H1")) == 0
    assert held(city) == 1


def test_a_day_that_is_yet_to_come_is_refused(city: City, node: Sender) -> None:
    late = Record(who="ann", begins="2026-11-01 09:00", ends="2026-11-02 09:00")
    assert send(city, node, payload(join_day(FIRST, [late]))) == 1
    assert faults(city)[0][0] == SlotRule.PERIOD


def test_a_record_of_another_period_than_its_token_is_refused(city: City, node: Sender) -> None:
    assert send(city, node, payload(join_day(FIRST, [STAY]), period="2026H1")) == 1
    ((rule, mend),) = faults(city)
    assert rule == SlotRule.PERIOD
    assert "leaf 7 is not of period 2026H1" in mend


def test_a_stay_over_the_border_is_of_both_periods(city: City, node: Sender) -> None:
    long = Record(who="ann", begins="2026-06-20 09:00", ends="2026-07-10 09:00")
    assert send(city, node, payload(join_day(FIRST, [long]), period="2026H1")) == 0
    assert send(city, node, payload(join_day(FIRST, [long]), period="2026H2")) == 0
    assert held(city) == 2


def test_what_is_kept_too_long_goes_and_its_envelope_is_emptied(city: City, node: Sender) -> None:
    young = Record(who="ann", begins="2026-04-20 09:00", ends="2026-05-02 09:00")
    day = join_day(FIRST, [young])
    assert send(city, node, payload(day, period="2026H1")) == 0
    first = OWN_LEAVES + JOIN_LEAVES
    with reading(city.parts.engine) as connection:
        assert envelopes.load_raw(connection, [first])[first]
    city.clock.at = datetime(2026, 11, 1, 16, tzinfo=UTC)
    assert send(city, node, payload(join_day(FIRST, [STAY]))) == 0
    expire(city.parts.engine, JOINING, city.clock())
    with reading(city.parts.engine) as connection:
        raw = envelopes.load_raw(connection, [first, first + 1])
        assert join_records.figures(connection).first_expiry == 20270410
    assert (raw[first], bool(raw[first + 1])) == (b"", True)
    assert held(city) == 1


def test_a_hub_may_not_send_join_records(city: City, tmp_path: Any) -> None:  # noqa: ANN401 - a path
    hub = city.enrol(tmp_path / "lower", "yixin://330301/hub/city")
    assert send(city, hub, payload(join_day(FIRST, [STAY]))) == 1
    assert "A hub may not send" in faults(city)[0][1]


def test_places_are_taken_from_the_custodian_only(city: City, node: Sender, other: Sender) -> None:
    del other
    places = [
        clue_pb2.Place(institution=code, latitude_e6=28_000_000, longitude_e6=120_000_000)
        for code in (FIRST, THIRD)
    ]
    places.append(clue_pb2.Place(institution=FIRST, latitude_e6=91_000_000))
    assert send(city, node, payload(join_day(FIRST, [STAY]), places=places)) == 0
    with reading(city.parts.engine) as connection:
        found = join_records.places(connection)
    assert {code: one.latitude_e6 for code, one in found.items()} == {FIRST: 28_000_000}


def changed(change: Callable[[clue_pb2.JoinDay], object]) -> clue_pb2.JoinDay:
    day = join_day(FIRST, [STAY])
    change(day)
    return day


def set_to(name: str, value: object) -> Callable[[clue_pb2.JoinDay], None]:
    return lambda day: setattr(day, name, value)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (set_to("institution", "330302199001011234"), SlotRule.INSTITUTION),
        (set_to("day", 20261301), SlotRule.MONTH),
        (set_to("day", 10000101), SlotRule.MONTH),
        (set_to("version", 0), SlotRule.SHAPE),
        (set_to("part", 256), SlotRule.SHAPE),
        (lambda day: day.rows.leaves.append(1), SlotRule.SHAPE),
        (lambda day: setattr(day.rows, "marks", b"\0" * 15), SlotRule.SHAPE),
        (lambda day: day.classes.append("XN05C"), SlotRule.SHAPE),
        (lambda day: day.rows.ends.__setitem__(0, day.rows.begins[0] - 1), SlotRule.SHAPE),
        (lambda day: day.rows.begins.__setitem__(0, -1), SlotRule.SHAPE),
        (lambda day: day.rows.ends.__setitem__(0, 2**40), SlotRule.SHAPE),
        (lambda day: day.rows.leaves.__setitem__(0, 2**63), SlotRule.SHAPE),
        (set_to("day", 20261009), SlotRule.ROWS),
    ],
)
def test_a_part_out_of_bounds_is_refused_alone(
    change: Callable[[clue_pb2.JoinDay], object], rule: SlotRule
) -> None:
    sound = join_day(FIRST, [STAY], part=9)
    found = decode_join_records(payload(changed(change), sound), JOINING)
    assert [part.part for part in found.parts] == [9]
    assert [fault.rule for fault in found.faults] == [rule]
    assert "ann" not in str(found.faults)


def test_a_part_stated_twice_counts_once() -> None:
    day = join_day(FIRST, [STAY])
    found = decode_join_records(payload(day, day), JOINING)
    assert len(found.parts) == 1
    assert [fault.rule for fault in found.faults] == [SlotRule.SLOT_TWICE]


def test_only_a_dispense_has_a_class() -> None:
    record = Record(who="ann", begins="2026-10-08 09:00", drug_class="XN05C")
    found = decode_join_records(payload(join_day(FIRST, [record]), kind="dispense"), JOINING)
    assert found.parts[0].rows[0].drug_class == "XN05C"
    bare = Record(who="ann", begins="2026-10-08 09:00")
    found = decode_join_records(payload(join_day(FIRST, [bare]), kind="dispense"), JOINING)
    assert [fault.rule for fault in found.faults] == [SlotRule.SHAPE]
    odd = join_day(FIRST, [Record(who="a", begins="2026-10-08 09:00", drug_class="xn 05")])
    found = decode_join_records(payload(odd, kind="dispense"), JOINING)
    assert [fault.rule for fault in found.faults] == [SlotRule.SHAPE]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xff", "no JoinRecords"),
        (payload(), "Found 0 days"),
        (payload(*[join_day(FIRST, [], day=20261008)] * 4097), "Found 4097 days"),
        (payload(join_day(FIRST, [STAY]), period="2026"), "of no period"),
        (payload(join_day(FIRST, [STAY]), keys_digest=b"short"), "named by 5 bytes"),
        (payload(join_day(FIRST, [STAY]), kind="trace", period="2026H2"), "have no period"),
        (clue_pb2.JoinRecords(period="2026H2").SerializeToString(), "kind 0 are not known"),
    ],
)
def test_a_payload_that_cannot_be_read_is_refused_whole(content: bytes, words: str) -> None:
    with pytest.raises(StatementError, match=words):
        decode_join_records(content, JOINING)


DOCTOR = "D330302000001"


def session(**changes: Any) -> Record:  # noqa: ANN401 - fields of the record
    values: dict[str, Any] = {
        "who": DOCTOR,
        "begins": "2026-10-08 09:00",
        "ends": "2026-10-08 11:00",
    }
    return Record(**(values | changes))


def test_a_session_names_staff_and_no_person() -> None:
    sound = payload(join_day(FIRST, [session()]), kind="session")
    (part,) = decode_join_records(sound, JOINING).parts
    assert staff_of(part.rows[0].mark) == DOCTOR
    odd = payload(join_day(FIRST, [session(who="330302199001")]), kind="session")
    found = decode_join_records(odd, JOINING)
    assert [fault.rule for fault in found.faults] == [SlotRule.SHAPE]
    assert "330302199001" not in str(found)
    long = session(begins="2026-10-06 09:00")
    found = decode_join_records(payload(join_day(FIRST, [long]), kind="session"), JOINING)
    assert [fault.rule for fault in found.faults] == [SlotRule.SHAPE]
    with pytest.raises(StatementError, match="have no period"):
        decode_join_records(
            payload(join_day(FIRST, [session()]), kind="session", period="2026H2"), JOINING
        )


def test_a_replayed_envelope_changes_nothing(city: City, node: Sender) -> None:
    envelope = node.seal(
        payload(join_day(FIRST, [STAY])), payload_type="join_records", data_class="join_record"
    )
    first = city.submit(envelope, peer=NODE)
    assert city.submit(envelope, peer=NODE) == first
    assert held(city) == 1
