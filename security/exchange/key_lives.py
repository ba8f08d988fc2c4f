"""Lives of a member's keys: since when each is held, until when it may be of use, and its end.

Rules: the signing key before the last stays until the next renewal, for a hub that was restored
from a copy; old TLS keys go at once. A retired encryption key goes when the last envelope that was
sealed to it can no longer be taken: its certificate's end, and an envelope's life after it. The
keys in force never go, however long the member was away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from security.certificates import Keyring
from security.exchange.key_files import (
    KeyFile,
    certificate_public_key,
    drop_epochs,
    find_epochs,
    tls_public_key,
)
from security.exchange.member_files import own_certificates
from security.exchange.sealing import ENVELOPE_LIFETIME_MS
from security.keys import EncryptionKey
from security.tls import load_tls_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from protos.yixin.v1 import enrolment_pb2, identity_pb2
    from security.exchange.membership import Membership

SIGNING_EPOCHS_KEPT: Final = 2


def own_of(joined: enrolment_pb2.JoinResponse) -> tuple[identity_pb2.KeyCertificate, ...]:
    """The member's own two certificates of an answer."""
    return (joined.signing_certificate, joined.encryption_certificate)


def prune_keys(membership: Membership, now_ms: int) -> int:
    """Delete the keys that are of no use any more; how many.

    Args:
        membership: The membership, just renewed.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        MembershipError: The file of old certificates is damaged.
    """
    directory = membership.directory
    wanted = certificate_public_key(membership.tls_certificate_pem)
    held = find_epochs(directory, KeyFile.TLS)
    used = next(epoch for epoch, path in held.items() if _is_tls(path, wanted))
    gone = drop_epochs(
        directory, KeyFile.TLS, [path for epoch, path in held.items() if epoch >= used]
    )
    signing = list(find_epochs(directory, KeyFile.SIGNING).values())
    gone += drop_epochs(directory, KeyFile.SIGNING, signing[-SIGNING_EPOCHS_KEPT:])
    lives = key_lives(membership)
    kept = [
        path
        for path in find_epochs(directory, KeyFile.ENCRYPTION).values()
        if _is_of_use(membership, lives, EncryptionKey.load(path).key_id, now_ms)
    ]
    return gone + drop_epochs(directory, KeyFile.ENCRYPTION, kept)


def _is_tls(path: Path, wanted: bytes) -> bool:
    return tls_public_key(load_tls_key(path)) == wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLife:
    """When a key began and when its last certificate ends, milliseconds since the epoch, UTC."""

    begins_ms: int
    ends_ms: int


def key_lives(membership: Membership) -> dict[str, KeyLife]:
    """Lives of the member's own keys, by key id."""
    ring = Keyring([membership.anchor])
    lives: dict[str, KeyLife] = {}
    for certificate in (*own_certificates(membership.directory), *own_of(membership.joined)):
        key = ring.add(certificate)
        known = lives.get(key.key_id, KeyLife(begins_ms=key.not_before_ms, ends_ms=0))
        lives[key.key_id] = KeyLife(
            begins_ms=min(known.begins_ms, key.not_before_ms),
            ends_ms=max(known.ends_ms, key.not_after_ms),
        )
    return lives


def _is_of_use(
    membership: Membership, lives: Mapping[str, KeyLife], key_id: str, now_ms: int
) -> bool:
    """Whether an encryption key is in force, waits for its certificate, or may still open."""
    life = lives.get(key_id)
    return (
        life is None
        or key_id == membership.keys.encryption.key_id
        or now_ms <= life.ends_ms + ENVELOPE_LIFETIME_MS
    )
