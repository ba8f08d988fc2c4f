"""Heartbeats: what is kept of one, what is refused, and who counts as silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.admission_jobs import AdmissionJobs
from hub.domain.heartbeats import SILENT_AFTER_MS, is_silent
from hub.errors import StatementError
from hub.intake.heartbeats import decode_heartbeat
from hub.status import hub_status
from hub.store import members
from hub.store.engine import reading, writing
from hub.store.heartbeats import find_heartbeat, last_heard, silent_members
from hub.store.quarantine import count
from hub.store.refusals import recent
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.progress import no_progress
from tests.support.hub_city import JOIN_LEAVES, NODE, OTHER, OWN_LEAVES

if TYPE_CHECKING:
    from tests.support.hub_city import City, Sender

NOW_MS = 1_793_505_600_000


def heartbeat(**changes: Any) -> bytes:  # noqa: ANN401  # parts of any type
    parts: dict[str, Any] = {
        "format": 1,
        "at_ms": NOW_MS,
        "sent": [
            exchange_pb2.ChainHead(
                lane=envelope_pb2.LANE_BULK, incarnation=1, seq=7, hash=bytes(32)
            )
        ],
        "ledger_size": 12,
        "pack_digest": bytes(32),
        "program": "1.2.3",
        "operator_log_head": bytes(32),
        "operator_log_size": 3,
    }
    return exchange_pb2.Heartbeat(**(parts | changes)).SerializeToString()


def test_a_heartbeat_is_read() -> None:
    found = decode_heartbeat(heartbeat(), NOW_MS)

    assert (found.at_ms, found.ledger_size, found.program) == (NOW_MS, 12, "1.2.3")
    assert (found.operator_log_size, found.pack_digest) == (3, bytes(32))


def test_one_that_waited_in_an_outbox_is_read() -> None:
    assert decode_heartbeat(heartbeat(at_ms=1), NOW_MS).at_ms == 1


HEAD = exchange_pb2.ChainHead(lane=envelope_pb2.LANE_BULK, incarnation=1, seq=7, hash=bytes(32))


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"\xff", "malformed"),
        (heartbeat() + b"\xf8\x01\x00", "malformed"),
        (heartbeat()[:-1], "malformed"),
        (bytes(9_000), "malformed"),
        (heartbeat(format=2), "format 2, expected 1"),
        (heartbeat(at_ms=NOW_MS + 86_400_001), "its clock is 86400 s ahead"),
        (heartbeat(at_ms=0), "never set"),
        (heartbeat(at_ms=-1), "never set"),
        (heartbeat(ledger_size=2**63), "out of bounds"),
        (heartbeat(operator_log_size=2**63), "out of bounds"),
        (heartbeat(pack_digest=bytes(31)), "a digest has not 32 bytes"),
        (heartbeat(operator_log_head=bytes(33)), "a digest has not 32 bytes"),
        (heartbeat(program="x" * 65), "no printable word"),
        (heartbeat(program="1.0\x1b[2J"), "no printable word"),
        (heartbeat(sent=[HEAD, HEAD]), "twice"),
        (
            heartbeat(received=[exchange_pb2.ChainHead(lane=envelope_pb2.LANE_BULK, hash=b"x")]),
            "bytes of hash",
        ),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "payload",
)
def test_a_malformed_one_is_refused_and_told_why(payload: bytes, told: str) -> None:
    with pytest.raises(StatementError, match=told):
        decode_heartbeat(payload, NOW_MS)


@given(payload=st.binary(max_size=400))
def test_any_bytes_are_a_heartbeat_or_our_error(payload: bytes) -> None:
    try:
        decode_heartbeat(payload, NOW_MS)
    except StatementError as error:
        assert str(error).startswith("The heartbeat is malformed")  # noqa: PT017


CONTROL: dict[str, Any] = {
    "payload_type": "heartbeat",
    "purpose": "operation",
    "data_class": "operation",
    "lane": envelope_pb2.LANE_CONTROL,
    "period": "",
}


def test_the_newest_is_kept_and_the_member_was_heard(city: City, node: Sender) -> None:
    with reading(city.parts.engine) as connection:
        assert find_heartbeat(connection, NODE) is None
        assert last_heard(connection, [NODE, OTHER]) == {}

    city.submit(node.seal(heartbeat(at_ms=city.clock.ms), **CONTROL))
    city.clock.advance(hours=6)
    city.submit(node.seal(heartbeat(at_ms=city.clock.ms, ledger_size=13), **CONTROL))

    with reading(city.parts.engine) as connection:
        held = find_heartbeat(connection, NODE)
        assert held is not None
        assert (held.said.ledger_size, held.said.at_ms) == (13, city.clock.ms)
        assert held.log_index == OWN_LEAVES + JOIN_LEAVES + 1
        assert last_heard(connection, [NODE, OTHER]) == {NODE: city.clock.ms}
        assert count(connection) == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"operator_log_size": 2}, "has 2 entries and had 3"),
        ({"operator_log_head": b"x" * 32}, "3 entries, as before, but others"),
        ({"operator_log_size": 0, "operator_log_head": b""}, "has 0 entries and had 3"),
        ({"operator_log_size": 4, "operator_log_head": b"x" * 32}, ""),
        ({}, ""),
    ],
)
def test_a_log_of_operators_that_lost_entries_is_kept_as_a_refusal(
    city: City, node: Sender, changes: dict[str, Any], told: str
) -> None:
    city.submit(node.seal(heartbeat(at_ms=city.clock.ms), **CONTROL))
    city.submit(node.seal(heartbeat(at_ms=city.clock.ms, **changes), **CONTROL))

    with reading(city.parts.engine) as connection:
        found = [one for one in recent(connection) if one.method == "heartbeat"]
        assert find_heartbeat(connection, NODE) is not None
    assert [(one.peer, one.code) for one in found] == [(NODE, "LogRollbackError")] * bool(told)
    assert all(told in one.cause for one in found)


def test_a_malformed_one_is_quarantined_and_the_chain_goes_on(city: City, node: Sender) -> None:
    city.submit(node.seal(b"\xff", **CONTROL))
    city.submit(node.seal(heartbeat(at_ms=city.clock.ms), **CONTROL))

    with reading(city.parts.engine) as connection:
        assert count(connection) == 1
        assert find_heartbeat(connection, NODE) is not None


def test_silence_begins_after_two_heartbeats_and_an_hour() -> None:
    assert not is_silent(NOW_MS, 0, NOW_MS + SILENT_AFTER_MS)
    assert is_silent(NOW_MS, 0, NOW_MS + SILENT_AFTER_MS + 1)
    # Who has just joined is not silent yet.
    assert not is_silent(None, NOW_MS, NOW_MS + SILENT_AFTER_MS)


def test_silent_members_are_named_and_revoked_ones_are_not(
    city: City, node: Sender, other: Sender
) -> None:
    def silent() -> tuple[str, ...]:
        with reading(city.parts.engine) as connection:
            return silent_members(connection, city.clock.ms)

    assert silent() == ()
    city.clock.advance(hours=13)
    city.submit(node.seal(heartbeat(at_ms=city.clock.ms), **CONTROL))
    assert silent() == ()
    city.clock.advance(hours=1)
    assert silent() == (OTHER,)

    rows = AdmissionJobs(parts=city.parts).members({}, no_progress)["rows"]
    assert {row["member"]: row["silent"] for row in rows} == {NODE: "", OTHER: "silent"}
    assert hub_status(city.parts)["silent_members"] == [OTHER]
    with writing(city.parts.engine) as connection:
        members.revoke(connection, other.member, "theft", city.clock.ms)
    assert silent() == ()
