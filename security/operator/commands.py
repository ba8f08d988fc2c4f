"""Commands that carry the signature of the person who gives them (签名命令).

Rules:
    1. Signed are the addressed hub, the person's name, the job, the digest of its arguments, the
       moment and a random nonce, each with its length in front.
    2. A command is taken from 60 s before to 300 s after the moment it names, and once.
    3. The signature travels with the arguments under a name that no job uses, and is taken out
       before the job sees them.
"""

from __future__ import annotations

import binascii
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519

from security.encoding import pae
from security.errors import BadSignatureError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SIGNED", "SignedCommand", "arguments_digest", "sign_command", "split_signed"]

SIGNED: Final = "@signed"
"""Name in the arguments under which the signature travels."""
NONCE_BYTES: Final = 16
LATEST_MS: Final = 300_000
"""Oldest command that is taken, milliseconds."""
EARLIEST_MS: Final = 60_000
"""How far ahead its clock may be, milliseconds."""
_TYPE: Final = "yixin/operator-command/v1"
_NAME_LENGTH: Final = 64
_SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCommand:
    """Who gives a command, when, and the signature over it."""

    name: str
    """Name of the person in the hub's register."""
    at_ms: int
    """Moment, milliseconds since the epoch, UTC."""
    nonce: bytes
    """Random, 16 bytes."""
    signature: bytes = field(repr=False)
    """Ed25519, 64 bytes."""

    def verify(self, public_key: bytes, *, hub: str, job: str, digest: bytes, now_ms: int) -> None:
        """Verify that this person gave this command just now.

        Args:
            public_key: The person's key, 32 bytes.
            hub: Member id of the hub it is given to.
            job: Name of the job.
            digest: SHA-256 of its arguments.
            now_ms: Now, milliseconds since the epoch, UTC.

        Raises:
            BadSignatureError: The signature is another one's or over something else, or the
                command is too old or from the future.
        """
        message = _message(hub, job, digest, (self.name, self.at_ms, self.nonce))
        try:
            key = ed25519.Ed25519PublicKey.from_public_bytes(public_key)
            key.verify(self.signature, message)
        except (InvalidSignature, ValueError) as error:
            raise BadSignatureError(
                f"the signature of {self.name!r} does not fit this command at {hub}; sign with "
                "the key that is registered for this name"
            ) from error
        age_ms = now_ms - self.at_ms
        if not -EARLIEST_MS <= age_ms <= LATEST_MS:
            raise BadSignatureError(
                f"the command was signed {abs(age_ms) // 1000} s "
                f"{'ago' if age_ms > 0 else 'ahead of this clock'}, expected at most "
                f"{LATEST_MS // 1000} s ago; set both clocks right and give it again"
            )


def arguments_digest(arguments: Mapping[str, Any]) -> bytes:
    """SHA-256 over the arguments of a job, as JSON with its names in order.

    >>> arguments_digest({"a": 1, "b": [2]}) == arguments_digest({"b": (2,), "a": 1})
    True
    """
    return hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)).digest()


def sign_command(  # noqa: D417 - the key needs no word
    key: ed25519.Ed25519PrivateKey,
    *,
    hub: str,
    name: str,
    job: str,
    arguments: Mapping[str, Any],
    now_ms: int,
) -> dict[str, Any]:
    """Sign a command.

    Args:
        hub: Member id of the hub it is given to.
        name: Name of the person in the hub's register.
        job: Name of the job.
        arguments: Its arguments.
        now_ms: Now, milliseconds since the epoch, UTC.

    Returns:
        The arguments together with the signature.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    digest = arguments_digest(arguments)
    signature = key.sign(_message(hub, job, digest, (name, now_ms, nonce)))
    signed = {
        "name": name,
        "at_ms": now_ms,
        "nonce": nonce.hex(),
        "signature": signature.hex(),
    }
    return {**arguments, SIGNED: signed}


def split_signed(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], SignedCommand | None]:
    """Take the signature out of the arguments.

    Returns:
        The arguments of the job, and the signature; None where there is none.

    Raises:
        BadSignatureError: What stands in its place is no signature.
    """
    bare = {name: value for name, value in arguments.items() if name != SIGNED}
    if SIGNED not in arguments:
        return bare, None
    found = arguments[SIGNED]
    wanted = {"name": str, "at_ms": int, "nonce": str, "signature": str}
    if (
        not isinstance(found, dict)
        or found.keys() != wanted.keys()
        or any(type(found[name]) is not kind for name, kind in wanted.items())
        or not 0 < len(found["name"]) <= _NAME_LENGTH
    ):
        raise BadSignatureError("the signature beside the command is malformed; give it again")
    try:
        signed = SignedCommand(
            name=found["name"],
            at_ms=found["at_ms"],
            nonce=binascii.unhexlify(found["nonce"]),
            signature=binascii.unhexlify(found["signature"]),
        )
    except ValueError as error:
        raise BadSignatureError("the signature beside the command is no hex digits") from error
    if len(signed.nonce) != NONCE_BYTES or len(signed.signature) != _SIGNATURE_BYTES:
        raise BadSignatureError("nonce or signature beside the command have the wrong length")
    return bare, signed


def _message(hub: str, job: str, digest: bytes, signed: tuple[str, int, bytes]) -> bytes:
    name, at_ms, nonce = signed
    told = (hub.encode(), name.encode(), job.encode(), digest, str(at_ms).encode(), nonce)
    return pae(_TYPE, *told)
