"""Keyed digests under which the live state knows persons, visits, staff and trace codes.

Rules:
- Without the secret a digest tells nothing; with it, it tells an id from another, no more.
- Digests of equal words in different places differ.
"""

import hashlib
from enum import IntEnum
from typing import Final

__all__ = ["Digests", "Place"]

_DIGEST_BYTES: Final = 8


class Place(IntEnum):
    """What a fact is looked up by; tells digests of equal words apart."""

    PERSON = 1
    VISIT = 2
    INSTITUTION = 3
    STAFF = 4
    ITEM = 5
    TRACE = 6
    SETTLEMENT = 7
    STOCK = 8


class Digests:
    """Keyed digests of ids, 64 bits: a million persons collide once in ten million nodes."""

    __slots__ = ("_memo", "_state")

    _MEMO_LIMIT: Final = 200_000

    def __init__(self, secret: bytes) -> None:
        self._state = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=secret)
        self._memo: dict[tuple[int, ...] | tuple[object, ...], int] = {}

    def of(self, place: int, *words: str) -> int:
        """Digest some words of one place; the same words give the same number."""
        found = self._memo.get((place, *words))
        if found is None:
            state = self._state.copy()
            state.update("\n".join((str(int(place)), *words)).encode("utf-8", "surrogatepass"))
            found = int.from_bytes(state.digest(), "big", signed=True)
            if len(self._memo) >= self._MEMO_LIMIT:
                self._memo.clear()
            self._memo[place, *words] = found
        return found

    def person(self, person: str) -> int:
        """Place of a person's facts."""
        return self.of(Place.PERSON, person)

    def visit(self, institution: str, mdtrt_id: str) -> int:
        """Place of a visit's facts."""
        return self.of(Place.VISIT, institution, mdtrt_id)

    def institution(self, institution: str) -> int:
        """Place of an institution's facts."""
        return self.of(Place.INSTITUTION, institution)

    def staff(self, staff: str) -> int:
        """Place of a staff member's facts, at whichever institution."""
        return self.of(Place.STAFF, staff)

    def item(self, item_code: str) -> int:
        """Place of an item's facts."""
        return self.of(Place.ITEM, item_code)

    def trace(self, code: str) -> int:
        """Place of a trace code's facts."""
        return self.of(Place.TRACE, code)

    def settlement(self, institution: str, setl_id: str) -> int:
        """Place of a settlement's facts."""
        return self.of(Place.SETTLEMENT, institution, setl_id)

    def stock(self, institution: str, batch: str, data_type: str) -> int:
        """Place of the deletions of a batch of stock."""
        return self.of(Place.STOCK, institution, batch, data_type)

    def word(self, word: str) -> int:
        """Number of an id that is no place, for example of a line."""
        return self.of(0, word)
