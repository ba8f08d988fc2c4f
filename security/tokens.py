"""Join tokens (入网令牌): one-use invitations that a hub hands to a member's operator.

Rules: a token pins the hub, by the digest of its anchor and by its TLS root, and the root of the
model packs where the hub has one, so that nothing is trusted on first use; the hub keeps only the
digest of the secret; a token is text of one line.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from security.errors import TokenError
from security.members import MemberId, MemberKind, parse_member_id
from security.token_lines import is_address, read_line, write_line

PREFIX: Final = "yixin1."
SECRET_BYTES: Final = 32
DIGEST_BYTES: Final = 32
LIFETIME_S: Final = 600

_NOUN: Final = "join token"
_FIELDS: Final = (6, 7)
"""A token without a pin of the model packs, and one with it."""
_DAMAGED: Final = "The join token is damaged; copy the whole line again, without spaces"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """What a member needs to join a hub."""

    hub: MemberId
    """Member id of the hub."""
    enrolment_address: str
    """host:port of the Enrolment service."""
    anchor_digest: bytes
    """SHA-256 of the hub's serialised trust anchor."""
    ca_certificate_der: bytes
    """Root of the hub's TLS certificates, DER: the channel is verified before the secret goes."""
    secret: bytes = field(repr=False)
    """Random, 32 bytes, one use."""
    expires_at_ms: int
    """Last moment of use, milliseconds since the epoch, UTC."""
    pack_root_digest: bytes = b""
    """SHA-256 of the first root metadata of the model packs (模型包); empty for none."""

    def __post_init__(self) -> None:
        """Check the parts.

        Raises:
            TokenError: A part is malformed.
        """
        try:
            is_hub = parse_member_id(self.hub).kind is MemberKind.HUB
        except ValueError as error:
            raise TokenError(f"The join token names no hub: {error}") from error
        faults = {
            f"{self.hub} is not a hub": not is_hub,
            "the enrolment address is not host:port": not is_address(self.enrolment_address),
            "the anchor's digest is not 32 bytes": len(self.anchor_digest) != DIGEST_BYTES,
            "the digest of the packs' root is not 32 bytes": len(self.pack_root_digest)
            not in (0, DIGEST_BYTES),
            "the secret is not 32 bytes": len(self.secret) != SECRET_BYTES,
            "the TLS root is missing": not self.ca_certificate_der,
            "the expiry is out of range": not 0 < self.expires_at_ms < 2**63,
        }
        for fault, found in faults.items():
            if found:
                raise TokenError(f"The join token is malformed: {fault}; ask the hub for a new one")

    @property
    def secret_digest(self) -> bytes:
        """SHA-256 of the secret: all that the hub keeps of it."""
        return secret_digest(self.secret)

    def verify_unexpired(self, now_ms: int) -> None:
        """Refuse a token whose time has passed.

        Raises:
            TokenError: The token has expired.
        """
        if now_ms > self.expires_at_ms:
            raise TokenError(
                f"The join token expired {(now_ms - self.expires_at_ms) // 1000} s ago; "
                f"tokens live {LIFETIME_S} s. Ask the hub for a new one, and compare both clocks"
            )

    def encode(self) -> str:
        """The token as one line of text.

        Raises:
            TokenError: A part is too long for a token.
        """
        pinned = (self.pack_root_digest,) if self.pack_root_digest else ()
        fields = (
            self.hub.encode(),
            self.enrolment_address.encode(),
            self.anchor_digest,
            self.ca_certificate_der,
            self.secret,
            self.expires_at_ms.to_bytes(8),
            *pinned,
        )
        return write_line(PREFIX, fields, _NOUN)

    @classmethod
    def decode(cls, text: str) -> JoinToken:
        """Read a token.

        Raises:
            TokenError: The text is not a token, is damaged, or is of a later format.
        """
        parts = read_line(PREFIX, text.strip(), _FIELDS, _NOUN)
        if parts is None:
            raise TokenError(
                f"This is not a join token: expected one line that starts with {PREFIX!r}. "
                "The hub prints it with: yixin hub token"
            )
        if parts[6:] == [b""]:
            raise TokenError(_DAMAGED)
        hub, address, digest, root, secret, expires = parts[:6]
        try:
            return cls(
                hub=MemberId(hub.decode("ascii")),
                enrolment_address=address.decode("ascii"),
                anchor_digest=digest,
                ca_certificate_der=root,
                secret=secret,
                expires_at_ms=int.from_bytes(expires),
                pack_root_digest=b"".join(parts[6:]),
            )
        except UnicodeDecodeError as error:
            raise TokenError(_DAMAGED) from error


def secret_digest(secret: bytes) -> bytes:
    """SHA-256 of a token's secret."""
    return hashlib.sha256(secret).digest()
