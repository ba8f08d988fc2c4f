"""Fingerprints (指纹) of a member's keys: what its operator and the hub's officer compare by voice.

Rules: both sides compute it from the keys they hold, never from what the other side says; it
covers the signing, encryption and TLS keys, in that order, each with its length.
"""

from __future__ import annotations

import hashlib
from typing import Final

GROUPS: Final = 8
GROUP_DIGITS: Final = 4
_LENGTH_BYTES: Final = 4


def keys_digest(
    signing_public_key: bytes,
    signing_pq_public_key: bytes,
    encryption_public_key: bytes,
    tls_public_key: bytes,
) -> bytes:
    """SHA-256 over a member's public keys: what makes two requests the same.

    Args:
        signing_public_key: Signing key.
        signing_pq_public_key: Its ML-DSA-65 half, or empty.
        encryption_public_key: Encryption key.
        tls_public_key: TLS key as a SubjectPublicKeyInfo, DER.
    """
    digest = hashlib.sha256()
    for part in (
        signing_public_key,
        signing_pq_public_key,
        encryption_public_key,
        tls_public_key,
    ):
        digest.update(len(part).to_bytes(_LENGTH_BYTES))
        digest.update(part)
    return digest.digest()


def fingerprint(digest: bytes) -> str:
    """The first 128 bits of a digest of keys, in groups that can be read over the phone.

    >>> fingerprint(bytes(range(32)))
    '0001 0203 0405 0607 0809 0a0b 0c0d 0e0f'
    """
    text = digest.hex()
    return " ".join(text[at : at + GROUP_DIGITS] for at in range(0, GROUPS * GROUP_DIGITS, 4))


__all__ = ["fingerprint", "keys_digest"]
