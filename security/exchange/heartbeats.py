"""Heartbeats (心跳): a member that has nothing to send says that it lives, and where it stands.

Rules:
    1. One is due when a daemon starts; when the hub receipted nothing for six hours and nothing
       waits; and when the last one is a day old, so that a busy member states its logs as well.
    2. One at most waits: a line that is down for a week brings one heartbeat, not thirty.
    3. It goes on the control lane, sealed and receipted like everything else: the hub's log fixes
       what a member said of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.exchange.heads import to_chain_head
from security.exchange.tables import RECEIPTED, outbox, receipts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from security.chain import ChainPosition
    from security.exchange.outbox import Outbox

PAYLOAD_TYPE: Final = "heartbeat"
PURPOSE: Final = "operation"
FORMAT: Final = 1
QUIET_MS: Final = 6 * 3_600_000
"""Time without a receipt after which one is due, milliseconds."""
DAILY_MS: Final = 24 * 3_600_000
"""Time after which one is due in any case, milliseconds."""
PROGRAM_CHARS: Final = 64

_MARK_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """What a member says of itself."""

    program: str
    """Version of its program."""
    ledger_size: int = 0
    """Leaves of its record tree."""
    pack_digest: bytes = b""
    """SHA-256 of the pack in force, or empty."""
    operator_log: tuple[int, bytes] = (0, b"")
    """Entries of its operator log, and the head of their chain."""


def append_heartbeat(
    conn: Connection,
    sender: Outbox,
    hub: str,
    vitals: Vitals,
    received: Mapping[int, ChainPosition],
    *,
    now_ms: int,
    starting: bool = False,
) -> bool:
    """Queue a heartbeat where one is due.

    Args:
        conn: Connection in a transaction.
        sender: The member's outbox.
        hub: Member id of the hub.
        vitals: What the member says of itself.
        received: Heads of what it received from the hub, by lane.
        now_ms: Present moment, milliseconds since the epoch, UTC.
        starting: Whether a daemon has just started (rule 1).

    Returns:
        Whether one was queued.
    """
    if not _is_due(conn, sender, hub, now_ms, starting=starting):
        return False
    sent = sender.heads(conn, hub)
    entries, head = vitals.operator_log
    payload = exchange_pb2.Heartbeat(
        format=FORMAT,
        at_ms=now_ms,
        sent=[to_chain_head(lane, sent[lane]) for lane in sorted(sent)],
        received=[to_chain_head(lane, received[lane]) for lane in sorted(received)],
        ledger_size=vitals.ledger_size,
        pack_digest=vitals.pack_digest,
        program=vitals.program[:PROGRAM_CHARS],
        operator_log_head=head,
        operator_log_size=entries,
    )
    sender.append(
        conn,
        recipient=hub,
        lane=envelope_pb2.LANE_CONTROL,
        payload_type=PAYLOAD_TYPE,
        schema_version=1,
        purpose=PURPOSE,
        data_class=PURPOSE,
        period="",
        payload=payload.SerializeToString(deterministic=True),
        marks={_mark(hub): now_ms.to_bytes(_MARK_BYTES)},
    )
    return True


def _is_due(conn: Connection, sender: Outbox, hub: str, now_ms: int, *, starting: bool) -> bool:
    waiting = select(func.count()).where(
        outbox.c.recipient == hub,
        outbox.c.payload_type == PAYLOAD_TYPE,
        outbox.c.state != RECEIPTED,
    )
    if conn.execute(waiting).scalar_one():
        return False  # 2.
    if starting:
        return True
    mark = sender.get_mark(conn, _mark(hub))
    if mark is not None and now_ms - int.from_bytes(mark) >= DAILY_MS:
        return True
    last = (
        select(receipts.c.logged_at_ms)
        .where(receipts.c.hub == hub)
        .order_by(receipts.c.id.desc())
        .limit(1)
    )
    heard_at_ms = conn.execute(last).scalar_one_or_none()
    if heard_at_ms is None:
        return False  # Nothing was ever sent: the member has not begun.
    return now_ms - heard_at_ms >= QUIET_MS and not sender.pending(conn, hub).total


def _mark(hub: str) -> str:
    return f"{PAYLOAD_TYPE}/{hub}"
