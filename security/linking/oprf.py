"""Link tokens (关联令牌): one person gets one token per period at every node, and no name with it.

An oblivious pseudo-random function on P-256 whose key is split between two desks: the product of
both halves is the key, and nobody holds it. Only x coordinates travel. This is not the ciphersuite
of RFC 9497; why, who sees what, and what it does not protect: ``deploy/decisions/0018-*.md``.

The order of work, per person and period:
    0. The node hashes period and identifier to a point P: SHA-256 over the domain, a counter and
       both; the first digest that is the x coordinate of a point is taken (try and increment).
    1. The node blinds: x(rP), r fresh and uniform for every point of every request.
    2. One desk multiplies by its half k1, then the other by k2: x(k1 rP), x(k2 k1 rP).
    3. The node takes r away: x(k1 k2 P), and hashes period, identifier and this into the token.

Rules:
    1. Whatever comes from outside is the x coordinate of a point of the curve, or is refused: the
       curve's order is prime, so every such point has full order, and the twist is never reached.
    2. A desk is not trusted: a canary goes with every request, whose answer the node knows from the
       desk's published check value, and which looks like every other point.
    3. Scalars come from ``secrets``; all curve arithmetic is ``cryptography``'s ECDH.

Source:
    Jarecki, Kiayias, Krawczyk, Xu, "Highly-Efficient and Composable Password-Protected Secret
    Sharing" (2016), 2HashDH; RFC 9497, sections 3.3.1 and 7, for the form of steps 0 to 3.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec

from security.encoding import pae
from security.errors import LinkAnswerError, LinkPointsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

POINT_BYTES: Final = 32
"""An x coordinate, big-endian."""
TOKEN_BYTES: Final = 16
MAX_POINTS: Final = 4_096
"""Most points of one request, the canary included: 128 KiB."""
MAX_IDENTIFIER_CHARS: Final = 64

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Order of the group of P-256; prime, cofactor 1. Source: SP 800-186, section 3.2.1.3."""

_CURVE: Final = ec.SECP256R1()
_ECDH: Final = ec.ECDH()
_EVEN: Final = b"\x02"
_PERSON: Final = "yixin/link/person/v1"
_CHECK: Final = "yixin/link/check/v1"
_TOKEN: Final = "yixin/link/token/v1"  # noqa: S105 - a domain of hashing, no password


class PeriodKey:
    """One desk's half of a period's key."""

    __slots__ = ("_scalar",)

    def __init__(self, scalar: int) -> None:
        """Take a scalar.

        Raises:
            ValueError: It is not in [2, n - 2]: 0, 1 and n - 1 would hide nothing.
        """
        if not 2 <= scalar <= ORDER - 2:
            raise ValueError("the scalar of a period's key is out of its range")
        self._scalar = scalar

    @classmethod
    def generate(cls) -> PeriodKey:
        """Make a new half, uniformly."""
        return cls(2 + secrets.randbelow(ORDER - 3))

    @classmethod
    def from_bytes(cls, data: bytes) -> PeriodKey:
        """Read a half.

        Raises:
            ValueError: Not 32 bytes, or out of range.
        """
        if len(data) != POINT_BYTES:
            raise ValueError(f"a period's key has {POINT_BYTES} bytes, found {len(data)}")
        return cls(int.from_bytes(data, "big"))

    def to_bytes(self) -> bytes:
        """Write the half, 32 bytes; only ever into a sealed file."""
        return self._scalar.to_bytes(POINT_BYTES, "big")

    def check(self, period: str) -> bytes:
        """The half's published check value for a period: what it makes of the check point."""
        return self.evaluate(check_point(period))

    def evaluate(self, points: bytes) -> bytes:
        """Multiply points by this half (step 2).

        Args:
            points: x coordinates one after the other, 1 to ``MAX_POINTS``.

        Returns:
            As many, in the same order.

        Raises:
            LinkPointsError: The length is wrong, or something is no point of the curve.
        """
        handle = _private(self._scalar)
        return b"".join(_multiply(handle, point) for point in split_points(points))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindedPoints:
    """Points that hide whom they are made of, and what takes the blinding away."""

    period: str
    """Period of the key."""
    points: bytes = field(repr=False)
    """What a desk sees."""
    _identifiers: tuple[str, ...] = field(repr=False)
    _scalars: tuple[int, ...] = field(repr=False)

    def tokens(self, evaluated: bytes) -> tuple[bytes, ...]:
        """Take the blinding away and make the tokens (step 3).

        Args:
            evaluated: What both desks made of ``points``.

        Returns:
            A token for each identifier, in order.

        Raises:
            LinkAnswerError: Another number of points, or something is no point.
        """
        try:
            points = list(split_points(evaluated))
        except LinkPointsError as error:
            raise LinkAnswerError("the desks returned something that is no point") from error
        if len(points) != len(self._scalars):
            raise LinkAnswerError(
                f"the desks returned {len(points)} points for {len(self._scalars)}"
            )
        return tuple(
            _token(self.period, identifier, _unblind(scalar, point))
            for identifier, scalar, point in zip(
                self._identifiers, self._scalars, points, strict=True
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A point whose right answer is known: it finds a desk that uses another key."""

    point: bytes = field(repr=False)
    """What the desk sees: as uniform as every blinded point."""
    answer: bytes = field(repr=False)
    """What its published half makes of it."""

    @classmethod
    def make(cls, period: str, check: bytes) -> Canary:
        """Blind the check point and the desk's check value alike.

        Raises:
            LinkPointsError: The check value is no point.
        """
        handle = _private(_fresh_scalar())
        return cls(point=_multiply(handle, check_point(period)), answer=_multiply(handle, check))


def blind(period: str, identifiers: Sequence[str]) -> BlindedPoints:
    """Hash identifiers to points and blind them (steps 0 and 1).

    Args:
        period: Period, for example ``2026H1``.
        identifiers: Persons' numbers; blanks around them and the case of letters do not count.

    Raises:
        ValueError: An identifier is empty or longer than ``MAX_IDENTIFIER_CHARS``, or there are
            none or more than ``MAX_POINTS``.
    """
    canonical = tuple(identifier.strip().upper() for identifier in identifiers)
    if not 1 <= len(canonical) <= MAX_POINTS:
        raise ValueError(f"{len(canonical)} identifiers, expected 1 to {MAX_POINTS}")
    if not all(0 < len(identifier) <= MAX_IDENTIFIER_CHARS for identifier in canonical):
        raise ValueError(f"an identifier has 1 to {MAX_IDENTIFIER_CHARS} characters")
    scalars = tuple(_fresh_scalar() for _ in canonical)
    points = (
        _multiply(_private(scalar), person_point(period, identifier))
        for scalar, identifier in zip(scalars, canonical, strict=True)
    )
    return BlindedPoints(
        period=period, points=b"".join(points), _identifiers=canonical, _scalars=scalars
    )


def person_point(period: str, identifier: str) -> bytes:
    """The point of a person in a period (step 0); knowing it is knowing the identifier."""
    return _hash_to_curve(_PERSON, period.encode(), identifier.encode())


def check_point(period: str) -> bytes:
    """The public point that check values are made of; no person's, its domain is another."""
    return _hash_to_curve(_CHECK, period.encode())


def split_points(points: bytes) -> Iterator[bytes]:
    """Cut a request or an answer into its points, without looking at them.

    Raises:
        LinkPointsError: Not a whole number of points, none, or more than ``MAX_POINTS``.
    """
    count, rest = divmod(len(points), POINT_BYTES)
    if rest or not 1 <= count <= MAX_POINTS:
        raise LinkPointsError(
            f"found {len(points)} bytes, expected 1 to {MAX_POINTS} points of {POINT_BYTES} bytes"
        )
    return (points[at : at + POINT_BYTES] for at in range(0, len(points), POINT_BYTES))


def _hash_to_curve(domain: str, *parts: bytes) -> bytes:
    """Try and increment: every other x is on the curve, so 256 tries fail once in 2^256."""
    for counter in range(256):
        x = hashlib.sha256(pae(domain, bytes([counter]), *parts)).digest()
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, _EVEN + x)
        except ValueError:
            continue
        return x
    raise AssertionError("SHA-256 found no point in 256 tries")  # pragma: no cover


def _fresh_scalar() -> int:
    return 1 + secrets.randbelow(ORDER - 1)


def _private(scalar: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, _CURVE)


def _multiply(handle: ec.EllipticCurvePrivateKey, point: bytes) -> bytes:
    try:
        lifted = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, _EVEN + point)
    except ValueError as error:
        raise LinkPointsError(
            "found something that is no point of P-256; blind the identifiers again"
        ) from error
    return handle.exchange(_ECDH, lifted)


def _unblind(scalar: int, point: bytes) -> bytes:
    try:
        return _multiply(_private(pow(scalar, -1, ORDER)), point)
    except LinkPointsError as error:
        raise LinkAnswerError("the desks returned something that is no point") from error


def _token(period: str, identifier: str, element: bytes) -> bytes:
    digest = hashlib.sha256(pae(_TOKEN, period.encode(), identifier.encode(), element)).digest()
    return digest[:TOKEN_BYTES]
