"""Cosignatures: a witness says that a checkpoint continues all it has signed before.

Rules: what is signed is the time and the checkpoint's body, under a context of its own; a line
of a witness that is not asked for is skipped; a line of one that is asked for must fit; nobody
witnesses a log of his own, whatever his key.

Source: C2SP tlog-cosignature, cosignature/v1.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from security.errors import BadSignatureError, CosignatureError
from security.keys import Signature
from security.tlog.witness_policy import KEY_HASH_BYTES, Witness
from security.transparency import parse_note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from security.keys import SigningKey

MAX_AHEAD_S: Final = 300
"""Longest time a cosignature may lie in the future, seconds: clocks differ."""
_TIME_BYTES: Final = 8
_MAX_TIME: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosignature:
    """A verified cosignature."""

    witness: str
    """Name of the witness."""
    at_s: int
    """Moment stated by the witness, seconds since the epoch, UTC."""


def cosign(body: str, name: str, key: SigningKey, at_s: int) -> str:
    """Sign a checkpoint's body as a witness.

    Args:
        body: The checkpoint's three lines.
        name: Name of the witness.
        key: Its witness key.
        at_s: Present moment, seconds since the epoch, UTC.

    Returns:
        One signature line per half of the key.
    """
    witness = Witness(name=name, key=key.verifying)
    signature = key.sign_raw(_message(body, at_s))
    lines = [_line(name, witness.classical_hash, at_s, signature.classical)]
    if signature.post_quantum:
        lines.append(_line(name, witness.post_quantum_hash, at_s, signature.post_quantum))
    return "".join(lines)


def verify_cosignatures(
    note: str, witnesses: Sequence[Witness], *, now_s: int | None
) -> tuple[Cosignature, ...]:
    """Verify the cosignatures of a checkpoint.

    Args:
        note: The signed checkpoint; its own signature is not looked at here.
        witnesses: Whose cosignatures count; each at most once.
        now_s: Present moment, seconds since the epoch, UTC; None where there is no clock.

    Returns:
        Those found, in the order of the witnesses.

    Raises:
        LogCorruptError: The note is malformed.
        CosignatureError: A line of a named witness is malformed, does not fit, lacks its other
            half, or lies in the future.
    """
    parsed = parse_note(note)
    owner = parsed.checkpoint.origin.rpartition("/")[0]
    found = []
    for witness in {witness.name: witness for witness in witnesses}.values():
        lines = parsed.lines_of(witness.name)
        if lines and witness.name.rpartition("/")[0] != owner:
            at_s = _verify(parsed.checkpoint.body, witness, lines)
            if now_s is not None and at_s > now_s + MAX_AHEAD_S:
                raise CosignatureError(
                    f"the cosignature of {witness.name} lies {at_s - now_s} s in the future; "
                    "set the clocks"
                )
            found.append(Cosignature(witness=witness.name, at_s=at_s))
    return tuple(found)


def _verify(body: str, witness: Witness, lines: dict[bytes, bytes]) -> int:
    times = set()
    halves = []
    for key_hash, is_held in (
        (witness.classical_hash, True),
        (witness.post_quantum_hash, bool(witness.key.pq_public_key)),
    ):
        value = lines.get(key_hash, b"") if is_held else b""
        if value:
            times.add(int.from_bytes(value[:_TIME_BYTES]))
        halves.append(value[_TIME_BYTES:])
    at_s = times.pop() if len(times) == 1 else -1
    if not 0 <= at_s < _MAX_TIME:
        raise CosignatureError(f"the lines of {witness.name} do not state one time by its key")
    try:
        witness.key.verify_raw(
            Signature(classical=halves[0], post_quantum=halves[1]), _message(body, at_s)
        )
    except BadSignatureError as error:
        raise CosignatureError(f"cosignature of {witness.name}: {error}") from error
    return at_s


def _message(body: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{body}".encode()


def _line(name: str, key_hash: bytes, at_s: int, signature: bytes) -> str:
    value = key_hash[:KEY_HASH_BYTES] + at_s.to_bytes(_TIME_BYTES) + signature
    return f"\N{EM DASH} {name} {base64.b64encode(value).decode()}\n"
