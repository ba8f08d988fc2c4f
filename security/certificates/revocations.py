"""Revocation lists (吊销列表): which certificates of a hub prove nothing from a moment on.

Rules: every version is the whole list, signed by the hub's identity key; versions only grow, and
an older one than was seen is refused; a key that is revoked still proves what it signed before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2
from security.certificates.anchors import anchor_key
from security.encoding import parse_exactly
from security.errors import BadSignatureError, UntrustedCertificateError
from security.keys import MLDSA65_SIGNATURE_BYTES, Signature, SigningKey
from security.members import is_member_id
from security.moments import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from security.certificates.keyring import Keyring

PAYLOAD_TYPE: Final = "yixin/revocations/v1"
FORMAT: Final = 1
MAX_LIST_BYTES: Final = 2 * 1024 * 1024
"""Room for 14,000 revoked certificates; the list travels when a stream opens."""
MAX_SIGNED_BYTES: Final = MAX_LIST_BYTES + 8 * 1024
"""The list with its signatures."""
DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One revoked certificate: of a signing or encryption key, or of TLS.

    Attributes:
        member: Member id of the owner.
        since_ms: From this moment on nothing by the key counts, milliseconds, UTC.
        serial: Serial of the key certificate; 0 for a TLS certificate.
        tls_sha256: SHA-256 of the TLS certificate's DER; empty for a key certificate.
    """

    member: str
    since_ms: int
    serial: int = 0
    tls_sha256: bytes = b""

    @property
    def place(self) -> tuple[int, bytes]:
        """Order on the list; no two rows share it."""
        return self.serial, self.tls_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocations:
    """A verified list."""

    hub: str
    """Hub that signed it."""
    version: int
    """Version; a newer one replaces it."""
    at_ms: int
    """Moment of signing, milliseconds since the epoch, UTC."""
    next_ms: int
    """A newer list is signed no later than this."""
    rows: tuple[Revoked, ...]
    """Revoked certificates, in order of serial, then digest."""
    digest: bytes
    """SHA-256 of what was signed; the log knows the list by it."""

    def is_outdated(self, now_ms: int) -> bool:
        """Whether the hub signed a newer one by now."""
        return now_ms > self.next_ms

    def apply(self, keyring: Keyring) -> None:
        """Stop trusting the revoked keys in a ring; applying again changes nothing."""
        for row in self.rows:
            if row.serial:
                keyring.revoke(self.hub, row.serial, row.since_ms)


def tell_revocations(held: Revocations | None, now_ms: int) -> str:
    """Which list of its hub a member holds, and whether it is outdated, in words.

    Args:
        held: The newest list that it holds; None for none.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    if held is None:
        return "none: what the hub revoked is not known here; synchronise"
    until = to_text(held.next_ms)
    if not held.is_outdated(now_ms):
        return f"{held.version}, good until {until}"
    return (
        f"{held.version}, outdated since {until}: what the hub revoked later is not known here; "
        "synchronise, and if it stays, tell the hub's officer"
    )


def sign_revocations(
    root: SigningKey,
    *,
    hub: str,
    version: int,
    at_ms: int,
    next_ms: int,
    rows: Sequence[Revoked],
) -> identity_pb2.RevocationList:
    """Sign a whole list.

    Args:
        root: Identity key of the hub.
        hub: Member id of the hub.
        version: Version, from 1; one more than the last.
        at_ms: Moment of signing, milliseconds since the epoch, UTC.
        next_ms: A newer list is signed no later than this.
        rows: Every revoked certificate, in any order.

    Raises:
        UntrustedCertificateError: The rows make no valid list.
    """
    body = identity_pb2.RevocationBody(
        format=FORMAT,
        hub=hub,
        version=version,
        at_ms=at_ms,
        next_ms=next_ms,
        rows=[
            identity_pb2.RevokedKey(
                serial=row.serial,
                since_ms=row.since_ms,
                tls_sha256=row.tls_sha256,
                member=row.member,
            )
            for row in sorted(rows, key=lambda row: row.place)
        ],
    )
    _checked(body, hub)
    data = body.SerializeToString(deterministic=True)
    if len(data) > MAX_LIST_BYTES:
        raise UntrustedCertificateError(
            f"revocation list of {len(data)} bytes, at most {MAX_LIST_BYTES} travel"
        )
    signature = root.sign(PAYLOAD_TYPE, data)
    return identity_pb2.RevocationList(
        body=data, signature=signature.classical, pq_signature=signature.post_quantum
    )


def open_revocations(
    signed: identity_pb2.RevocationList,
    anchor: identity_pb2.TrustAnchor,
    *,
    held_version: int,
) -> Revocations:
    """Verify a list.

    Args:
        signed: List as received.
        anchor: Anchor of the hub.
        held_version: Version that was seen before; 0 for none. The same version is accepted.

    Raises:
        UntrustedCertificateError: Malformed, not signed by the anchor, or older than was seen.
    """
    if len(signed.pq_signature) not in {0, MLDSA65_SIGNATURE_BYTES}:
        raise UntrustedCertificateError("the revocation list's post-quantum signature is cut")
    try:
        anchor_key(anchor).verify(
            Signature(classical=signed.signature, post_quantum=signed.pq_signature),
            PAYLOAD_TYPE,
            signed.body,
        )
        body = parse_exactly(identity_pb2.RevocationBody, signed.body, MAX_LIST_BYTES)
    except (ValueError, BadSignatureError) as error:
        raise UntrustedCertificateError(
            f"revocation list of {anchor.hub}: {error}, so it is not what the identity key of that "
            "hub signed, or was changed on its way. Nothing of it was taken; tell the hub's "
            "security officer"
        ) from error
    _checked(body, anchor.hub)
    if body.version < held_version:
        raise UntrustedCertificateError(
            f"revocation list of {anchor.hub}: version {body.version}, {held_version} was seen "
            "before; an older list would bring revoked keys back, so it was refused. Tell the "
            "hub's security officer, who may have restored an old copy: `yixin hub log recover`"
        )
    rows = tuple(
        Revoked(
            member=row.member, since_ms=row.since_ms, serial=row.serial, tls_sha256=row.tls_sha256
        )
        for row in body.rows
    )
    return Revocations(
        hub=body.hub,
        version=body.version,
        at_ms=body.at_ms,
        next_ms=body.next_ms,
        rows=rows,
        digest=hashlib.sha256(signed.body).digest(),
    )


def read_revocations(data: bytes, anchors: Mapping[str, identity_pb2.TrustAnchor]) -> Revocations:
    """Verify a serialised list by the anchor of the hub it names.

    Args:
        data: Serialised ``RevocationList``.
        anchors: Anchors by hub; the caller compares the version with one it holds.

    Raises:
        UntrustedCertificateError: Malformed, of a hub without an anchor, or not signed by it.
    """
    try:
        signed = parse_exactly(identity_pb2.RevocationList, data, MAX_SIGNED_BYTES)
        hub = parse_exactly(identity_pb2.RevocationBody, signed.body, MAX_LIST_BYTES).hub
    except ValueError as error:
        raise UntrustedCertificateError(f"this is no revocation list: {error}") from error
    anchor = anchors.get(hub)
    if anchor is None:
        raise UntrustedCertificateError(
            f"revocation list of {hub[:120]!r}, for which no anchor is held"
        )
    return open_revocations(signed, anchor, held_version=0)


def _checked(body: identity_pb2.RevocationBody, hub: str) -> None:
    places = [(row.serial, row.tls_sha256) for row in body.rows]
    faults = {
        f"format {body.format}, expected {FORMAT}": body.format != FORMAT,
        f"it is of {body.hub[:120]!r}": body.hub != hub,
        "version 0": body.version == 0,
        "its times are not in order": not 0 < body.at_ms < body.next_ms,
        "rows out of order or twice": any(one >= other for one, other in pairwise(places)),
        "a row names no certificate, or two": any(
            bool(serial) == bool(digest) or len(digest) not in {0, DIGEST_BYTES}
            for serial, digest in places
        ),
        "a row names no member": any(not is_member_id(row.member) for row in body.rows),
    }
    for fault, found in faults.items():
        if found:
            raise UntrustedCertificateError(f"revocation list of {hub}: {fault}")


__all__ = [
    "MAX_SIGNED_BYTES",
    "Revocations",
    "Revoked",
    "open_revocations",
    "read_revocations",
    "sign_revocations",
    "tell_revocations",
]
