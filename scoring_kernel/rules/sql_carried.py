"""What an expression of a rule carries of personal columns (个人信息); see ``sql_lineage``.

Rules:
- Personal are the columns that record kinds and relations flag so; a value is known by the columns
  of records it comes from, through every relation between.
- Of several values one is chosen (CASE, coalesce, UNION): it carries what any of them does, and is
  mixed where one is of another sort. Null is of every sort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scoring_kernel.record_kinds import RecordKind

STAFF: Final = frozenset(("doctor", "pharmacist", "prescriber", "staff", "surgeon"))
"""Personal columns of record kinds that hold a staff member's number (执业人员代码)."""
MOST_SHOWN: Final = 3
"""Most origins that a message names."""

_MOMENTS: Final = ("timestamp[s]", "date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What one expression carries of personal columns."""

    origins: frozenset[str] = frozenset()
    """``kind.column`` each; empty where it carries none."""
    shown: str = ""
    """The column as the statement names it."""
    is_moment: bool = False
    """Whether all of it comes from moments."""
    is_age: bool = False
    """Whether it was reckoned from a moment."""
    is_mixed: bool = False
    """Whether it may be of several sorts: personal or not (null left aside), text or moment."""
    is_null: bool = False
    """Whether it is never anything but null."""

    @property
    def is_staff(self) -> bool:
        """Whether it is nothing but numbers of staff."""
        return all(origin.rpartition(".")[2] in STAFF for origin in self.origins)

    @property
    def told(self) -> str:
        """The column and where it came from, for messages."""
        found = sorted(self.origins)
        more = f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
        listed = ", ".join(found[:MOST_SHOWN]) + more
        return listed if self.shown == listed else f"{self.shown} (from {listed})"


NOTHING: Final = Carried()
"""Carried by what is not personal."""
NULL: Final = Carried(is_null=True)
"""Carried by what is never anything but null."""


def carried_by_kinds(kinds: Iterable[RecordKind]) -> dict[str, dict[str, Carried]]:
    """Personal columns of record kinds.

    Returns:
        What each column carries, by kind and column; columns that carry nothing are left out.
    """
    return {
        kind.id: {
            name: flagged(kind.id, name, word)
            for name, word in kind.schema
            if name in kind.personal
        }
        for kind in kinds
    }


def flagged(relation: str, column: str, word: str) -> Carried:
    """What a column carries that is flagged personal and of which no more is known.

    Args:
        relation: Record kind or relation.
        column: Its column.
        word: The column's type.
    """
    return Carried(origins=frozenset((f"{relation}.{column}",)), is_moment=word in _MOMENTS)


def either(parts: Iterable[Carried]) -> Carried:
    """What a value carries that is one of several.

    >>> either((flagged("death", "person", "string"), NULL)).is_mixed
    False
    """
    given = [part for part in parts if not part.is_null]
    personal = [part for part in given if part.origins]
    if not personal:
        return NOTHING if given else NULL
    return Carried(
        origins=frozenset().union(*(part.origins for part in personal)),
        shown=personal[0].shown,
        is_moment=all(part.is_moment for part in personal),
        is_age=any(part.is_age for part in personal),
        is_mixed=(
            len(personal) < len(given)
            or any(part.is_mixed for part in personal)
            or len({part.is_moment for part in personal}) > 1
        ),
    )
