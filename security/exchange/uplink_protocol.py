"""Uplink protocol: one Submit stream, without any I/O.

Rules, in protocol order:
    0. The member opens with its signed heads.
    1. The hub answers with its certified keys and signed heads; nothing is sent before both
       are verified.
    2. Envelopes are sent in chain order while fewer than ``window_bytes`` of them await their
       receipt; one envelope is always let through.
    3. Receipts come in the order of the envelopes; any other receipt ends the stream.
    4. A refusal ends the stream.
Sealing, settling and the lanes' resume points are the caller's (``uplink``, ``resume``).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import exchange_pb2
from security.chain import GENESIS, ChainPosition, place
from security.errors import LocalSyncError, RemoteSyncError, UntrustedReceiptError
from security.exchange.heads import open_heads, read_chain_heads, sign_heads
from security.exchange.receipts import VerifiedReceipt, verify_receipt
from security.exchange.wire_errors import refusal_error
from security.suites import GM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from protos.yixin.v1 import identity_pb2
    from security.certificates import Keyring
    from security.exchange.sealing import SealedRow
    from security.keys import SigningKey

WINDOW_BYTES: Final = 8 * 1024 * 1024
MAX_PRESENTED_KEYS: Final = 32


class UplinkState(StrEnum):
    """Where a stream stands."""

    OFFLINE = "offline"
    HANDSHAKE = "handshake"
    READY = "ready"


class UplinkEvent(StrEnum):
    """What moves a stream."""

    LINK_UP = "link_up"
    PEER_VERIFIED = "peer_verified"
    REFUSED = "refused"
    DRAINED = "drained"
    LINK_LOST = "link_lost"


TRANSITIONS: Final[Mapping[tuple[UplinkState, UplinkEvent], UplinkState]] = {
    (UplinkState.OFFLINE, UplinkEvent.LINK_UP): UplinkState.HANDSHAKE,
    (UplinkState.HANDSHAKE, UplinkEvent.PEER_VERIFIED): UplinkState.READY,
    (UplinkState.HANDSHAKE, UplinkEvent.REFUSED): UplinkState.OFFLINE,
    (UplinkState.HANDSHAKE, UplinkEvent.LINK_LOST): UplinkState.OFFLINE,
    (UplinkState.READY, UplinkEvent.REFUSED): UplinkState.OFFLINE,
    (UplinkState.READY, UplinkEvent.DRAINED): UplinkState.OFFLINE,
    (UplinkState.READY, UplinkEvent.LINK_LOST): UplinkState.OFFLINE,
}  # every pair not listed is a LocalSyncError


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The hub's verified answer to the opening."""

    held: Mapping[int, ChainPosition]
    """Heads the hub holds, by lane; ``GENESIS`` for lanes it does not name."""
    issued: Mapping[int, ChainPosition]
    """Incarnation to use per lane, with the seq and hash to cite."""
    hub_keys: tuple[identity_pb2.KeyCertificate, ...]
    """Keys the hub presented; certified by its anchor."""
    policy: identity_pb2.SuitePolicy | None = None
    """The hub's suite policy as received; ``Membership.learn_policy`` verifies it."""


@dataclass(slots=True, kw_only=True)
class Uplink:
    """One Submit stream of a member."""

    member: str
    """Member id of this side."""
    hub: str
    """Hub that must answer."""
    signing_key: SigningKey = field(repr=False)
    """Key that signs the heads."""
    keyring: Keyring = field(repr=False)
    """Keys certified by the hub's anchor; grows by the keys the hub presents."""
    window_bytes: int = WINDOW_BYTES
    """Bytes that may await their receipts."""
    state: UplinkState = field(default=UplinkState.OFFLINE, init=False)
    """Where the stream stands."""
    _queue: deque[SealedRow] = field(default_factory=deque, init=False, repr=False)
    _flying: deque[SealedRow] = field(default_factory=deque, init=False, repr=False)
    _flying_bytes: int = field(default=0, init=False)

    def open(self, heads: Mapping[int, ChainPosition], now_ms: int) -> exchange_pb2.SubmitRequest:
        """First frame of the stream (step 0).

        Args:
            heads: Heads of what this member sealed, by lane; a lane that must start a new
                incarnation is left out.
            now_ms: Present moment, milliseconds since the epoch, UTC.

        Raises:
            LocalSyncError: The stream is already open.
        """
        self._move(UplinkEvent.LINK_UP)
        signed = sign_heads(
            self.signing_key,
            signer=self.member,
            peer=self.hub,
            heads=heads,
            at_ms=now_ms,
            downlink=False,
        )
        return exchange_pb2.SubmitRequest(open=signed)

    def accept(self, response: exchange_pb2.SubmitResponse, now_ms: int) -> Accepted:
        """Take the hub's answer to the opening (step 1).

        Args:
            response: First message, as received.
            now_ms: Present moment, milliseconds since the epoch, UTC.

        Raises:
            HubRefusedError: The hub refused; the stream is over.
            UntrustedCertificateError: A presented key is not certified by the hub's anchor.
            RemoteSyncError: The hub is not the one that was joined, or breaks the order.
        """
        self._expect(response, "accepted", UplinkState.HANDSHAKE)
        return self._accepted(response.accepted, now_ms)

    def receive(self, response: exchange_pb2.SubmitResponse) -> VerifiedReceipt:
        """Take a later message of the hub (steps 3 and 4).

        Args:
            response: Message as received.

        Returns:
            A receipt that the caller settles.

        Raises:
            HubRefusedError: The hub refused; the stream is over.
            UntrustedReceiptError: A receipt is not proved, or is not the next one.
            RemoteSyncError: The hub breaks the order.
        """
        self._expect(response, "receipt", UplinkState.READY)
        return self._receipt(response.receipt)

    def offer(self, rows: Iterable[SealedRow]) -> None:
        """Queue envelopes, in chain order; they must be durable already."""
        self._queue.extend(rows)

    @property
    def has_room(self) -> bool:
        """Whether the caller may read or seal more envelopes."""
        return not self._queue and self._flying_bytes < self.window_bytes

    @property
    def is_idle(self) -> bool:
        """Whether everything offered was sent and receipted."""
        return not self._queue and not self._flying

    @property
    def in_flight(self) -> int:
        """Envelopes sent that await their receipt."""
        return len(self._flying)

    def frames_to_send(self) -> list[exchange_pb2.SubmitRequest]:
        """Envelopes that fit into the window now (step 2); they count as sent.

        Raises:
            LocalSyncError: The hub has not been verified.
        """
        if self.state is not UplinkState.READY:
            raise LocalSyncError(f"nothing may be sent while the stream is {self.state}")
        frames: list[exchange_pb2.SubmitRequest] = []
        while self._queue and (
            not self._flying
            or self._flying_bytes + len(self._queue[0].envelope) <= self.window_bytes
        ):
            row = self._queue.popleft()
            self._flying.append(row)
            self._flying_bytes += len(row.envelope)
            frames.append(exchange_pb2.SubmitRequest(envelope=row.message()))
        return frames

    @property
    def _is_national(self) -> bool:
        """Whether this member is of suite GM, and its hub signs with SM2 too."""
        return self.signing_key.verifying.scheme is GM.signature

    def drained(self) -> None:
        """Everything was receipted and the stream closes.

        Raises:
            LocalSyncError: Something is still owed, or the stream is not open.
        """
        if not self.is_idle:
            raise LocalSyncError(f"{self.in_flight} envelopes still await their receipts")
        self._move(UplinkEvent.DRAINED)

    def link_lost(self) -> None:
        """The line broke; what was not receipted is offered again on the next stream."""
        if self.state is not UplinkState.OFFLINE:
            self._move(UplinkEvent.LINK_LOST)
        self._queue.clear()
        self._flying.clear()
        self._flying_bytes = 0

    def _expect(self, response: exchange_pb2.SubmitResponse, kind: str, state: UplinkState) -> None:
        found = response.WhichOneof("message")
        if found == "refusal":
            self._move(UplinkEvent.REFUSED)
            raise refusal_error(response.refusal)
        if found != kind or self.state is not state:
            raise RemoteSyncError(
                f"{self.hub} sent {found or 'an empty message'} while the stream was {self.state}"
            )

    def _accepted(self, accepted: exchange_pb2.StreamAccepted, now_ms: int) -> Accepted:
        if len(accepted.hub_keys) > MAX_PRESENTED_KEYS:
            raise RemoteSyncError(f"{self.hub} presents {len(accepted.hub_keys)} keys")
        for certificate in accepted.hub_keys:
            key = self.keyring.add(certificate)
            if key.member != self.hub:
                raise RemoteSyncError(f"a key of {key.member} was presented as one of {self.hub}")
        held = open_heads(
            accepted.heads,
            self.keyring,
            signer=self.hub,
            peer=self.member,
            downlink=False,
            now_ms=now_ms,
            is_national=self._is_national,
        )
        issued = read_chain_heads(accepted.incarnations)
        for lane, position in issued.items():
            cited = held.get(lane, GENESIS)
            if (position.seq, position.hash) != (
                cited.seq,
                cited.hash,
            ) or position.incarnation == 0:
                raise RemoteSyncError(
                    f"{self.hub} issues incarnation {position.incarnation} of lane {lane} after "
                    f"seq {position.seq}, but its signed head is {place(cited)}"
                )
        self._move(UplinkEvent.PEER_VERIFIED)
        return Accepted(
            held=held,
            issued=issued,
            hub_keys=tuple(accepted.hub_keys),
            policy=accepted.policy if accepted.HasField("policy") else None,
        )

    def _receipt(self, receipt: exchange_pb2.Receipt) -> VerifiedReceipt:
        if not self._flying:
            raise UntrustedReceiptError("no envelope awaits one")
        expected = self._flying[0]
        verified = verify_receipt(
            receipt,
            self.keyring,
            hub=self.hub,
            sender=self.member,
            suite=expected.suite if self._is_national else "",
        )
        if (verified.lane, verified.position) != (expected.lane, expected.position):
            raise UntrustedReceiptError(
                f"it is for place {place(verified.position)} of lane {verified.lane}, the next "
                f"one due is for {place(expected.position)} of lane {expected.lane}"
            )
        self._flying.popleft()
        self._flying_bytes -= len(expected.envelope)
        return verified

    def _move(self, event: UplinkEvent) -> None:
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            raise LocalSyncError(f"{event} cannot happen while the stream is {self.state}")
        self.state = target
