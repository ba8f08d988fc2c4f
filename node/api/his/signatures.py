"""Signatures of messages (数字签名), checked where an institution's key is configured.

| field | content |
|---|---|
| signtype | SM2 (with SM3), RSA (PKCS #1 v1.5, SHA-256), ECDSA (SHA-256) or Ed25519 |
| cainfo | the signature, Base64; SM2 and ECDSA in DER |

What is signed is the canonical JSON of ``input``: keys sorted by code point at every level, no
spaces, UTF-8 without escapes beyond those JSON demands, numbers in their shortest form. This is
a proposal: where a province prescribes another form, that form takes its place here.

Rules:
- With a key, a message without a signature is refused like one with a wrong signature.
- Without a key nothing is checked: the sender is then known by the network alone.

Source:
    National interface, message head: ``signtype``, ``cainfo``. GB/T 32918.2 (SM2, with the
    default user id 1234567812345678), RFC 8017, FIPS 186-5, RFC 8032.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from node.domain.faults import Fault, Rule
from node.errors import ConfigurationError

__all__ = ["Signers", "canonical_input", "load_signers"]

MAX_KEY_BYTES: Final = 16 * 1024
_MIN_RSA_BITS: Final = 2048

Verify: TypeAlias = Callable[[bytes, bytes], bool]
"""Whether a signature belongs to some bytes."""


def canonical_input(value: object) -> bytes:
    """Write ``input`` as it is signed.

    >>> canonical_input({"b": 1.50, "a": {"d": "药", "c": None}}).decode()
    '{"a":{"c":null,"d":"药"},"b":1.5}'
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class Signers:
    """Institutions whose messages must be signed."""

    def __init__(self, keys: Mapping[str, tuple[str, Verify]]) -> None:
        """Take the keys: signtype and check, by institution."""
        self._keys = dict(keys)

    def find_fault(self, request: Mapping[str, Any]) -> Fault | None:
        """Check the signature of a request; None when it is right, or none is demanded."""
        institution = request.get("fixmedins_code")
        key = self._keys.get(institution) if isinstance(institution, str) else None
        if key is None:
            return None
        name, verify = key
        signtype, cainfo = request.get("signtype"), request.get("cainfo")
        if not isinstance(cainfo, str) or not cainfo:
            return _wrong("request.cainfo", "absent", f"a signature by {name}")
        if not isinstance(signtype, str) or signtype.upper() != name.upper():
            return _wrong("request.signtype", "another", f"{name}, as the key registered here")
        try:
            signature = base64.b64decode(cainfo, validate=True)
        except (binascii.Error, ValueError):
            return _wrong("request.cainfo", "no Base64", "a signature in Base64")
        if not verify(signature, canonical_input(request.get("input"))):
            return _wrong("request.cainfo", "not of this input", f"a signature of it by {name}")
        return None


def _wrong(field: str, found: str, expected: str) -> Fault:
    return Fault.told(Rule.SIGNATURE_INVALID, field, found, expected)


def load_signers(named: Mapping[str, str], directory: Path) -> Signers:
    """Read the public keys that the settings name.

    Args:
        named: PEM file by institution.
        directory: What relative paths start from.

    Raises:
        ConfigurationError: A file cannot be read, holds no public key of a known kind, or
            needs the extra ``gm``.
    """
    return Signers(
        {institution: _load(institution, directory / name) for institution, name in named.items()}
    )


def _load(institution: str, path: Path) -> tuple[str, Verify]:
    try:
        with path.open("rb") as file:
            pem = file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"key {path} of {institution} cannot be read ({error.strerror}); correct "
            "interface.signatures in node.toml"
        ) from error
    try:
        key = load_pem_public_key(pem)
    except UnsupportedAlgorithm:
        return "SM2", _load_sm2(institution, path, pem)
    except ValueError as error:
        raise _no_key(institution, path) from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
        return "RSA", _checked(
            lambda signature, text: key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        )
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ECDSA", _checked(
            lambda signature, text: key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        )
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", _checked(key.verify)
    raise _no_key(institution, path)


def _load_sm2(institution: str, path: Path, pem: bytes) -> Verify:
    try:
        from tongsuopy.crypto import exceptions  # noqa: PLC0415  # an extra
        from tongsuopy.crypto import hashes as gm_hashes  # noqa: PLC0415
        from tongsuopy.crypto.asymciphers import ec as gm  # noqa: PLC0415
        from tongsuopy.crypto.serialization import load_pem_public_key as load  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"key {path} of {institution} is of a curve that needs national cryptography: "
            'install it with: pip install "yixin[gm]"'
        ) from error
    try:
        key = load(pem)
    except (ValueError, TypeError, exceptions.UnsupportedAlgorithm) as error:
        raise _no_key(institution, path) from error
    algorithm = gm.ECDSA(gm_hashes.SM3())

    def verify(signature: bytes, text: bytes) -> bool:
        try:
            key.verify(signature, text, algorithm)
        except (exceptions.InvalidSignature, exceptions.InternalError):
            # The second where the bytes are no signature at all.
            return False
        return True

    return verify


def _checked(verify: Callable[[bytes, bytes], None]) -> Verify:
    def check(signature: bytes, text: bytes) -> bool:
        try:
            verify(signature, text)
        except InvalidSignature:
            return False
        return True

    return check


def _no_key(institution: str, path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} of {institution} is no usable key; expected the PEM of a public key for SM2, "
        f"RSA of at least {_MIN_RSA_BITS} bits, ECDSA or Ed25519"
    )
