"""Checkpoints that a member saw of its hub's log: a later log must continue what was seen.

Steps, in order (``watch_log``):
    0. The checkpoint is signed by the pinned anchor, for the anchor's log or one that followed it.
    1. Nothing was seen of that log: it is kept. A later log of the hub says that leaves were lost;
       it is kept beside the earlier ones and shown, and an earlier log is refused from then on.
    2. The same size: the same root, or the hub shows two histories.
    3. A smaller size: the log was rolled back.
    4. A larger size: the hub proves that the log continues what was seen, or shows two histories.
A contradiction is kept with both signed checkpoints, as evidence against the hub, which is shown
what it signed before; nothing else is sent, so what the member holds is not lost to a hub that
forgets.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio
from sqlalchemy import delete, func, insert, select

from protos.yixin.v1 import transparency_pb2, transparency_pb2_grpc
from security.errors import LogCorruptError, LogRollbackError
from security.exchange.tables import log_contradictions, seen_logs
from security.exchange.wire_errors import rpc_error
from security.merkle import verify_consistency
from security.moments import to_ms
from security.transparency import Checkpoint, find_origin_number, verify_checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

    from security.exchange.membership import Membership

MAX_PATH: Final = 128
"""Hashes of the longest consistency proof that is read: twice the height of the largest tree."""
MAX_CONTRADICTIONS: Final = 100
"""Kept at most: the first one is the evidence, the others repeat it."""
CALL_TIMEOUT_S: Final = 60.0


async def watch_log(
    channel: grpc.aio.Channel,
    engine: Engine,
    membership: Membership,
    note: str,
    now: datetime,
) -> bool:
    """Judge the hub's newest checkpoint against what was seen before, and keep it.

    Args:
        channel: Channel to the hub.
        engine: The member's exchange database.
        membership: Who looks, and the hub.
        note: Signed checkpoint as received; empty when the hub publishes none.
        now: Present moment, UTC-aware.

    Returns:
        Whether something new was seen.

    Raises:
        LogCorruptError: It is no checkpoint of the hub's log, or not signed by its anchor.
        LogRollbackError: The log is smaller than it was, or contradicts what was seen.
        HubUnreachableError: The line broke while the hub should prove; run again.
        HubRefusedError: The hub does not prove that its log continues what was seen.
    """
    if not note:
        return False
    # 0.
    stated = verify_checkpoint(note, membership.anchor)
    try:
        held = await asyncio.to_thread(_compared, engine, membership, stated, note, now)
        if held is None:
            return True
        if held.checkpoint.size == stated.size:
            return False
        # 4.
        path = await _prove(channel, membership.hub_id, held.checkpoint.size, stated.size)
        await asyncio.to_thread(_continue, engine, membership, held, (stated, note, path), now)
    except LogRollbackError:
        await _tell(channel, engine, membership)
        raise
    return True


async def _tell(channel: grpc.aio.Channel, engine: Engine, membership: Membership) -> None:
    """Show the hub what it signed before, so that a restored one stops of itself."""
    with engine.begin() as conn:
        seen = list_seen(conn, membership.hub_id)
    request = transparency_pb2.CosignRequest(note=seen[-1].note)
    with contextlib.suppress(grpc.aio.AioRpcError):
        # Whether it hears or not: nothing is sent to it, and the evidence stays here.
        await transparency_pb2_grpc.TransparencyStub(channel).Cosign(
            request, timeout=CALL_TIMEOUT_S
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLog:
    """The newest checkpoint seen of one log."""

    checkpoint: Checkpoint
    """The checkpoint, verified when it was kept."""
    note: str
    """The signed note it was read from."""


def find_seen(conn: Connection, origin: str) -> SeenLog | None:
    """The newest checkpoint seen of a log; None when none was."""
    row = conn.execute(select(seen_logs).where(seen_logs.c.origin == origin)).one_or_none()
    if row is None:
        return None
    return _seen(row)


def list_seen(conn: Connection, hub: str) -> list[SeenLog]:
    """The newest checkpoint seen of each log of a hub; more than one says that leaves were lost."""
    query = select(seen_logs).where(seen_logs.c.hub == hub).order_by(seen_logs.c.seen_at_ms)
    return [_seen(row) for row in conn.execute(query)]


def _seen(row: Row[tuple[object, ...]]) -> SeenLog:
    checkpoint = Checkpoint(origin=row.origin, size=row.size, root=bytes(row.root))
    return SeenLog(checkpoint=checkpoint, note=row.note)


def count_contradictions(conn: Connection) -> int:
    """How many contradictions of hubs' logs are kept as evidence."""
    return int(conn.execute(select(func.count()).select_from(log_contradictions)).scalar_one())


def _compared(
    engine: Engine, membership: Membership, stated: Checkpoint, note: str, now: datetime
) -> SeenLog | None:
    """Steps 1 to 3; None when nothing was seen of the log, which is kept then."""
    first = membership.anchor.log_origin
    number = find_origin_number(first, stated.origin) or 1
    with engine.begin() as conn:
        held = find_seen(conn, stated.origin)
        later = [
            one
            for one in list_seen(conn, membership.hub_id)
            if (find_origin_number(first, one.checkpoint.origin) or 1) > number
        ]
        fault: tuple[SeenLog, str] | None = None
        if later:
            # 1.
            fault = (later[-1], f"it went back from {later[-1].checkpoint.origin}")
        elif held is None:
            _keep(conn, membership.hub_id, stated, note, now)
            return None
        elif stated.size == held.checkpoint.size and stated.root != held.checkpoint.root:
            # 2.
            fault = (held, f"two different logs of {stated.size} leaves are signed")
        elif stated.size < held.checkpoint.size:
            # 3.
            fault = (held, f"{held.checkpoint.size} leaves were seen before, now {stated.size}")
        if fault is not None:
            _keep_contradiction(conn, fault[0], note, (), now)
    if fault is not None:
        raise _rollback(membership.hub_id, stated.origin, fault[1])
    return held


def _continue(
    engine: Engine,
    membership: Membership,
    held: SeenLog,
    stated: tuple[Checkpoint, str, Sequence[bytes]],
    now: datetime,
) -> None:
    """Step 4: the proof holds, or the two checkpoints are evidence."""
    checkpoint, note, path = stated
    seen = held.checkpoint
    try:
        verify_consistency(seen.size, checkpoint.size, path, seen.root, checkpoint.root)
    except LogCorruptError as error:
        with engine.begin() as conn:
            _keep_contradiction(conn, held, note, path, now)
        raise _rollback(
            membership.hub_id,
            checkpoint.origin,
            f"{checkpoint.size} leaves are not shown to continue the {seen.size} seen before",
        ) from error
    with engine.begin() as conn:
        newest = find_seen(conn, checkpoint.origin)
        if newest is None or newest.checkpoint.size < checkpoint.size:
            _keep(conn, membership.hub_id, checkpoint, note, now)


async def _prove(
    channel: grpc.aio.Channel, hub: str, old_size: int, size: int
) -> tuple[bytes, ...]:
    """Ask for a consistency proof; an empty one where none is needed."""
    if old_size == 0:
        return ()
    request = transparency_pb2.ProofRequest(old_size=old_size, size=size, consistency=True)
    try:
        proof = await transparency_pb2_grpc.TransparencyStub(channel).Prove(
            request, timeout=CALL_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        raise rpc_error(error, hub) from error
    return tuple(proof.path[:MAX_PATH])


def _keep(conn: Connection, hub: str, checkpoint: Checkpoint, note: str, now: datetime) -> None:
    conn.execute(delete(seen_logs).where(seen_logs.c.origin == checkpoint.origin))
    conn.execute(
        insert(seen_logs).values(
            origin=checkpoint.origin,
            hub=hub,
            size=checkpoint.size,
            root=checkpoint.root,
            note=note,
            seen_at_ms=to_ms(now),
        )
    )


def _keep_contradiction(
    conn: Connection,
    held: SeenLog,
    note: str,
    path: Sequence[bytes],
    now: datetime,
) -> None:
    if count_contradictions(conn) >= MAX_CONTRADICTIONS:
        return
    conn.execute(
        insert(log_contradictions).values(
            origin=held.checkpoint.origin,
            held=held.note,
            stated=note,
            path=b"".join(path),
            found_at_ms=to_ms(now),
        )
    )


def _rollback(hub: str, origin: str, what: str) -> LogRollbackError:
    return LogRollbackError(
        f"the log {origin} of {hub} is not the one that was seen before: {what}. Nothing was sent, "
        "both signed checkpoints are kept here as evidence; ask the hub's security officer whether "
        "the hub was restored from an old copy, and tell the supervising authority if it was not"
    )
