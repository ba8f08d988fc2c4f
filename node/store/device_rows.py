"""What a node's register says of one device, its token and its queues."""

import json
import sqlite3
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias

from security.devices import DeviceId, DeviceName, Place

__all__ = [
    "DEVICE_COLUMNS",
    "NO_HEALTH",
    "DeviceHealth",
    "DeviceKind",
    "DeviceRow",
    "DeviceState",
    "Greeting",
    "QueueRow",
    "TokenRow",
    "device_row",
]

Row: TypeAlias = sqlite3.Row | tuple[Any, ...]
DEVICE_COLUMNS: Final = (
    "id, institution, place, kind, name, state, signing_key, tls_fingerprint, certified_until,"
    " made_at, revoked_at, seen_at, version, pipeline, health"
)


class DeviceState(StrEnum):
    """How a device stands."""

    EXPECTED = "expected"
    """A token was made; nobody came with it yet."""
    ACTIVE = "active"
    """It joined."""
    REVOKED = "revoked"
    """It is refused; a new token lets the name in again, with other keys."""


class DeviceKind(StrEnum):
    """What a device is."""

    FACE_TERMINAL = "face_terminal"
    """Face terminal (人脸终端)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """What a device last said of itself."""

    model: bytes = b""
    """SHA-256 of its embedding model; empty before it said so."""
    memory_mib: int = 0
    """Peak resident memory."""
    faults: tuple[str, ...] = ()
    """Words of its health."""

    def to_text(self) -> str:
        """As JSON.

        >>> DeviceHealth.of_text(DeviceHealth(memory_mib=3).to_text()) == DeviceHealth(memory_mib=3)
        True
        """
        said = {
            "model": self.model.hex(),
            "memory_mib": self.memory_mib,
            "faults": self.faults,
        }
        return json.dumps(said, ensure_ascii=False)

    @classmethod
    def of_text(cls, text: str) -> "DeviceHealth":
        """From JSON; empty text is nothing said."""
        if not text:
            return NO_HEALTH
        said = json.loads(text)
        return cls(
            model=bytes.fromhex(said["model"]),
            memory_mib=said["memory_mib"],
            faults=tuple(said["faults"]),
        )


NO_HEALTH: Final = DeviceHealth()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A device of the register."""

    id: DeviceId
    institution: str
    place: Place
    kind: DeviceKind
    name: str
    state: DeviceState
    signing_key: bytes = b""
    """Ed25519, 32 bytes: verifies its events; empty before it joined."""
    tls_digest: bytes = b""
    """SHA-256 of its TLS public key; empty before it joined."""
    certified_until: str = ""
    """Last moment of its newest certificate, ISO 8601, UTC."""
    made_at: str
    revoked_at: str = ""
    seen_at: str = ""
    """When it last said hello."""
    version: str = ""
    pipeline: bytes = b""
    """Digest of its models and gates, 32 bytes."""
    health: DeviceHealth = NO_HEALTH

    @property
    def model(self) -> bytes:
        """SHA-256 of the embedding model that it runs; empty before it said so."""
        return self.health.model


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token as the node keeps it."""

    secret_digest: bytes
    device: DeviceName
    expires_at_ms: int
    keys_digest: bytes = b""
    """Keys that it was used with; empty before."""
    response: bytes = field(default=b"", repr=False)
    """The answer to those keys; empty before."""
    is_consumed: bool = False
    """Whether the device has spoken with its certificate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """How far a device's queue is held."""

    queue: bytes
    """16 bytes."""
    through: int
    begun_at: str
    lost: int
    """Events that neither side has any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a device says when it comes."""

    queue: bytes
    """16 bytes."""
    oldest: int
    """Oldest event that it can still send; 0 for none."""
    newest: int
    """Newest event made."""
    version: str
    pipeline: bytes
    """32 bytes, or empty."""
    health: DeviceHealth

    @property
    def first(self) -> int:
        """The first event that may still come."""
        return self.oldest or self.newest + 1


def device_row(row: Row) -> DeviceRow:
    """A row of ``DEVICE_COLUMNS``."""
    return DeviceRow(
        id=DeviceId(row[0]),
        institution=row[1],
        place=Place(row[2]),
        kind=DeviceKind(row[3]),
        name=row[4],
        state=DeviceState(row[5]),
        signing_key=row[6] or b"",
        tls_digest=row[7] or b"",
        certified_until=row[8] or "",
        made_at=row[9],
        revoked_at=row[10] or "",
        seen_at=row[11] or "",
        version=row[12],
        pipeline=row[13] or b"",
        health=DeviceHealth.of_text(row[14]),
    )
