"""Mutation of sealed and signed things: single bytes and single fields, drawn from a seed.

A subject says how it looks in bytes, how the program judges bytes, and what its fields are. The
judge returns what it read, in a form two of which can be compared, or raises an error of ours.
A mutant must be refused; one that is read as the very same thing as the original is no mutant,
because nothing of what was proved differs (a receiver never serialises anew).

Whoever adds a kind writes a module ``tests/support/mutant_<kind>.py`` that registers its subjects,
with their share of all mutants; ``subjects`` imports every such module.
"""

from __future__ import annotations

import importlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from google.protobuf.message import Message

from security.errors import SecurityError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from google.protobuf.descriptor import FieldDescriptor

Draw = random.Random


class Subject(Protocol):
    """Something sealed or signed."""

    @property
    def data(self) -> bytes:
        """The original, in bytes."""

    def judge(self, data: bytes) -> Hashable:
        """What the program makes of bytes; raises an error of ours when it refuses them."""

    def change_field(self, draw: Draw) -> bytes:
        """The original with one field changed to another value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of some mutants."""

    tried: int
    refused: int
    same: int
    """Read as the very same thing: nothing that was proved differs."""
    accepted: tuple[str, ...]
    """Mutants that were read as something else, which must not be."""


def change_byte(data: bytes, draw: Draw) -> bytes:
    """Change, remove, double or cut at one byte."""
    at = draw.randrange(len(data))
    match draw.randrange(8):
        case 0:
            return data[:at] + data[at + 1 :]
        case 1:
            return data[:at] + data[at : at + 1] * 2 + data[at + 1 :]
        case 2:
            return data[:at]
        case 3:
            return data + bytes([draw.randrange(256)])
        case _:
            value = data[at] ^ draw.randrange(1, 256)
            return data[:at] + bytes([value]) + data[at + 1 :]


def change_message(message: Message, draw: Draw) -> Message:
    """A copy with one field of it, or of a message in it, changed."""
    changed = type(message)()
    changed.CopyFrom(message)
    fields = cast("list[FieldDescriptor]", list(message.DESCRIPTOR.fields))
    descriptor = draw.choice(fields)
    name = descriptor.name
    if descriptor.is_repeated:
        values = list(getattr(message, name))
        _change_list(values, draw)
        changed.ClearField(name)
        getattr(changed, name).extend(values)
        return changed
    value = getattr(message, name)
    if isinstance(value, Message):
        getattr(changed, name).CopyFrom(change_message(value, draw))
        return changed
    setattr(changed, name, _another(value, draw))
    return changed


def _change_list(values: list[object], draw: Draw) -> None:
    if values and draw.randrange(2):
        values.pop(draw.randrange(len(values)))
    elif values:
        values.append(draw.choice(values))


def _another(value: object, draw: Draw) -> object:
    match value:
        case bool():
            return not value
        case int():
            return draw.choice([value + 1, max(0, value - 1), 0, 2**31 - 1, value ^ 1])
        case bytes():
            return _another_bytes(value, draw)
        case str():
            return draw.choice(["", value + "a", value[:-1], value[::-1], value.upper()])
        case _:
            raise TypeError(type(value))


def _another_bytes(value: bytes, draw: Draw) -> bytes:
    if not value:
        return bytes([draw.randrange(256)])
    return draw.choice(
        [b"", value + b"\0", value[:-1], bytes(len(value)), change_byte(value, draw)]
    )


def mutants(subject: Subject, count: int, draw: Draw) -> Iterator[bytes]:
    """Mutants of a subject, single bytes and single fields by turns; none equals the original."""
    made = 0
    while made < count:
        data = change_byte(subject.data, draw) if draw.randrange(2) else subject.change_field(draw)
        if data != subject.data:
            made += 1
            yield data


def try_mutants(subject: Subject, count: int, seed: int) -> Outcome:
    """Judge mutants of a subject.

    Raises:
        Exception: The program raised something that is no error of ours: it crashed.
    """
    draw = random.Random(seed)  # noqa: S311 - a repeatable choice of mutants, no secret
    original = subject.judge(subject.data)
    refused = same = 0
    accepted: list[str] = []
    for data in mutants(subject, count, draw):
        try:
            found = subject.judge(data)
        except SecurityError:
            refused += 1
            continue
        if found == original:
            same += 1
        else:
            accepted.append(data.hex()[:400])
    return Outcome(tried=count, refused=refused, same=same, accepted=tuple(accepted))


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A subject and its part of all mutants."""

    make: Callable[[], Sequence[Subject]]
    """Makes the subjects; they share the part."""
    weight: int
    """Part of all mutants, against the weights of the others."""


_SHARES: Final[dict[str, Share]] = {}


def shares() -> dict[str, Share]:
    """Every kind of subject that is registered, by name."""
    for path in sorted(Path(__file__).parent.glob("mutant_*.py")):
        importlib.import_module(f"tests.support.{path.stem}")
    return dict(sorted(_SHARES.items()))


def register(name: str, weight: int) -> Callable[[Callable[[], Sequence[Subject]]], None]:
    """Register what makes the subjects of one kind."""

    def keep(make: Callable[[], Sequence[Subject]]) -> None:
        _SHARES[name] = Share(make=make, weight=weight)

    return keep
