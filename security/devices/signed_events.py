"""Signatures of a device over its events: beside TLS, so that an event stays evidence later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from security.errors import BadSignatureError
from security.keys import Signature, VerifyingKey

if TYPE_CHECKING:
    from security.keys import SigningKey

__all__ = ["PRESENCE_TYPE", "sign_event", "verify_event"]

PRESENCE_TYPE: Final = "yixin/presence/v1"


def sign_event(key: SigningKey, body: bytes) -> bytes:
    """Sign a serialised presence event; 64 bytes.

    >>> from security.keys import SigningKey
    >>> key = SigningKey.generate(post_quantum=False)
    >>> verify_event(key.verifying.public_key, b"event", sign_event(key, b"event"))
    """
    return key.sign(PRESENCE_TYPE, body).classical


def verify_event(public_key: bytes, body: bytes, signature: bytes) -> None:
    """Verify that a device signed an event.

    Args:
        public_key: The device's Ed25519 key, 32 bytes, as the node's register holds it.
        body: The event as received.
        signature: Its signature as received.

    Raises:
        BadSignatureError: The signature does not fit, or the key is none.
    """
    try:
        key = VerifyingKey(public_key=public_key)
    except ValueError as error:
        raise BadSignatureError("the device's key is no Ed25519 key") from error
    key.verify(Signature(classical=signature), PRESENCE_TYPE, body)
