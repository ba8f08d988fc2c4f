"""Foreign errors of the wire, translated once into errors of the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from protos.yixin.v1 import exchange_pb2
from security.errors import HubRefusedError, HubUnreachableError, RemoteSyncError
from security.exchange.heads import read_chain_heads

if TYPE_CHECKING:
    from security.chain import ChainPosition

DETAIL_CHARS: Final = 300

BROKEN_LINE: Final = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)
"""Statuses that say nothing about what was asked: it may be asked again."""

_ADVICE: Final = {
    exchange_pb2.REFUSAL_CODE_UNTRUSTED: (
        "untrusted",
        (
            "compare both clocks and the days left on the member's certificate; if both are right, "
            "ask the hub's security officer to read its refusal log"
        ),
    ),
    exchange_pb2.REFUSAL_CODE_GAP: (
        "gap",
        "run the synchronisation again: it resumes where the hub stands",
    ),
    exchange_pb2.REFUSAL_CODE_FORK: (
        "fork",
        (
            "two different envelopes claim one place; stop using a copy of this member's directory "
            "and ask the hub's security officer, who keeps both as evidence"
        ),
    ),
    exchange_pb2.REFUSAL_CODE_BUSY: ("busy", "try again later; nothing is lost"),
    exchange_pb2.REFUSAL_CODE_CERTIFICATE: (
        "certificate",
        "renew this member's certificates and synchronise again: what waits is sealed anew",
    ),
    exchange_pb2.REFUSAL_CODE_POLICY: (
        "policy",
        "renew this member's keys under a suite of the hub's policy",
    ),
    exchange_pb2.REFUSAL_CODE_REVOKED: (
        "revoked",
        "ask the hub's security officer; with a new token this member can join again",
    ),
    exchange_pb2.REFUSAL_CODE_READ_ONLY: (
        "read_only",
        "try again later: the hub waits for the witnesses of its log; nothing is lost",
    ),
    exchange_pb2.REFUSAL_CODE_AGREEMENT: (
        "agreement",
        "ask the hub's officer which sharing agreement covers it",
    ),
}


def rpc_error(error: grpc.aio.AioRpcError, hub: str) -> HubRefusedError | HubUnreachableError:
    """Translate a failed call.

    Args:
        error: Error of the call.
        hub: Hub that was called.

    Returns:
        ``HubUnreachableError`` when the line broke, ``HubRefusedError`` when the hub said no.
    """
    detail = (error.details() or "no details")[:DETAIL_CHARS]
    if error.code() in BROKEN_LINE:
        return HubUnreachableError(
            f"the line to {hub} broke or did not come up ({error.code().name.lower()}: {detail}); "
            "nothing is lost, try again. If it stays so, check the address, the hub, and the "
            "days left on this member's TLS certificate"
        )
    return HubRefusedError(error.code().name.lower(), detail)


def line_lost(hub: str, what: str) -> HubUnreachableError:
    """The stream ended although something was still owed."""
    return HubUnreachableError(f"the line to {hub} was lost: {what}; nothing is lost, try again")


def refusal_error(refusal: exchange_pb2.Refusal) -> HubRefusedError:
    """Translate a refusal, with what to do."""
    code, advice = _ADVICE.get(refusal.code, (f"code {refusal.code}", "ask the hub's operator"))
    expected: ChainPosition | None = None
    if refusal.HasField("expected"):
        try:
            expected = next(iter(read_chain_heads([refusal.expected]).values()))
        except RemoteSyncError:
            expected = None  # A malformed hint is no hint; the refusal stands.
    found = (refusal.rule or refusal.detail)[:DETAIL_CHARS]
    mend = refusal.mend[:DETAIL_CHARS].rstrip(".") or advice
    detail = f"{found} What to do: {mend}."
    return HubRefusedError(code, detail, expected)
