"""Countersignature (副署): the SM2 signature that a hub adds for members of suite GM.

A hub signs for everybody with Ed25519 and ML-DSA-65, which every auditor can check. What it states
to a member of GM it signs a second time, the same bytes, with an SM2 key of its own that its
identity key certifies like the others.

Rules:
    1. The signed part names the SM2 key: a countersignature can be neither dropped nor added.
    2. A member of GM takes no heads, delivery or receipt of its hub without one.
    3. Where the extra is missing nobody requires it, and it is passed over; the two signatures
       beside it are checked as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from security.certificates import SIGNING
from security.errors import BadSignatureError
from security.group_signature import sign_group
from security.signatures import SIGNATURE_BYTES
from security.suites import GM, available_suites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from security.certificates import Keyring
    from security.keys import SigningKey, VerifyingKey

UNCHECKED: Final = 'SM2 was not checked: pip install "yixin[gm]"'
"""What an auditor without the extra is told."""


def sm2_key_id(key: SigningKey | None) -> str:
    """Name of an SM2 key as signed parts carry it; empty for none."""
    return key.key_id if key else ""


def countersign(key: SigningKey | None, payload_type: str, *parts: bytes) -> bytes:
    """Sign the parts with an SM2 key, 64 bytes; empty without one."""
    return key.sign(payload_type, *parts).classical if key else b""


def countersign_group(key: SigningKey | None, payload_type: str, leaves: Sequence[bytes]) -> bytes:
    """Sign a group of bodies with an SM2 key, 64 bytes; empty without one."""
    return sign_group(key, payload_type, leaves)[2].classical if key else b""


def is_countersigning(suite: str) -> bool:
    """Whether a hub countersigns what it states to a member of a suite.

    >>> is_countersigning("GM"), is_countersigning("INTL-PQ")
    (True, False)
    """
    return suite == GM.name


def can_check() -> bool:
    """Whether SM2 works on this machine."""
    return GM.name in available_suites()


def find_countersigner(
    keyring: Keyring,
    signer: str,
    key_id: str,
    signature: bytes,
    *,
    at_ms: int,
    is_required: bool = False,
) -> VerifyingKey | None:
    """Find the key that must fit a countersignature.

    Args:
        keyring: Certified keys; the hub's SM2 key must be valid at the moment.
        signer: Member id of the hub.
        key_id: SM2 key that the signed part names, or empty.
        signature: Countersignature as received, or empty.
        at_ms: Moment of signing, milliseconds since the epoch, UTC.
        is_required: Whether the receiver takes nothing without one.

    Returns:
        The key; None where there is no countersignature, or SM2 does not work here.

    Raises:
        BadSignatureError: It is missing, superfluous, or the key is none of SM2.
        UntrustedCertificateError: The key is not certified for the signer, or not valid then.
    """
    if not key_id:
        if signature:
            raise BadSignatureError(f"{signer} names no SM2 key, and yet there is a signature")
        if is_required:
            raise BadSignatureError(
                f"{signer} did not sign with SM2, which members of suite {GM.name} require; its "
                "program may be older than this one"
            )
        return None
    key = keyring.find(signer, key_id, SIGNING, at_ms)
    if (key.suite, key.issuer, len(signature)) != (GM.name, signer, SIGNATURE_BYTES):
        raise BadSignatureError(
            f"the second signature of {signer} has {len(signature)} bytes by a key of suite "
            f"{key.suite} certified by {key.issuer}; expected: {SIGNATURE_BYTES} bytes by a key "
            f"of {GM.name} of its own"
        )
    return key.verifying if can_check() else None
