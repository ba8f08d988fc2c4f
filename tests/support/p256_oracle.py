"""P-256 in plain integers, as the textbook writes it: the oracle of the link tokens.

Shares nothing with the program but SHA-256: affine points, double and add, square roots by
exponentiation. Source of the constants: SP 800-186, section 3.2.1.3.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

FIELD = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point: TypeAlias = tuple[int, int] | None
"""None is the point at infinity."""


def lift(x: int) -> Point:
    """The point with this x and an even y; None when x is on the twist."""
    square = (x * x * x - 3 * x + B) % FIELD
    y = pow(square, (FIELD + 1) // 4, FIELD)
    if x >= FIELD or y * y % FIELD != square:
        return None
    return x, y if y % 2 == 0 else FIELD - y


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return b if a is None else a
    if a[0] == b[0]:
        if (a[1] + b[1]) % FIELD == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, FIELD)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, FIELD)
    x = (slope * slope - a[0] - b[0]) % FIELD
    return x, (slope * (a[0] - x) - a[1]) % FIELD


def multiply(scalar: int, point: Point) -> Point:
    total: Point = None
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def multiply_x(scalar: int, x: bytes) -> bytes:
    found = multiply(scalar, lift(int.from_bytes(x, "big")))
    assert found is not None
    return found[0].to_bytes(32, "big")


def framed(domain: str, *parts: bytes) -> bytes:
    """The pre-authentication encoding, written out once more."""
    whole = b"DSSEv1"
    for part in (domain.encode(), *parts):
        whole += b" " + str(len(part)).encode() + b" " + part
    return whole


def person_x(period: str, identifier: str) -> bytes:
    counter = 0
    while True:
        parts = (bytes([counter]), period.encode(), identifier.encode())
        x = hashlib.sha256(framed("yixin/link/person/v1", *parts)).digest()
        if lift(int.from_bytes(x, "big")) is not None:
            return x
        counter += 1


def token(period: str, identifier: str, key: int) -> bytes:
    """The token under the whole key, without blinding and without desks."""
    element = multiply_x(key % ORDER, person_x(period, identifier))
    parts = (period.encode(), identifier.encode(), element)
    return hashlib.sha256(framed("yixin/link/token/v1", *parts)).digest()[:16]
