"""The signed header of an envelope: bounds and formats, checked before anything is used.

Rules: sizes first, then parsing, then formats; every text has a closed alphabet; no unknown
field; no optional reading. A header that passes here is well-formed, not yet proved.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2
from security.chain import HASH_BYTES, ZERO_HASH
from security.encoding import parse_exactly
from security.errors import BrokenRule, UnknownSuiteError, UntrustedEnvelopeError
from security.members import is_member_id
from security.signatures import MLDSA65_SIGNATURE_BYTES, SIGNATURE_BYTES
from security.suites import GM, named_suite

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = 1
MAX_ENVELOPE_BYTES: Final = 1024 * 1024
"""Largest envelope, all parts together."""
MAX_HEADER_BYTES: Final = 4 * 1024
PAYLOAD_TARGET_BYTES: Final = 512 * 1024
"""Senders cut their payloads to at most this size."""
MAX_LIFETIME_MS: Final = 1000 * 24 * 3600 * 1000
MAX_CLOCK_AHEAD_MS: Final = 24 * 3600 * 1000
"""A sender's clock may be wrong by a day; more is refused."""

_MAX_COUNTER: Final = 2**63 - 1
_MAX_MOMENT_MS: Final = 2**53
_MAX_SCHEMA_VERSION: Final = 1_000_000
_HEX_32: Final = re.compile(r"[0-9a-f]{32}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_AGREEMENT: Final = re.compile(r"(?:[a-z][a-z0-9_]{0,63}@[1-9][0-9]{0,5})?")
_PERIOD: Final = re.compile(r"(?:[0-9]{4}H[12])?")
_LANES: Final = frozenset(
    {envelope_pb2.LANE_CONTROL, envelope_pb2.LANE_URGENT, envelope_pb2.LANE_BULK}
)


def parse_header(envelope: envelope_pb2.SealedEnvelope) -> envelope_pb2.EnvelopeHeader:
    """Read the header of a received envelope.

    Raises:
        UntrustedEnvelopeError: A part is too long or too short, the header does not parse, or a
            field breaks its format.
    """
    if envelope.ByteSize() > MAX_ENVELOPE_BYTES:
        raise UntrustedEnvelopeError("the envelope is too long")
    _check_signatures(envelope)
    try:
        header = parse_exactly(envelope_pb2.EnvelopeHeader, envelope.header, MAX_HEADER_BYTES)
        suite = named_suite(header.suite)
    except UnknownSuiteError as error:
        raise UntrustedEnvelopeError(f"header: {error}", BrokenRule.SUITE) from error
    except ValueError as error:
        raise UntrustedEnvelopeError(f"header: {error}") from error
    if len(envelope.ciphertext) < suite.overhead_bytes:
        raise UntrustedEnvelopeError("the ciphertext is truncated")
    for fault, holds in _RULES:
        if not holds(header):
            raise UntrustedEnvelopeError(f"header: {fault}")
    if bool(header.sm2_key_id) != bool(envelope.sm2_signature):
        raise UntrustedEnvelopeError("an SM2 key without its signature, or the other way round")
    return header


def _check_signatures(envelope: envelope_pb2.SealedEnvelope) -> None:
    lengths = {
        "signature": len(envelope.signature) == SIGNATURE_BYTES,
        "post-quantum signature": len(envelope.pq_signature) in {0, MLDSA65_SIGNATURE_BYTES},
        "SM2 signature": len(envelope.sm2_signature) in {0, SIGNATURE_BYTES},
    }
    for name, holds in lengths.items():
        if not holds:
            raise UntrustedEnvelopeError(f"the {name} has a wrong length")


def _has_ids(header: envelope_pb2.EnvelopeHeader) -> bool:
    ids = (header.envelope_id, header.sender_key_id, header.recipient_key_id)
    return all(_HEX_32.fullmatch(text) for text in ids)


def _has_sm2_key(header: envelope_pb2.EnvelopeHeader) -> bool:
    if not header.sm2_key_id:
        return True
    return header.suite == GM.name and _HEX_32.fullmatch(header.sm2_key_id) is not None


def _has_words(header: envelope_pb2.EnvelopeHeader) -> bool:
    words = (header.purpose, header.data_class, header.payload_type)
    return all(_WORD.fullmatch(text) for text in words)


def _has_times(header: envelope_pb2.EnvelopeHeader) -> bool:
    created, expires = header.created_at_ms, header.expires_at_ms
    return 0 < created <= expires < _MAX_MOMENT_MS and expires - created <= MAX_LIFETIME_MS


def _has_citation(header: envelope_pb2.EnvelopeHeader) -> bool:
    cited = (header.cited_incarnation, header.cited_seq)
    if header.seq > 1 or cited == (0, 0):
        return cited == (0, 0) and (header.seq > 1 or header.previous_hash == ZERO_HASH)
    return 0 < cited[0] < header.incarnation and 0 < cited[1] <= _MAX_COUNTER


_RULES: Final[tuple[tuple[str, Callable[[envelope_pb2.EnvelopeHeader], bool]], ...]] = (
    ("format", lambda header: header.format == FORMAT),
    ("sender", lambda header: is_member_id(header.sender)),
    ("recipient", lambda header: is_member_id(header.recipient)),
    ("sender is recipient", lambda header: header.sender != header.recipient),
    ("an id is not 32 hex digits", _has_ids),
    ("an SM2 key outside suite GM, or its id is not 32 hex digits", _has_sm2_key),
    ("purpose, data class or payload type is not a word", _has_words),
    ("period", lambda header: _PERIOD.fullmatch(header.period) is not None),
    ("agreement", lambda header: _AGREEMENT.fullmatch(header.agreement) is not None),
    ("schema version", lambda header: 1 <= header.schema_version <= _MAX_SCHEMA_VERSION),
    ("lane", lambda header: header.lane in _LANES),
    ("pack digest", lambda header: len(header.pack_digest) in {0, HASH_BYTES}),
    ("creation and expiry", _has_times),
    ("incarnation", lambda header: 1 <= header.incarnation <= _MAX_COUNTER),
    ("seq", lambda header: 1 <= header.seq <= _MAX_COUNTER),
    ("previous hash", lambda header: len(header.previous_hash) == HASH_BYTES),
    ("citation", _has_citation),
)
