"""SM2 (国密椭圆曲线): signatures and encryption of short keys, over ``tongsuopy``.

The only module that knows that library, whose Python interface has no SM2 encryption: the calls
below it are made here, for the one version that was tried.

Rules: everything outside this module is raw, of fixed length and big-endian: a private number 32
bytes, a point ``04 x y`` 65, a signature ``r s`` 64, a wrapped key ``C1 C3 C2`` of 96 bytes and
the key's length. Nothing is loaded before it is needed, because the extra may be missing.

Source:
    GB/T 32918.2 and .4 with the curve of GB/T 32918.5; user id 1234567812345678; GB/T 32905.
"""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from security.errors import UnknownSuiteError

PRIVATE_BYTES: Final = 32
PUBLIC_BYTES: Final = 65
SIGNATURE_BYTES: Final = 64
POINT_BYTES: Final = 64
HASH_BYTES: Final = 32
VERSION: Final = "1.0.1"
MISSING: Final = 'national cryptography is not installed: pip install "yixin[gm]"'

_ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_NUMBER: Final = 32
_DER_SEQUENCE: Final = 0x30
_DER_INTEGER: Final = 0x02
_DER_OCTETS: Final = 0x04
_SHORT: Final = 128
_LONG: Final = 0x81
_MAX_PART: Final = 255


@lru_cache(maxsize=1)
def _library() -> SimpleNamespace:
    """The library's parts that are used.

    Raises:
        UnknownSuiteError: It is not installed, or in a version that was not tried.
    """
    # In the function: the library may be missing, and the reader of versions drags a socket along.
    from importlib import metadata  # noqa: PLC0415

    try:
        from tongsuopy.backends.tongsuo.backend import backend  # noqa: PLC0415
        from tongsuopy.crypto import exceptions, hashes, serialization  # noqa: PLC0415
        from tongsuopy.crypto.asymciphers import ec  # noqa: PLC0415
    except ImportError as error:
        raise UnknownSuiteError(f"suite GM: {MISSING}") from error
    found = metadata.version("tongsuopy")
    if found != VERSION:
        raise UnknownSuiteError(
            f"suite GM: tongsuopy {found} is installed, this release was tried with {VERSION}: "
            'pip install "yixin[gm]"'
        )
    return SimpleNamespace(
        lib=backend._lib,  # noqa: SLF001 - see the module's first lines
        ffi=backend._ffi,  # noqa: SLF001
        clear=backend._consume_errors,  # noqa: SLF001
        ec=ec,
        serialization=serialization,
        algorithm=ec.ECDSA(hashes.SM3()),
        faults=(exceptions.InvalidSignature, exceptions.InternalError),
    )


def require() -> None:
    """Make sure that SM2 works here.

    Raises:
        UnknownSuiteError: The library is not installed, or in a version that was not tried.
    """
    _library()


class Sm2PublicKey:
    """A point of the curve."""

    __slots__ = ("_key",)

    def __init__(self, public_key: bytes) -> None:
        """Parse a point.

        Raises:
            ValueError: The bytes are no uncompressed point of the curve.
            UnknownSuiteError: The library is not installed.
        """
        library = _library()
        if len(public_key) != PUBLIC_BYTES or public_key[0] != _DER_OCTETS:
            raise ValueError(f"an SM2 public key is 04 and 64 bytes, found {len(public_key)} bytes")
        try:
            self._key = library.ec.EllipticCurvePublicKey.from_encoded_point(
                library.ec.SM2(), public_key
            )
        except ValueError as error:
            library.clear()
            raise ValueError("the SM2 public key is no point of the curve") from error

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether ``r s`` is a signature of the message."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r, s = _numbers(signature)
        if not (0 < r < _ORDER and 0 < s < _ORDER):
            return False
        library = _library()
        try:
            self._key.verify(encode_dss_signature(r, s), message, library.algorithm)
        except library.faults:
            library.clear()
            return False
        return True

    def wrap(self, key: bytes) -> bytes:
        """Encrypt a short key: ``C1 C3 C2``."""
        library = _library()
        der = _crypt(
            self._key._evp_pkey,  # noqa: SLF001 - see the module's first lines
            key,
            library.lib.EVP_PKEY_encrypt_init,
            library.lib.EVP_PKEY_encrypt,
        )
        return _to_raw(der)


class Sm2PrivateKey:
    """A private number."""

    __slots__ = ("_key", "private_bytes", "public_bytes")

    def __init__(self, private_key: bytes) -> None:
        """Parse a private number.

        Raises:
            ValueError: It is not between 1 and the curve's order minus 2.
            UnknownSuiteError: The library is not installed.
        """
        library = _library()
        number = int.from_bytes(private_key)
        if len(private_key) != PRIVATE_BYTES or not 0 < number < _ORDER - 1:
            raise ValueError("an SM2 private key is a number of 32 bytes below the order less one")
        self._key = library.ec.derive_private_key(number, library.ec.SM2())
        self.private_bytes = private_key
        self.public_bytes: bytes = self._key.public_key().public_bytes(
            library.serialization.Encoding.X962,
            library.serialization.PublicFormat.UncompressedPoint,
        )

    @classmethod
    def generate(cls) -> Sm2PrivateKey:
        """Make a new key.

        Raises:
            UnknownSuiteError: The library is not installed.
        """
        ec = _library().ec
        number: int = ec.generate_private_key(ec.SM2()).private_numbers().private_value
        return cls(number.to_bytes(PRIVATE_BYTES))

    def sign(self, message: bytes) -> bytes:
        """Sign a message: ``r s``."""
        r, s = decode_dss_signature(self._key.sign(message, _library().algorithm))
        return r.to_bytes(_NUMBER) + s.to_bytes(_NUMBER)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt what ``wrap`` made.

        Raises:
            ValueError: Not made for this key, or changed since.
        """
        library = _library()
        return _crypt(
            self._key._evp_pkey,  # noqa: SLF001 - see the module's first lines
            _to_der(wrapped),
            library.lib.EVP_PKEY_decrypt_init,
            library.lib.EVP_PKEY_decrypt,
        )


def _crypt(key: Any, data: bytes, begin: Any, run: Any) -> bytes:  # noqa: ANN401 - foreign handles
    library = _library()
    lib, ffi = library.lib, library.ffi
    context = ffi.gc(lib.EVP_PKEY_CTX_new(key, ffi.NULL), lib.EVP_PKEY_CTX_free)
    size = ffi.new("size_t *")
    if begin(context) != 1 or run(context, ffi.NULL, size, data, len(data)) != 1:
        library.clear()
        raise ValueError("the SM2 ciphertext does not open")
    buffer = ffi.new("unsigned char[]", size[0])
    if run(context, buffer, size, data, len(data)) != 1:
        library.clear()
        raise ValueError("the SM2 ciphertext does not open")
    return bytes(ffi.buffer(buffer, size[0]))


def _numbers(pair: bytes) -> tuple[int, int]:
    return int.from_bytes(pair[:_NUMBER]), int.from_bytes(pair[_NUMBER:])


def _to_der(raw: bytes) -> bytes:
    """``C1 C3 C2`` as the sequence of GB/T 35276: two integers, two octet strings."""
    point, digest, content = (
        raw[:POINT_BYTES],
        raw[POINT_BYTES : POINT_BYTES + HASH_BYTES],
        raw[POINT_BYTES + HASH_BYTES :],
    )
    # A signature is the same sequence of two integers: its content is taken as it is.
    numbers = encode_dss_signature(*_numbers(point))[2:]
    body = b"".join((numbers, _tagged(_DER_OCTETS, digest), _tagged(_DER_OCTETS, content)))
    return _tagged(_DER_SEQUENCE, body)


def _to_raw(der: bytes) -> bytes:
    body = _content(der, _DER_SEQUENCE)[0]
    x, body = _content(body, _DER_INTEGER)
    y, body = _content(body, _DER_INTEGER)
    digest, body = _content(body, _DER_OCTETS)
    content, _ = _content(body, _DER_OCTETS)
    coordinates = (int.from_bytes(number).to_bytes(_NUMBER) for number in (x, y))
    return b"".join((*coordinates, digest, content))


def _tagged(tag: int, content: bytes) -> bytes:
    if len(content) > _MAX_PART:
        raise ValueError(f"a wrapped key of {len(content)} bytes is too long")
    longer = (_LONG,) if len(content) >= _SHORT else ()
    return bytes((tag, *longer, len(content))) + content


def _content(der: bytes, tag: int) -> tuple[bytes, bytes]:
    start = 3 if der[1:2] == bytes((_LONG,)) else 2
    if len(der) < start or der[0] != tag:
        raise ValueError("the SM2 ciphertext is no sequence of short parts")
    end = start + der[start - 1]
    return der[start:end], der[end:]
