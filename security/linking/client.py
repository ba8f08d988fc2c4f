"""A node's side of the link desks: from persons to tokens, over both desks in turn.

The order of work, per period:
    0. Each desk says its check value. A value that differs from the one pinned before is refused:
       tokens under two keys would never meet.
    1. Persons go in requests of at most ``MAX_POINTS`` points, a canary at a random place.
    2. One desk evaluates, then the other; an answer whose canary is wrong is not believed, and one
       that is the request itself hides nothing.
    3. Blinding is taken away; tokens come out in the order of the persons.

Rules:
    1. A request whose answer was lost is sent again, byte for byte, once: it counts once.
    2. Whatever fails, no token is made of half an evaluation, and nothing has to be undone.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import grpc.aio

from protos.yixin.v1 import linking_pb2, linking_pb2_grpc
from security.channels import CHANNEL_OPTIONS
from security.errors import (
    DeskRefusedError,
    DeskUnreachableError,
    LinkAnswerError,
    LinkPointsError,
    MembershipError,
)
from security.linking.oprf import MAX_POINTS, POINT_BYTES, Canary, blind, split_points
from security.progress import ProgressReporter, no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from datetime import datetime

    from security.exchange.membership import Membership
    from security.linking.desk_identity import DeskCard

CALL_TIMEOUT_S: Final = 60.0
BATCH: Final = MAX_POINTS - 1
"""Persons of one request; a canary makes it full."""
_TRIES: Final = 2
_REQUEST_ID_BYTES: Final = 16
_DETAIL_CHARS: Final = 400
_SAID_NO: Final = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_PREFIX: Final = "DESK_REFUSAL_CODE_"

_Answer = TypeVar("_Answer", linking_pb2.DescribeResponse, linking_pb2.EvaluateResponse)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskTerms:
    """What a desk says of a period."""

    desk: str
    """Member id of who runs it."""
    check: bytes
    """Its check value."""
    left: int
    """Points this node may still ask for."""
    destroy_at_ms: int
    """Moment from which the period's key is destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLine:
    """An open line to one desk."""

    card: DeskCard
    """The desk."""
    call_timeout_s: float
    """Longest wait for one answer, seconds."""
    _stub: linking_pb2_grpc.LinkDeskAsyncStub = field(repr=False)

    async def describe(self, period: str) -> DeskTerms:
        """Ask for a period's check value and what is left of the quota (step 0).

        Raises:
            DeskUnreachableError: The desk did not answer.
            DeskRefusedError: It refused.
            LinkAnswerError: The check value is no point, or of another desk or period.
        """
        request = linking_pb2.DescribeRequest(period=period)
        response = await self._call(self._stub.Describe, request)
        if response.WhichOneof("answer") != "terms":
            raise self._refused(response.refusal)
        terms = response.terms
        if (terms.desk, terms.period) != (self.card.desk, period):
            raise LinkAnswerError(f"{self.card.desk} speaks of another desk or period")
        try:
            Canary.make(period, terms.check)
        except LinkPointsError as error:
            raise LinkAnswerError(f"the check value of {self.card.desk} is no point") from error
        return DeskTerms(
            desk=terms.desk,
            check=terms.check,
            left=max(0, terms.quota - terms.used),
            destroy_at_ms=terms.destroy_at_ms,
        )

    async def evaluate(self, period: str, points: bytes, check: bytes) -> bytes:
        """Have at most ``BATCH`` points evaluated, a canary among them (steps 1 and 2).

        Args:
            period: Period.
            points: x coordinates, one after the other.
            check: The desk's check value, as pinned.

        Raises:
            DeskUnreachableError: The desk did not answer.
            DeskRefusedError: It refused.
            LinkAnswerError: Its answer is not what its published half makes.
        """
        canary = await asyncio.to_thread(Canary.make, period, check)
        at = secrets.randbelow(len(points) // POINT_BYTES + 1) * POINT_BYTES
        request = linking_pb2.EvaluateRequest(
            period=period,
            request_id=secrets.token_bytes(_REQUEST_ID_BYTES),
            points=points[:at] + canary.point + points[at:],
        )
        response = await self._call(self._stub.Evaluate, request)
        if response.WhichOneof("answer") != "evaluated":
            raise self._refused(response.refusal)
        answer = response.evaluated.points
        if len(answer) != len(request.points):
            raise LinkAnswerError(f"{self.card.desk} returned another number of points")
        if answer[at : at + POINT_BYTES] != canary.answer:
            raise LinkAnswerError(f"{self.card.desk} used another key than the one it published")
        pairs = zip(split_points(request.points), split_points(answer), strict=True)
        if any(sent == returned for sent, returned in pairs):
            raise LinkAnswerError(f"{self.card.desk} returned a point as it came")
        return answer[:at] + answer[at + POINT_BYTES :]

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Any, _Answer], request: object
    ) -> _Answer:
        for attempt in range(1, _TRIES + 1):
            try:
                return await method(request, timeout=self.call_timeout_s)
            except grpc.aio.AioRpcError as error:
                if attempt < _TRIES and error.code() is grpc.StatusCode.UNAVAILABLE:
                    continue
                detail = (error.details() or "no details")[:_DETAIL_CHARS]
                if error.code() in _SAID_NO:
                    code = error.code().name.lower()
                    raise DeskRefusedError(self.card.desk, code, detail) from error
                raise DeskUnreachableError(
                    f"the desk {self.card.desk} did not answer ({error.code().name.lower()}: "
                    f"{detail}); no token was made and nothing is lost, try again. If it stays so, "
                    "check the address in its card, and that it trusts this node's hub"
                ) from error
        raise AssertionError("the last try neither returned nor raised")  # pragma: no cover

    def _refused(self, refusal: linking_pb2.DeskRefusal) -> DeskRefusedError:
        known = linking_pb2.DeskRefusalCode.values()
        name = linking_pb2.DeskRefusalCode.Name(refusal.code) if refusal.code in known else _PREFIX
        code = name.removeprefix(_PREFIX).lower() or f"code {refusal.code}"
        return DeskRefusedError(self.card.desk, code, refusal.detail[:_DETAIL_CHARS])


@asynccontextmanager
async def desk_line(
    card: DeskCard, membership: Membership, now: datetime, call_timeout_s: float = CALL_TIMEOUT_S
) -> AsyncIterator[DeskLine]:
    """Open a line to a desk, and close it; nothing is sent before the first call.

    Raises:
        MembershipError: The node's own TLS certificate has ended.
    """
    if now > membership.tls_not_after:
        raise MembershipError(
            f"the TLS certificate of {membership.member_id} ended on "
            f"{membership.tls_not_after:%Y-%m-%d}, so no desk would answer: ask the hub's officer "
            "for a new token and join again"
        )
    credentials = grpc.ssl_channel_credentials(
        root_certificates=card.certificate_pem,
        private_key=membership.tls_key_pem,
        certificate_chain=membership.tls_certificate_pem,
    )
    channel = grpc.aio.secure_channel(card.address, credentials, options=CHANNEL_OPTIONS)
    try:
        stub = linking_pb2_grpc.LinkDeskStub(channel)
        yield DeskLine(card=card, call_timeout_s=call_timeout_s, _stub=stub)
    finally:
        await channel.close(None)


def keys_digest(checks: Sequence[bytes]) -> bytes:
    """Name the keys of a period by the check values of its desks, whatever their order."""
    return hashlib.sha256(b"".join(sorted(checks))).digest()


async def fetch_tokens(
    lines: Sequence[tuple[DeskLine, bytes]],
    period: str,
    persons: Sequence[str],
    progress: ProgressReporter = no_progress,
) -> AsyncIterator[tuple[Sequence[str], tuple[bytes, ...]]]:
    """Make tokens, a batch at a time, so that what was made is kept whatever comes after.

    Args:
        lines: Both desks, each with its pinned check value.
        period: Period.
        persons: Their numbers, each once.
        progress: Takes the number of persons done.

    Yields:
        Persons and their tokens, in the same order.

    Raises:
        DeskUnreachableError: A desk did not answer.
        DeskRefusedError: A desk refused.
        LinkAnswerError: A desk's answer is not believed.
    """
    done = 0
    for batch in _batches(persons):
        blinded = await asyncio.to_thread(blind, period, batch)
        points = blinded.points
        for line, check in lines:
            points = await line.evaluate(period, points, check)
        yield batch, await asyncio.to_thread(blinded.tokens, points)
        done += len(batch)
        progress("linking", done, len(persons), "persons")


def _batches(persons: Sequence[str]) -> Iterator[Sequence[str]]:
    return (persons[start : start + BATCH] for start in range(0, len(persons), BATCH))
