"""Signs of life: what each member said of itself last, and when the hub heard of it at all.

Port rules: of heartbeats only the newest of a member is kept; when a member was heard last is read
from the receipts of its chains' heads, and needs no row of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from hub.domain.heartbeats import DecodedHeartbeat, is_silent
from hub.domain.members import MemberKind, MemberStatus
from hub.store import members
from hub.store.proof_tables import heartbeat
from hub.store.refusals import RefusedAttempt, add_refusal
from hub.store.slot_index import upsert
from hub.store.tables import chain_head, envelope, receipt
from protos.yixin.v1 import exchange_pb2

__all__ = ["HeldHeartbeat", "find_heartbeat", "keep_heartbeat", "last_heard", "silent_members"]

SPEAKERS: Final = frozenset({MemberKind.NODE, MemberKind.HUB})
"""Kinds of members whose daemon sends heartbeats; departments only collect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldHeartbeat:
    """The newest heartbeat of a member, and its place in the log."""

    log_index: int
    said: DecodedHeartbeat


def keep_heartbeat(
    connection: Connection, member: str, said: DecodedHeartbeat, log_index: int
) -> None:
    """Keep a heartbeat in place of the one before.

    A log of operators that lost entries, or has others than it had, is kept as a refused attempt:
    a node that was restored from a backup, or one that hides what was done.
    """
    before = find_heartbeat(connection, member)
    if before is not None and (told := _contradiction(before.said, said)):
        attempt = RefusedAttempt(
            at_ms=said.at_ms, peer=member, method="heartbeat", code="LogRollbackError", cause=told
        )
        add_refusal(connection, attempt)
    connection.execute(
        upsert(connection, heartbeat),
        {
            "member": member,
            "log_index": log_index,
            "at_ms": said.at_ms,
            "ledger_size": said.ledger_size,
            "pack_digest": said.pack_digest,
            "program": said.program,
            "operator_log_head": said.operator_log_head,
            "operator_log_size": said.operator_log_size,
        },
    )


def find_heartbeat(connection: Connection, member: str) -> HeldHeartbeat | None:
    """The newest heartbeat of a member; None when it never sent one."""
    row = connection.execute(select(heartbeat).where(heartbeat.c.member == member)).first()
    if row is None:
        return None
    return HeldHeartbeat(
        log_index=row.log_index,
        said=DecodedHeartbeat(
            at_ms=row.at_ms,
            ledger_size=row.ledger_size,
            pack_digest=bytes(row.pack_digest),
            program=row.program,
            operator_log_head=bytes(row.operator_log_head),
            operator_log_size=row.operator_log_size,
        ),
    )


def _contradiction(before: DecodedHeartbeat, said: DecodedHeartbeat) -> str:
    """What is wrong with a log of operators; empty when it may have grown from the one before."""
    if said.operator_log_size < before.operator_log_size:
        return (
            f"its log of operators has {said.operator_log_size} entries and had "
            f"{before.operator_log_size}; ask whether it was restored from a backup"
        )
    same_size = said.operator_log_size == before.operator_log_size
    if same_size and said.operator_log_head != before.operator_log_head:
        return (
            f"its log of operators has {said.operator_log_size} entries, as before, but others: "
            f"head {said.operator_log_head.hex()}, was {before.operator_log_head.hex()}"
        )
    return ""


def silent_members(connection: Connection, now_ms: int) -> tuple[str, ...]:
    """Active members that speak by themselves, from which nothing came for too long, by id.

    Args:
        connection: A connection that reads.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    rows = [
        row
        for row in members.list_members(connection)
        if row.status is MemberStatus.ACTIVE and row.kind in SPEAKERS
    ]
    heard = last_heard(connection, [row.member for row in rows])
    return tuple(
        row.member
        for row in rows
        if is_silent(heard.get(row.member), row.joined_at_ms or 0, now_ms)
    )


def last_heard(connection: Connection, senders: Iterable[str]) -> dict[str, int]:
    """When the last envelope of each member was logged, milliseconds since the epoch, UTC.

    Args:
        connection: A connection that reads.
        senders: Members of interest; one that never sent anything is absent from the result.
    """
    at_head = (
        (envelope.c.sender == chain_head.c.sender)
        & (envelope.c.lane == chain_head.c.lane)
        & (envelope.c.incarnation == chain_head.c.incarnation)
        & (envelope.c.seq == chain_head.c.seq)
    )
    query = (
        select(chain_head.c.sender, receipt.c.body)
        .join_from(chain_head, envelope, at_head)
        .join(receipt, receipt.c.log_index == envelope.c.log_index)
        .where(chain_head.c.sender.in_(list(senders)))
    )
    found: dict[str, int] = {}
    for row in connection.execute(query):
        at_ms = exchange_pb2.ReceiptBody.FromString(row.body).logged_at_ms
        found[row.sender] = max(at_ms, found.get(row.sender, 0))
    return found
