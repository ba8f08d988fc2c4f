"""Device tokens (终端令牌): one-use invitations that a node's operator carries to a device.

Rules: a token pins the node's authority, so that the secret is shown to nobody else and nothing is
trusted on first use; it names the device that it makes; the node keeps only the digest of the
secret; a token is text of one line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from security.devices.device_id import DeviceId, is_device_id
from security.errors import TokenError
from security.token_lines import is_address, read_line, write_line
from security.tokens import SECRET_BYTES, secret_digest

__all__ = ["LIFETIME_S", "PREFIX", "DeviceToken"]

PREFIX: Final = "yixin-device1."
LIFETIME_S: Final = 3_600
"""Default life of a token, seconds: somebody walks to the device with it."""
_NOUN: Final = "device token"
_PARTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceToken:
    """What a device needs to join a node."""

    device: DeviceId
    """Device that whoever shows the token becomes."""
    enrolment_address: str
    """host:port of the node's EdgeEnrolment service."""
    ca_certificate_der: bytes
    """Certificate of the node's authority, DER: the channel is verified before the secret goes."""
    secret: bytes = field(repr=False)
    """Random, 32 bytes, one use."""
    expires_at_ms: int
    """Last moment of use, milliseconds since the epoch, UTC."""

    def __post_init__(self) -> None:
        """Check the parts.

        Raises:
            TokenError: A part is malformed.
        """
        faults = {
            f"{self.device[:120]!r} is no device id": not is_device_id(self.device),
            "the enrolment address is not host:port": not is_address(self.enrolment_address),
            "the secret is not 32 bytes": len(self.secret) != SECRET_BYTES,
            "the node's certificate is missing": not self.ca_certificate_der,
            "the expiry is out of range": not 0 < self.expires_at_ms < 2**63,
        }
        for fault, found in faults.items():
            if found:
                raise TokenError(
                    f"The device token is malformed: {fault}; make a new one at the node"
                )

    @property
    def secret_digest(self) -> bytes:
        """SHA-256 of the secret: all that the node keeps of it."""
        return secret_digest(self.secret)

    def verify_unexpired(self, now_ms: int) -> None:
        """Refuse a token whose time has passed.

        Raises:
            TokenError: The token has expired.
        """
        if now_ms > self.expires_at_ms:
            raise TokenError(
                f"The device token expired {(now_ms - self.expires_at_ms) // 1000} s ago. Make a "
                "new one at the node with: yixin node device token, and compare both clocks"
            )

    def encode(self) -> str:
        """The token as one line of text.

        Raises:
            TokenError: A part is too long for a token.
        """
        parts = (
            self.device.encode(),
            self.enrolment_address.encode(),
            self.ca_certificate_der,
            self.secret,
            self.expires_at_ms.to_bytes(8),
        )
        return write_line(PREFIX, parts, _NOUN)

    @classmethod
    def decode(cls, text: str) -> DeviceToken:
        """Read a token.

        Raises:
            TokenError: The text is not a token, is damaged, or is of a later format.
        """
        parts = read_line(PREFIX, text.strip(), {_PARTS}, _NOUN)
        if parts is None:
            raise TokenError(
                f"This is not a device token: expected one line that starts with {PREFIX!r}. "
                "The node prints it with: yixin node device token"
            )
        device, address, certificate, secret, expires = parts
        try:
            return cls(
                device=DeviceId(device.decode("ascii")),
                enrolment_address=address.decode("ascii"),
                ca_certificate_der=certificate,
                secret=secret,
                expires_at_ms=int.from_bytes(expires),
            )
        except UnicodeDecodeError as error:
            raise TokenError(
                "The device token is damaged; copy the whole line again, without spaces"
            ) from error
