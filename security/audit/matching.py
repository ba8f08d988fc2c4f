"""Which message of a bundle belongs to which leaf, although the bundle may hide or add some.

Rules: leaves and messages are in the same order; a message that belongs to a later leaf leaves
the present one without; a message that belongs to none, or to a leaf already passed, is a
stranger; a file that breaks off shows nothing further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from security.errors import AuditInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Generic[T]):
    """What a bundle shows for a leaf."""

    message: T | None
    """The message that belongs to the leaf; None when it is not shown."""
    replaced: bool
    """Whether a stranger stands where the missing message would."""


class Matcher(Generic[T]):
    """Hands out messages leaf by leaf; holds one message at a time."""

    def __init__(
        self, messages: Iterator[bytes], find_place: Callable[[bytes], tuple[int, T] | None]
    ) -> None:
        """Begin.

        Args:
            messages: Serialised messages, in leaf order.
            find_place: Parses a message and finds the place of its leaf; None for strangers.
        """
        self._messages = messages
        self._find_place = find_place
        self._next: tuple[int, T] | None = None
        self._ended = False
        self._broken: str | None = None
        self._strangers = 0

    @property
    def strangers(self) -> int:
        """Number of messages that belong to no leaf."""
        return self._strangers

    @property
    def broken(self) -> str | None:
        """Why the file cannot be read to its end; None when it can."""
        return self._broken

    def take(self, place: int) -> Match[T]:
        """The message of a leaf; places are asked for in ascending order."""
        before = self._strangers
        while not self._ended:
            if self._next is None:
                self._next = self._advance()
                continue
            found, message = self._next
            if found > place:
                break
            self._next = None
            if found == place:
                return Match(message=message, replaced=False)
            self._strangers += 1
        return Match(message=None, replaced=self._strangers > before)

    def drain(self) -> None:
        """Read to the end: whatever is left belongs to no leaf."""
        while not self._ended:
            if self._next is not None:
                self._strangers += 1
            self._next = self._advance()

    def _advance(self) -> tuple[int, T] | None:
        try:
            message = next(self._messages, None)
        except AuditInputError as error:
            self._broken, message = str(error), None
        if message is None:
            self._ended = True
            return None
        found = self._find_place(message)
        if found is None:
            self._strangers += 1
        return found
