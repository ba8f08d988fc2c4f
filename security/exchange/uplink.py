"""Uplink: send what the outbox holds, and settle the hub's receipts.

Rules:
    1. The protocol is ``uplink_protocol``; this module only moves its frames and commits.
    2. Sealed bytes are committed before their first frame is written, receipts are committed
       before they count. The process may die between any two lines: the next run goes on.
    3. Memory is bounded: one sealing round and one window of envelopes.
    4. Before anything is sent, what the hub states of keys, suites and its log is compared with
       what was seen before; an older statement ends the run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from security.chain import LANES
from security.channels import member_channel
from security.errors import HubRefusedError, SecurityError
from security.exchange import archive
from security.exchange.resume import Continue, Restart, plan_lane, view_lane
from security.exchange.seen_checkpoints import watch_log
from security.exchange.submit_stream import SubmitStream
from security.exchange.uplink_protocol import WINDOW_BYTES, Uplink
from security.moments import to_ms
from security.progress import ProgressReporter, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import grpc.aio
    from sqlalchemy import Engine

    from protos.yixin.v1 import exchange_pb2
    from security.chain import ChainPosition
    from security.exchange.membership import Membership
    from security.exchange.outbox import Outbox
    from security.exchange.receipts import VerifiedReceipt
    from security.exchange.sealing import SealedRow
    from security.exchange.uplink_protocol import Accepted

STALL_TIMEOUT_S: Final = 120.0
MAX_GAPS: Final = 3
"""Gaps that one run resumes from before it reports them."""
SEAL_ANEW: Final = frozenset({"certificate", "policy", "revoked"})
"""Refusals of what was sealed under earlier keys: once in a run all lanes begin anew."""


@dataclass(slots=True, kw_only=True)
class UplinkReport:
    """What one synchronisation did."""

    sent: int = 0
    """Envelopes sealed and sent on this link."""
    resent: int = 0
    """Envelopes sent that had been sealed before this link came up."""
    receipts: int = 0
    """Receipts verified and stored."""
    quarantined: int = 0
    """Of these, how many say that some or all content was refused."""
    restarted: tuple[int, ...] = ()
    """Lanes that started a new incarnation: restatable payloads must be appended again."""


async def sync_up(
    membership: Membership,
    engine: Engine,
    outbox: Outbox,
    *,
    now: Callable[[], datetime],
    progress: ProgressReporter = no_progress,
    new_incarnations: bool = False,
    window_bytes: int = WINDOW_BYTES,
    stall_timeout_s: float = STALL_TIMEOUT_S,
) -> UplinkReport:
    """Bring everything in the outbox to the hub, with a receipt for each envelope.

    Args:
        membership: Who sends, and the hub that receives.
        engine: Database of the exchange.
        outbox: The outbox in it.
        now: Tells the present moment, UTC-aware.
        progress: Takes the number of receipts against the payloads that waited.
        new_incarnations: True for a member that was restored from a copy: it asks for a new
            incarnation of every lane, whatever its copy says was sent.
        window_bytes: Bytes that may await their receipts.
        stall_timeout_s: Longest wait for the hub while something is owed, seconds.

    Returns:
        What was done.

    Raises:
        MembershipError: The member's TLS certificate has ended.
        HubUnreachableError: The line broke; what was receipted stays settled.
        HubRefusedError: The hub refused an envelope.
        UntrustedReceiptError: A receipt did not prove its promise.
        UntrustedCertificateError: The hub presented a key that its anchor did not certify.
        SuitePolicyError: The hub's policy is a downgrade, or does not take this member's suite.
        LogRollbackError: The hub's log is smaller than was seen, or contradicts it.
        RemoteSyncError: The hub broke the protocol or lost history.
    """
    run = _Run(
        membership=membership,
        engine=engine,
        outbox=outbox,
        now=now,
        progress=progress,
        window_bytes=window_bytes,
        stall_timeout_s=stall_timeout_s,
        demanded=frozenset(LANES if new_incarnations else ()),
    )
    channel = member_channel(membership, now())
    try:
        while not await run.attempt(channel):
            pass
    finally:
        await channel.close(None)
    return run.report


@dataclass(slots=True, kw_only=True)
class _Run:
    """One synchronisation: several streams when the hub must issue an incarnation."""

    membership: Membership
    engine: Engine
    outbox: Outbox
    now: Callable[[], datetime]
    progress: ProgressReporter
    window_bytes: int
    stall_timeout_s: float
    report: UplinkReport = field(default_factory=UplinkReport)
    demanded: frozenset[int] = frozenset()
    gaps: int = 0
    sealed_anew: bool = False
    refused: frozenset[int] = frozenset()
    total: int = 0
    cursors: dict[int, ChainPosition] = field(default_factory=dict)

    async def attempt(self, channel: grpc.aio.Channel) -> bool:
        """Run one stream; a gap is the order to resume, a rule that changed one to seal anew."""
        try:
            return await self.stream(channel)
        except HubRefusedError as refused:
            if refused.code in SEAL_ANEW and not self.sealed_anew:
                self.sealed_anew = True
                self.demanded = self.refused = frozenset(LANES)
                return False
            self.gaps += 1
            if refused.code != "gap" or self.gaps > MAX_GAPS:
                raise
        self.demanded = frozenset()
        return False

    async def stream(self, channel: grpc.aio.Channel) -> bool:
        """Run one stream; False when it has to be opened again."""
        uplink = Uplink(
            member=self.membership.member_id,
            hub=self.membership.hub_id,
            signing_key=self.membership.signing_key,
            keyring=self.membership.keyring,
            window_bytes=self.window_bytes,
        )
        wire = SubmitStream(channel, self.membership.hub_id, self.stall_timeout_s)
        try:
            heads = await asyncio.to_thread(self._heads)
            wire.write(uplink.open(heads, to_ms(self.now())))
            answer = await wire.next()
            # First the revocations: a key of the hub that is revoked must not open the stream.
            if answer.accepted.HasField("revocations"):
                await asyncio.to_thread(
                    self.membership.learn_revocations, answer.accepted.revocations
                )
            accepted = uplink.accept(answer, to_ms(self.now()))
            await watch_log(
                channel, self.engine, self.membership, answer.accepted.checkpoint, self.now()
            )
            await asyncio.to_thread(self._learn, accepted)
            if not await asyncio.to_thread(self._plan, accepted):
                return False
            await self._pump(uplink, wire)
            uplink.drained()
            await wire.finish()
        finally:
            uplink.link_lost()
            await wire.close()
        return True

    async def _pump(self, uplink: Uplink, wire: SubmitStream) -> None:
        """Send and settle until nothing is owed."""
        more = True
        while True:
            await self._settle(uplink, wire.arrived())
            if more and uplink.has_room:
                rows = await asyncio.to_thread(self._next_rows)
                more = bool(rows)
                uplink.offer(rows)
            for frame in uplink.frames_to_send():
                wire.write(frame)
            if uplink.is_idle:
                return
            await wire.wait()
            # Receipts make room to seal further ahead.
            more = True

    async def _settle(self, uplink: Uplink, arrived: list[exchange_pb2.SubmitResponse]) -> None:
        """Verify what arrived, and commit the receipts before any fault is reported."""
        receipts: list[VerifiedReceipt] = []
        fault: SecurityError | None = None
        for response in arrived:
            try:
                receipts.append(uplink.receive(response))
            except SecurityError as error:
                fault = error
                break
        if receipts:
            await asyncio.to_thread(self._commit, receipts)
            self.progress("sending", self.report.receipts, self.total, "envelopes")
        if fault is not None:
            raise fault

    def _learn(self, accepted: Accepted) -> None:
        """Take what the hub states of itself; nothing is sealed under an older statement."""
        self.membership.learn_hub_keys(accepted.hub_keys)
        if accepted.policy is not None:
            self.membership.learn_policy(accepted.policy)

    def _heads(self) -> dict[int, ChainPosition]:
        with self.engine.begin() as conn:
            heads = self.outbox.heads(conn, self.membership.hub_id)
            self.total = (
                self.report.receipts + self.outbox.pending(conn, self.membership.hub_id).total
            )
        return {lane: head for lane, head in heads.items() if lane not in self.demanded}

    def _plan(self, accepted: Accepted) -> bool:
        """Place every lane; False when an incarnation must be asked for."""
        hub, now_ms = self.membership.hub_id, to_ms(self.now())
        demands: set[int] = set()
        self.cursors = {}
        with self.engine.begin() as conn:
            for lane in LANES:
                view = view_lane(
                    conn,
                    hub,
                    lane,
                    accepted,
                    demanded=lane in self.demanded,
                    refused=lane in self.refused,
                    signs=lambda key_id: self.membership.can_be_logged(key_id, now_ms),
                    now_ms=now_ms,
                )
                plan = plan_lane(view)
                if isinstance(plan, Continue):
                    self.cursors[lane] = plan.after
                elif isinstance(plan, Restart):
                    self.outbox.start_incarnation(conn, hub, lane, plan.incarnation, plan.base)
                    self.report.restarted = (*self.report.restarted, lane)
                    self.refused -= {lane}
                else:
                    demands.add(lane)
        # A lane that asked does not ask again, so that the streams of a run come to an end.
        self.demanded |= demands
        return not demands

    def _next_rows(self) -> list[SealedRow]:
        """Next envelopes to send: of the archive first, then newly sealed ones."""
        hub = self.membership.hub_id
        with self.engine.begin() as conn:
            for lane in tuple(self.cursors):
                rows = archive.after(conn, hub, lane, self.cursors[lane])
                if rows:
                    self.cursors[lane] = rows[-1].position
                    self.report.resent += len(rows)
                    return rows
                del self.cursors[lane]
            rows = self.outbox.seal_ahead(
                conn, hub, self.membership.sealing_context(to_ms(self.now()))
            )
        self.report.sent += len(rows)
        return rows

    def _commit(self, receipts: list[VerifiedReceipt]) -> None:
        with self.engine.begin() as conn:
            self.outbox.settle(conn, receipts)
        self.report.receipts += len(receipts)
        self.report.quarantined += sum(receipt.is_quarantined for receipt in receipts)
