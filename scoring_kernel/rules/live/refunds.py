"""Refunds that do not name what they take back: which lines of a visit they reduce.

The law is that of the relation ``line_rest``, said with a pile: a charge lies down on the pile of
its item, a refund takes from the top, and what finds the pile empty stays a negative line.
First each physician's lines by themselves, then what is left of all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from scoring_kernel.rules.live.encounter import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Piece", "find_rests", "share"]


class Piece(NamedTuple):
    """A line before refunds without a name are taken off."""

    item_code: str
    doctor: int | None
    at: int
    stated_fen: int
    """Its amount as it was stated."""
    amount_fen: int
    """What is left of it after refunds that name it."""
    sent: int
    """Tells lines apart that agree in all else."""


def find_rests(pieces: Sequence[Piece]) -> Mapping[int, int]:
    """Find what is left of lines, in fen.

    Args:
        pieces: Lines of one visit that stand.

    Returns:
        By place among the pieces, for all lines of items that have a refund without a name;
        nothing of a charge is below 0, nothing of a refund above it.
    """
    refunded = {piece.item_code for piece in pieces if piece.amount_fen < 0}
    by_item: dict[str, list[int]] = defaultdict(list)
    for place, piece in enumerate(pieces):
        if piece.item_code in refunded:
            by_item[piece.item_code].append(place)
    rests = {place: pieces[place].amount_fen for places in by_item.values() for place in places}
    for places in by_item.values():
        places.sort(key=lambda place: _turn(pieces[place]))
        by_doctor: dict[int | None, list[int]] = defaultdict(list)
        for place in places:
            by_doctor[pieces[place].doctor].append(place)
        for own in (*by_doctor.values(), places):
            _take_back(rests, own)
    return rests


def share(value: int, rest_fen: int, amount_fen: int) -> int:
    """What is left of a value of a line, in proportion to its amount, rounded half up.

    >>> share(3, 50, 100), share(-3, -50, -100), share(20, 30, 45)
    (2, -2, 13)
    """
    whole = abs(amount_fen)
    found = (2 * abs(value) * abs(rest_fen) + whole) // (2 * whole)
    return found if value >= 0 else -found


def _turn(piece: Piece) -> tuple[int, bool, int, int, int]:
    """Order of lines of an item: a day's charges are before its refunds."""
    is_refund = piece.stated_fen < 0
    return piece.at // DAY_S, is_refund, piece.at, piece.stated_fen, piece.sent


def _take_back(rests: dict[int, int], places: Iterable[int]) -> None:
    """Let what is left of refunds take from what is left of charges, in order."""
    pile: list[int] = []
    for place in places:
        if rests[place] > 0:
            pile.append(place)
        while rests[place] < 0 and pile:
            taken = min(-rests[place], rests[pile[-1]])
            rests[place] += taken
            rests[pile[-1]] -= taken
            if not rests[pile[-1]]:
                pile.pop()
