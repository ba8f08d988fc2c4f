"""Downlink: collect what the hub holds for this member.

Rules:
    1. Signed heads say what the member holds; they acknowledge everything up to there.
    2. An envelope is opened, judged against its chain and stored, with the new head, in one
       transaction; only then can a head acknowledge it.
    3. Proved but unreadable content advances the chain: poison never blocks what follows.
    4. The last call of a round brings nothing but the acknowledgement.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from protos.yixin.v1 import exchange_pb2, exchange_pb2_grpc
from security.chain import Step
from security.channels import member_channel
from security.envelope import (
    OpenedEnvelope,
    VerifiedEnvelope,
    decrypt_envelope,
    verify_delivery,
)
from security.errors import UnreadableEnvelopeError
from security.exchange.heads import sign_heads
from security.exchange.wire_errors import rpc_error
from security.moments import to_ms
from security.progress import ProgressReporter, no_progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine

    from protos.yixin.v1 import envelope_pb2
    from security.exchange.inbox import Inbox
    from security.exchange.membership import Membership

BATCH_ENVELOPES: Final = 64
BATCH_BYTES: Final = 4 * 1024 * 1024
CALL_TIMEOUT_S: Final = 600.0
"""Longest single Collect call, seconds."""


async def collect(
    membership: Membership,
    engine: Engine,
    inbox: Inbox,
    *,
    now: Callable[[], datetime],
    progress: ProgressReporter = no_progress,
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> int:
    """Collect everything that the hub holds for this member, and acknowledge it.

    Args:
        membership: Who collects, and the hub.
        engine: Database of the exchange.
        inbox: The inbox in it.
        now: Tells the present moment, UTC-aware.
        progress: Takes the number of envelopes stored.
        call_timeout_s: Longest single call, seconds.

    Returns:
        How many envelopes were stored.

    Raises:
        MembershipError: The member's TLS certificate has ended.
        HubUnreachableError: The line broke; what was stored stays.
        HubRefusedError: The hub refused the call.
        UntrustedEnvelopeError: An envelope is not proved.
        ChainGapError: The hub left an envelope out.
        ChainForkError: The hub states two envelopes for one place.
        UntrustedCertificateError: The hub presented a key that its anchor did not certify.
    """
    stored = 0
    channel = member_channel(membership, now())
    stub = exchange_pb2_grpc.ExchangeStub(channel)
    try:
        while True:
            request = await asyncio.to_thread(_request, membership, engine, inbox, now)
            fresh = 0
            batch: list[envelope_pb2.SealedEnvelope] = []
            size = 0
            async for response in stub.Collect(request, timeout=call_timeout_s):
                await asyncio.to_thread(membership.learn_hub_keys, response.hub_keys)
                if not response.HasField("envelope"):
                    continue
                batch.append(response.envelope)
                size += response.envelope.ByteSize()
                if len(batch) >= BATCH_ENVELOPES or size >= BATCH_BYTES:
                    fresh += await asyncio.to_thread(_store, membership, engine, inbox, now, batch)
                    progress("collecting", stored + fresh, 0, "envelopes")
                    batch, size = [], 0
            if batch:
                fresh += await asyncio.to_thread(_store, membership, engine, inbox, now, batch)
            stored += fresh
            progress("collecting", stored, stored, "envelopes")
            if not fresh:
                return stored
    except grpc.aio.AioRpcError as error:
        raise rpc_error(error, membership.hub_id) from error
    finally:
        await channel.close(None)


def _request(
    membership: Membership, engine: Engine, inbox: Inbox, now: Callable[[], datetime]
) -> exchange_pb2.CollectRequest:
    with engine.begin() as conn:
        heads = inbox.heads(conn, membership.hub_id)
    signed = sign_heads(
        membership.signing_key,
        signer=membership.member_id,
        peer=membership.hub_id,
        heads=heads,
        at_ms=to_ms(now()),
        downlink=True,
    )
    return exchange_pb2.CollectRequest(heads=signed, max_envelopes=0)


def _store(
    membership: Membership,
    engine: Engine,
    inbox: Inbox,
    now: Callable[[], datetime],
    envelopes: list[envelope_pb2.SealedEnvelope],
) -> int:
    """Open and store envelopes in one transaction; how many were new."""
    now_ms = to_ms(now())
    opened = [open_downlink(membership, envelope, now_ms) for envelope in envelopes]
    with engine.begin() as conn:
        return sum(inbox.accept(conn, one, now_ms) is Step.NEXT for one in opened)


def open_downlink(
    membership: Membership, envelope: envelope_pb2.SealedEnvelope, now_ms: int
) -> OpenedEnvelope | VerifiedEnvelope:
    """Prove an envelope of the hub, and open it as far as it can be opened.

    Args:
        membership: Who received it.
        envelope: The envelope as received.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        The opened envelope, or the proved one when its content cannot be read.

    Raises:
        UntrustedEnvelopeError: The envelope is not proved.
    """
    # The ring holds keys of the hub and of this member alone, and no envelope goes from a member
    # to itself: what is proved here is the hub's.
    verified = verify_delivery(
        envelope, recipient=membership.member_id, keyring=membership.keyring, now_ms=now_ms
    )
    try:
        return decrypt_envelope(envelope, verified, membership.decryption_keys)
    except UnreadableEnvelopeError:
        return verified
