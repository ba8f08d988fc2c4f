"""The ring of certified keys that one member or auditor trusts.

Rules: trust starts at anchors that the caller holds; a key is found for a use and for a moment
the caller names (the first hub's logged time); a hub's identity key, the anchor, is also its own
signing key and does not expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2
from security.certificates.anchors import anchor_key
from security.certificates.key_certificates import (
    MAX_BODY_BYTES,
    SIGNING,
    CertifiedKey,
    verify_key_certificate,
)
from security.encoding import parse_exactly
from security.errors import CertificateEndedError, RevokedError, UntrustedCertificateError
from security.members import parse_member_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    KeyUse: TypeAlias = identity_pb2.KeyUse.ValueType

_FOREVER_MS: Final = 2**63 - 1


class Keyring:
    """The certified keys that one member or auditor trusts.

    Adding is idempotent; finding is safe from several threads while another one adds.
    """

    __slots__ = ("_anchors", "_keys", "_revoked")

    def __init__(self, anchors: Iterable[identity_pb2.TrustAnchor]) -> None:
        self._anchors = {anchor.hub: anchor for anchor in anchors}
        self._keys: dict[tuple[str, KeyUse], tuple[CertifiedKey, ...]] = {}
        self._revoked: dict[tuple[str, int], int] = {}
        for anchor in self._anchors.values():
            self._hold(_own_key(anchor))

    def add(self, certificate: identity_pb2.KeyCertificate) -> CertifiedKey:
        """Verify a certificate against the anchor of its issuer and hold its key.

        Raises:
            UntrustedCertificateError: No anchor is held for the issuer, or it does not verify.
        """
        try:
            body = parse_exactly(identity_pb2.KeyCertificateBody, certificate.body, MAX_BODY_BYTES)
        except ValueError as error:
            raise UntrustedCertificateError(f"key certificate: {error}") from error
        anchor = self._anchors.get(body.issuer)
        if anchor is None:
            raise UntrustedCertificateError(
                f"key certificate issued by {body.issuer[:120]!r}, for which no anchor is held"
            )
        key = verify_key_certificate(certificate, anchor)
        self._hold(key)
        return key

    def _hold(self, key: CertifiedKey) -> None:
        place = (key.member, key.use)
        held = self._keys.get(place, ())
        if key not in held:
            self._keys[place] = (*held, key)

    def revoke(self, issuer: str, serial: int, since_ms: int) -> None:
        """Stop trusting one certificate from a moment on; what it signed before stays valid."""
        place = (issuer, serial)
        self._revoked[place] = min(since_ms, self._revoked.get(place, since_ms))

    def find(self, member: str, key_id: str, use: KeyUse, at_ms: int) -> CertifiedKey:
        """Find the key of a member by its id, valid at a moment.

        Raises:
            UntrustedCertificateError: Unknown, not valid at that moment, or certified for another
                use.
            RevokedError: Revoked by then; a subclass.
            CertificateEndedError: Ended by then; a subclass.
        """
        named = [key for key in self._keys.get((member, use), ()) if key.key_id == key_id]
        if not named:
            raise UntrustedCertificateError(
                f"no certified key {key_id[:40]!r} of {member[:120]!r} for this use"
            )
        return self._newest(named, at_ms)

    def current(self, member: str, use: KeyUse, at_ms: int, *, suite: str = "") -> CertifiedKey:
        """The key of a member to use at a moment: of the valid ones, the one that began last.

        Args:
            member: Member id of the owner.
            use: Signing or encryption.
            at_ms: The moment, milliseconds since the epoch, UTC.
            suite: Suite that the key must have; empty for any.

        Raises:
            UntrustedCertificateError: No key of this use is valid at that moment.
            RevokedError: The last valid one was revoked by then; a subclass.
        """
        keys = self._keys.get((member, use), ())
        return self._newest([key for key in keys if suite in {"", key.suite}], at_ms)

    def first_ms(self, member: str, use: KeyUse, suite: str) -> int | None:
        """First moment of the first key of a member under a suite; None when it never had one."""
        keys = self._keys.get((member, use), ())
        return min((key.not_before_ms for key in keys if key.suite == suite), default=None)

    def _newest(self, keys: Sequence[CertifiedKey], at_ms: int) -> CertifiedKey:
        in_time = [key for key in keys if key.is_valid_at(at_ms)]
        valid = [
            key
            for key in in_time
            if at_ms < self._revoked.get((key.issuer, key.serial), _FOREVER_MS)
        ]
        if in_time and not valid:
            raise RevokedError(f"key {in_time[-1].key_id} of {in_time[-1].member} is revoked")
        if not valid:
            ended = any(key.not_after_ms < at_ms for key in keys)
            error = CertificateEndedError if ended else UntrustedCertificateError
            raise error(
                f"no key is valid at {at_ms} ms since the epoch: expired, not begun or never "
                "certified"
            )
        return max(valid, key=lambda key: (key.not_before_ms, key.serial))


def _own_key(anchor: identity_pb2.TrustAnchor) -> CertifiedKey:
    key = anchor_key(anchor)
    hub = parse_member_id(anchor.hub)
    return CertifiedKey(
        member=hub.member_id,
        kind=hub.kind,
        use=SIGNING,
        suite="INTL-PQ" if key.pq_public_key else "INTL",
        key_id=key.key_id,
        public_key=key.public_key,
        pq_public_key=key.pq_public_key,
        not_before_ms=0,
        not_after_ms=_FOREVER_MS,
        serial=0,
        issuer=hub.member_id,
    )
