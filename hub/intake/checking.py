"""Checking of submitted envelopes, away from the event loop and before any transaction.

Numbered as applied, each envelope on its own:

0. Bounds, formats, addressee, times, the sender's key and signature (``security.envelope``).
1. The signer is the member at the other end of the line, and the declared purpose is the one of the
   payload type (``hub.intake.purposes``).
2. The content opens. If not, the envelope counts, but its content is quarantined.
3. The content is of a type that this kind of member may send, and it decodes. If not, it is
   quarantined as well.

Left to the commit: revocation, suite policy, the chain, custody and the slot rule.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from hub.domain.checkpoints import DecodedCheckpoints
from hub.domain.clues import DecodedClues, DecodedJoinRecords
from hub.domain.heartbeats import DecodedHeartbeat
from hub.domain.members import MemberKind
from hub.domain.packs import DecodedPackReport
from hub.domain.pushes import DecodedPush
from hub.domain.sharing import DecodedSharing
from hub.domain.statements import DecodedBatch
from hub.errors import StatementError
from hub.intake.checkpoints import decode_checkpoints
from hub.intake.clue_contents import CLUES, JOIN_RECORDS
from hub.intake.clues import decode_clues
from hub.intake.decoding import decode_batch
from hub.intake.heartbeats import HEARTBEAT, decode_heartbeat
from hub.intake.join_records import decode_join_records
from hub.intake.pack_reports import PACK_REPORT, decode_pack_report
from hub.intake.purposes import verify_purpose
from hub.intake.pushes import decode_push
from hub.intake.requests import FORWARD, PRODUCT_REQUEST, decode_sharing
from protos.yixin.v1 import envelope_pb2
from scoring_kernel.joining import Joining
from scoring_kernel.measure_sets import MeasureSet
from security.certificates import Keyring
from security.envelope import (
    decrypt_envelope,
    envelope_hash,
    parse_header,
    verify_addressed_envelope,
)
from security.errors import BrokenRule, UnreadableEnvelopeError, UntrustedEnvelopeError
from security.keys import EncryptionKey
from security.members import parse_member_id

_LOG: Final = logging.getLogger(__name__)
STATEMENTS: Final = "statements"
GRADE_PUSH: Final = "grade_push"
LEDGER_CHECKPOINTS: Final = "ledger_checkpoints"
SENDERS: Final[Mapping[str, frozenset[MemberKind]]] = {
    STATEMENTS: frozenset({MemberKind.NODE}),
    GRADE_PUSH: frozenset({MemberKind.HUB}),
    LEDGER_CHECKPOINTS: frozenset({MemberKind.NODE}),
    JOIN_RECORDS: frozenset({MemberKind.NODE}),
    CLUES: frozenset({MemberKind.NODE}),
    PRODUCT_REQUEST: frozenset({MemberKind.DEPARTMENT, MemberKind.HUB}),
    FORWARD: frozenset({MemberKind.HUB}),
    HEARTBEAT: frozenset({MemberKind.NODE, MemberKind.HUB}),
    PACK_REPORT: frozenset({MemberKind.NODE}),
}
"""Payload types this hub takes, and the kinds of members that may send them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Content that is quarantined as a whole, and why."""

    reason: str


Content: TypeAlias = (
    DecodedBatch
    | DecodedPush
    | DecodedCheckpoints
    | DecodedJoinRecords
    | DecodedClues
    | DecodedSharing
    | DecodedHeartbeat
    | DecodedPackReport
    | Unreadable
)


_PLAIN: Final[Mapping[str, Callable[[bytes], Content]]] = {
    CLUES: decode_clues,
    PACK_REPORT: decode_pack_report,
    GRADE_PUSH: decode_push,
}
"""Decoders that need nothing but the payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """An envelope as it came in.

    Attributes:
        peer: Member id at the other end of the line.
        stream: Number of the stream it came on; unique while the hub runs.
        envelope: The envelope.
        issued: Incarnation that this stream was given, by lane.
    """

    peer: str
    stream: int
    envelope: envelope_pb2.SealedEnvelope = field(repr=False)
    issued: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """An envelope after checking.

    Attributes:
        peer: Member id at the other end of the line.
        stream: Number of the stream it came on.
        issued: Incarnation that this stream was given, by lane.
        header: Its header; None when it does not parse.
        hash: SHA-256 of the envelope.
        ciphertext_hash: SHA-256 of its ciphertext.
        raw: The envelope, serialised from its four parts and nothing else.
        fault: Why it is not trusted; None when it is.
        rule: Rule that its sender is told; None when it is trusted or could be a forgery.
        signed_by: Suite of the key that signed; empty when it is not trusted.
        content: What it holds; None when it is not trusted.
    """

    peer: str
    stream: int
    issued: Mapping[int, int]
    header: envelope_pb2.EnvelopeHeader | None
    hash: bytes
    ciphertext_hash: bytes
    raw: bytes = field(repr=False)
    fault: str | None
    rule: BrokenRule | None = None
    signed_by: str = ""
    content: Content | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeChecker:
    """Checks envelopes addressed to one hub; safe to share between threads."""

    hub: str
    """Member id of the hub."""
    decryption_keys: Mapping[str, EncryptionKey] = field(repr=False)
    """Private keys by key id."""
    keyring: Keyring = field(repr=False)
    """Certified keys of the members."""
    measure_sets: Mapping[str, MeasureSet] = field(repr=False)
    """Measure sets of the catalogue."""
    joining: Joining = field(repr=False)
    """What is joined across nodes."""

    def check_all(self, submitted: Sequence[Submitted], now_ms: int) -> list[Checked]:
        """Check some envelopes, in order."""
        return [self.check(item, now_ms) for item in submitted]

    def check(self, submitted: Submitted, now_ms: int) -> Checked:
        """Check one envelope.

        Args:
            submitted: The envelope and who sent it.
            now_ms: Logged time, milliseconds since the epoch, UTC.

        Returns:
            The envelope with its content, or with the fault that makes it untrusted. A fault does
            not end the matter: the very same envelope may stand in its chain already.
        """
        envelope = submitted.envelope
        raw = envelope_pb2.SealedEnvelope(
            header=envelope.header,
            ciphertext=envelope.ciphertext,
            signature=envelope.signature,
            pq_signature=envelope.pq_signature,
        ).SerializeToString(deterministic=True)
        header: envelope_pb2.EnvelopeHeader | None = None
        digest = b""
        fault: str | None = None
        rule: BrokenRule | None = None
        signed_by = ""
        content: Content | None = None
        try:
            # 0. The envelope by itself.
            verified = verify_addressed_envelope(
                envelope, recipient=self.hub, keyring=self.keyring, now_ms=now_ms
            )
            header, digest = verified.header, verified.hash
            # 1. The signer is the caller, and says what it is for.
            _verify_caller(header, submitted.peer)
            verify_purpose(header)
            signed_by = verified.sender_key.suite
            # 2. The content opens.
            payload = decrypt_envelope(envelope, verified, self.decryption_keys).payload
            # 3. The content decodes.
            content = self._read(header, payload, now_ms)
        except UnreadableEnvelopeError as error:
            content = Unreadable(reason=error.cause)
        except UntrustedEnvelopeError as error:
            fault, rule = error.cause, error.rule
            header = _find_header(envelope)
            digest = envelope_hash(envelope)
        return Checked(
            peer=submitted.peer,
            stream=submitted.stream,
            issued=submitted.issued,
            header=header,
            hash=digest,
            ciphertext_hash=hashlib.sha256(envelope.ciphertext).digest(),
            raw=raw,
            fault=fault,
            rule=rule,
            signed_by=signed_by,
            content=content,
        )

    def _read(self, header: envelope_pb2.EnvelopeHeader, payload: bytes, now_ms: int) -> Content:
        try:
            return self._decode(header, payload, now_ms)
        except StatementError as error:
            return Unreadable(reason=str(error))
        except Exception:  # noqa: BLE001 - see the module rules
            # One payload that nobody thought of must not stop its chain for ever.
            _LOG.exception("a payload of %s, seq %d, broke its decoder", header.sender, header.seq)
            return Unreadable(reason="The content cannot be decoded; update both programs.")

    def _decode(self, header: envelope_pb2.EnvelopeHeader, payload: bytes, now_ms: int) -> Content:
        allowed = SENDERS.get(header.payload_type, frozenset())
        kind = parse_member_id(header.sender).kind
        if kind not in allowed:
            raise StatementError(f"A {kind} may not send {header.payload_type!r} to this hub.")
        if header.schema_version != 1:
            raise StatementError(
                f"Schema version {header.schema_version} of {header.payload_type!r} is not known "
                "here, expected 1."
            )
        return self._decode_type(header, payload, now_ms)

    def _decode_type(
        self, header: envelope_pb2.EnvelopeHeader, payload: bytes, now_ms: int
    ) -> Content:
        if header.payload_type == STATEMENTS:
            return decode_batch(payload, self.measure_sets)
        if header.payload_type == JOIN_RECORDS:
            return decode_join_records(payload, self.joining)
        plain = _PLAIN.get(header.payload_type)
        if plain is not None:
            return plain(payload)
        if header.payload_type == HEARTBEAT:
            return decode_heartbeat(payload, now_ms)
        if header.payload_type == LEDGER_CHECKPOINTS:
            return decode_checkpoints(
                payload, sender=header.sender, keyring=self.keyring, at_ms=now_ms
            )
        return decode_sharing(header, payload)


def _find_header(envelope: envelope_pb2.SealedEnvelope) -> envelope_pb2.EnvelopeHeader | None:
    """The header of an untrusted envelope: tells where it claims to stand; None if unreadable."""
    try:
        return parse_header(envelope)
    except UntrustedEnvelopeError:
        return None


def _verify_caller(header: envelope_pb2.EnvelopeHeader, peer: str) -> None:
    if header.sender != peer:
        raise UntrustedEnvelopeError(f"signed by {header.sender}, sent by {peer}")
