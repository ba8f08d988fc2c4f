"""When a heartbeat is due, what it says, and that no more than one waits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hub.domain.heartbeats import EVERY_MS
from hub.intake.heartbeats import decode_heartbeat
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.exchange.heartbeats import QUIET_MS, Vitals, append_heartbeat
from security.moments import to_ms
from tests.support.exchange_member import numbers
from tests.support.members import HUB, NOW

if TYPE_CHECKING:
    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember

CONTROL = envelope_pb2.LANE_CONTROL
VITALS = Vitals(
    program="1.2.3", ledger_size=7, pack_digest=bytes(32), operator_log=(4, b"\x01" * 32)
)


def beat(member: ExchangeMember, *, hours: float = 0, starting: bool = False) -> bool:
    with member.engine.begin() as conn:
        return append_heartbeat(
            conn,
            member.outbox,
            HUB,
            VITALS,
            member.inbox.heads(conn, HUB),
            now_ms=to_ms(NOW + timedelta(hours=hours)),
            starting=starting,
        )


async def test_a_daemon_that_starts_says_where_the_member_stands(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(2))
    hub.send_down(b"down")
    await member.sync()
    await member.collect()

    assert beat(member, starting=True)
    await member.sync()

    (payload,) = hub.payloads(lane=CONTROL)
    said = decode_heartbeat(payload, to_ms(NOW))
    assert (said.ledger_size, said.program, said.operator_log_size) == (7, "1.2.3", 4)
    found = exchange_pb2.Heartbeat.FromString(payload)
    assert [(head.lane, head.seq) for head in found.sent] == [(3, 2)]
    assert [(head.lane, head.seq) for head in found.received] == [(3, 1)]
    (stored,) = hub.chain(lane=CONTROL).stored
    assert (stored.header.purpose, stored.header.data_class) == ("operation", "operation")


async def test_who_sends_other_things_sends_none_for_a_day(member: ExchangeMember) -> None:
    member.append(*numbers(1))
    await member.sync()
    assert beat(member, starting=True)
    await member.sync()

    assert not beat(member, hours=5.9)
    member.append(b"waits")
    assert not beat(member, hours=7)
    assert beat(member, hours=24)


async def test_one_is_due_after_six_hours_of_silence(member: ExchangeMember) -> None:
    assert QUIET_MS == EVERY_MS
    # A member that never sent anything has not begun.
    assert not beat(member, hours=900)
    member.append(*numbers(1))
    await member.sync()
    assert not beat(member, hours=5.99)
    assert beat(member, hours=6)


async def test_a_week_without_a_line_brings_one_heartbeat(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(1))
    await member.sync()
    made = [beat(member, hours=6 * turn, starting=turn % 5 == 0) for turn in range(1, 29)]
    assert sum(made) == 1
    member.seal()
    assert not beat(member, hours=300, starting=True)

    await member.sync()
    assert len(hub.payloads(lane=CONTROL)) == 1
