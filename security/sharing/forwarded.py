"""Forwarded envelopes (转发信封): an envelope in an envelope that the routing hub cannot read.

The first hub seals to the final recipient's key, which the routing hub certified, and the routing
hub wraps those very bytes. Opening, in order; each step below carries its number:

0. Bounds and formats; the inner envelope is addressed to this member and the proof is of it.
1. The first hub's signing key is certified by the hub that routed it: the one exception to the
   rule that a key is certified by one of the two parties' hubs. It was valid at the logged time.
2. The leaf of the inner envelope is in the first hub's log: inclusion in a checkpoint that the
   same hub signed. That leaf's time is the logged time, so nothing is lost by waiting on the way.
3. Signature, expiry and content of the inner envelope at that time.

Source: design of trust, sections 3 and 8.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import sharing_pb2, transparency_pb2
from security.certificates import SIGNING
from security.encoding import parse_exactly
from security.envelope import (
    MAX_ENVELOPE_BYTES,
    OpenedEnvelope,
    decrypt_envelope,
    envelope_hash,
    parse_header,
    verify_addressed_envelope,
)
from security.errors import (
    LogCorruptError,
    UnknownSuiteError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
)
from security.merkle import leaf_hash, verify_inclusion
from security.transparency import open_checkpoint, parse_leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protos.yixin.v1 import envelope_pb2
    from security.certificates import CertifiedKey, Keyring
    from security.keys import EncryptionKey

FORMAT: Final = 1
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
MAX_PATH: Final = 64
"""Longest inclusion path; a log of 2^63 leaves needs 63."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """A forwarded envelope whose bounds hold; nothing of it is proved."""

    message: sharing_pb2.Forward
    """As received."""
    header: envelope_pb2.EnvelopeHeader
    """Header of the inner envelope."""
    leaf: transparency_pb2.LogLeaf
    """Its leaf in the first hub's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedForward:
    """A forwarded envelope, proved and opened."""

    opened: OpenedEnvelope
    """The inner envelope."""
    logged_at_ms: int
    """When its first hub logged it, milliseconds since the epoch, UTC."""


def parse_forward(payload: bytes, max_bytes: int = MAX_ENVELOPE_BYTES) -> Forwarded:
    """Read a payload of type ``forward`` or ``forwarded`` (step 0).

    Args:
        payload: Serialised Forward.
        max_bytes: Largest accepted size, bytes.

    Raises:
        UntrustedEnvelopeError: Malformed, or leaf and envelope are not of each other.
    """
    try:
        message = parse_exactly(sharing_pb2.Forward, payload, max_bytes)
        leaf = parse_leaf(message.leaf)
    except (ValueError, LogCorruptError) as error:
        raise UntrustedEnvelopeError(f"forward: {error}") from error
    header = parse_header(message.inner)
    if message.format != FORMAT or len(message.path) > MAX_PATH or message.HasField("first"):
        raise UntrustedEnvelopeError("forward: format, path or receipt is not as expected")
    stated = (
        leaf.kind,
        leaf.envelope_hash,
        leaf.sender,
        leaf.recipient,
        leaf.ciphertext_hash,
        leaf.agreement,
    )
    expected = (
        transparency_pb2.LOG_KIND_DELIVERY,
        envelope_hash(message.inner),
        header.sender,
        header.recipient,
        hashlib.sha256(message.inner.ciphertext).digest(),
        header.agreement,
    )
    if stated != expected:
        raise UntrustedEnvelopeError("forward: the leaf is of another envelope")
    return Forwarded(message=message, header=header, leaf=leaf)


def open_forwarded(
    payload: bytes,
    *,
    recipient: str,
    carrier: str,
    decryption_keys: Mapping[str, EncryptionKey],
    keyring: Keyring,
) -> OpenedForward:
    """Prove and open what another hub passed on (steps 0 to 3).

    Args:
        payload: Payload of the outer envelope, which was proved and opened.
        recipient: Member id of whoever opens it.
        carrier: Member id of the hub that passed it on: sender of the outer envelope.
        decryption_keys: Private keys by key id, retired ones included.
        keyring: Keys that the carrier certified, the first hub's among them.

    Raises:
        UntrustedEnvelopeError: Any step fails; the wording is the same for all.
        UnreadableEnvelopeError: Everything holds, but the content does not open.
    """
    # 0. Bounds and formats.
    forward = parse_forward(payload)
    logged_at_ms = forward.leaf.logged_at_ms
    # 1. The key that the carrier certified.
    key = _first_hubs_key(forward.header, keyring, carrier, logged_at_ms)
    # 2. Inclusion in the first hub's log.
    message = forward.message
    try:
        origin = _origin(message.checkpoint, forward.header.sender)
        checkpoint = open_checkpoint(message.checkpoint, origin, key.verifying)
        verify_inclusion(
            leaf_hash(message.leaf),
            message.log_index,
            checkpoint.size,
            message.path,
            checkpoint.root,
        )
    except (LogCorruptError, UnknownSuiteError) as error:
        raise UntrustedEnvelopeError(f"forward: {error}") from error
    # 3. The inner envelope at the logged time.
    verified = verify_addressed_envelope(
        message.inner,
        recipient=recipient,
        keyring=keyring,
        now_ms=logged_at_ms,
        carrier=carrier,
    )
    opened = decrypt_envelope(message.inner, verified, decryption_keys)
    return OpenedForward(opened=opened, logged_at_ms=logged_at_ms)


def _origin(checkpoint: str, hub: str) -> str:
    """Origin line of the checkpoint; it names a log of the hub, the first one or a later one."""
    origin = checkpoint.partition("\n")[0]
    head = f"yixin/{hub.removeprefix('yixin://')}/log"
    if not origin.startswith(head) or not _NUMBER.fullmatch(origin.removeprefix(head)):
        raise LogCorruptError(f"{origin[:120]!r} is no log of {hub}")
    return origin


def _first_hubs_key(
    header: envelope_pb2.EnvelopeHeader, keyring: Keyring, carrier: str, at_ms: int
) -> CertifiedKey:
    try:
        key = keyring.find(header.sender, header.sender_key_id, SIGNING, at_ms)
    except UntrustedCertificateError as error:
        raise UntrustedEnvelopeError(f"first hub: {error.cause}") from error
    if key.issuer != carrier:
        raise UntrustedEnvelopeError(f"first hub: its key is certified by {key.issuer}")
    return key
