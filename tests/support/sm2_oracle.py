"""SM2 in plain integers, for tests: it shares nothing with the program but the SM3 hash.

Slow, and not constant in time.

Source:
    GB/T 32918.1 to .5 (the curve, signatures, encryption); test vectors of OpenSSL give the
    digest ``e`` itself, so that the digest over the user id is a function of its own here.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.hazmat.primitives.hashes import SM3, Hash

P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A: Final = P - 3
B: Final = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
ORDER: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
Point: TypeAlias = tuple[int, int] | None
GENERATOR: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
USER_ID: Final = b"1234567812345678"


def sm3(data: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def add(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2:
        if (y1 + y2) % P == 0:
            return None
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def multiply(scalar: int, point: Point) -> Point:
    found: Point = None
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point, scalar = add(point, point), scalar >> 1
    return found


def read_point(raw: bytes) -> tuple[int, int]:
    """Read 64 bytes, or 65 with a leading 04."""
    raw = raw[-64:]
    x, y = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    assert (y * y - (x * x * x + A * x + B)) % P == 0
    return x, y


def message_digest(message: bytes, public_key: bytes, user_id: bytes = USER_ID) -> bytes:
    """The digest ``e`` that is signed: over the user id, the curve, the key and the message."""
    parts = (A, B, *GENERATOR)
    fixed = b"".join(part.to_bytes(32) for part in parts)
    about = sm3((8 * len(user_id)).to_bytes(2) + user_id + fixed + public_key[-64:])
    return sm3(about + message)


def verifies(digest: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether ``r s`` is a signature of a digest. Source: GB/T 32918.2, section 7.1."""
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    t = (r + s) % ORDER
    if not (0 < r < ORDER and 0 < s < ORDER and t):
        return False
    point = add(multiply(s, GENERATOR), multiply(t, read_point(public_key)))
    return point is not None and (int.from_bytes(digest) + point[0]) % ORDER == r


def sign(digest: bytes, private_key: int, nonce: int) -> bytes:
    """Sign a digest with a given nonce."""
    point = multiply(nonce, GENERATOR)
    assert point is not None
    r = (int.from_bytes(digest) + point[0]) % ORDER
    s = pow(1 + private_key, -1, ORDER) * (nonce - r * private_key) % ORDER
    return r.to_bytes(32) + s.to_bytes(32)


def unwrap(wrapped: bytes, private_key: int) -> bytes:
    """Decrypt ``C1 C3 C2``. Source: GB/T 32918.4, section 7.1."""
    point = multiply(private_key, read_point(wrapped[:64]))
    digest, content = wrapped[64:96], wrapped[96:]
    x, y, plain = _masked(point, content)
    assert sm3(x + plain + y) == digest
    return plain


def wrap(content: bytes, public_key: bytes, nonce: int) -> bytes:
    """Encrypt to ``C1 C3 C2`` with a given nonce."""
    ephemeral = multiply(nonce, GENERATOR)
    assert ephemeral is not None
    x, y, masked = _masked(multiply(nonce, read_point(public_key)), content)
    coordinates = (part.to_bytes(32) for part in ephemeral)
    return b"".join((*coordinates, sm3(x + content + y), masked))


def _masked(point: Point, content: bytes) -> tuple[bytes, bytes, bytes]:
    assert point is not None
    x, y = (part.to_bytes(32) for part in point)
    stream = b"".join(
        sm3(x + y + count.to_bytes(4)) for count in range(1, 2 + (len(content) - 1) // 32)
    )
    return x, y, bytes(one ^ two for one, two in zip(content, stream, strict=False))
