"""What is found by joining clues about the same staff from several nodes (同一人员); pure.

Rules:
- A finding rests on clues of at least two members and two institutions, each of them with a score
  that matters, within a window of months; windows do not overlap.
- The thresholds are those in force on the first day of the window's first month.
- Its id is made of the staff's code and of the first clue, so that a finding may grow.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from scoring_kernel.joining import Join, JoinRule
from security.encoding import pae

ID_BYTES: Final = 16
_ID: Final = "yixin/hub-staff-clue/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffClue:
    """A clue that a node stated, and one staff member whom it names."""

    staff: str = field(repr=False)
    member: str
    id: bytes
    source: str
    institution: str
    month: int
    """yyyymm."""
    score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffFinding:
    """Clues of several nodes about one staff member."""

    id: bytes
    """Stable id, 16 bytes."""
    staff: str = field(repr=False)
    clues: tuple[StaffClue, ...]
    """By month, institution and id."""
    institutions: int
    members: int


def find_staff(rows: Sequence[StaffClue], rule: JoinRule) -> Iterator[StaffFinding]:
    """Join the clues of one staff member.

    Args:
        rows: Clues that stand, in any order.
        rule: The join's dated numbers.
    """
    ordered = sorted(rows, key=lambda one: (one.month, one.institution, one.member, one.id))
    start = 0
    while start < len(ordered):
        first = ordered[start]
        numbers = rule.on(date(first.month // 100, first.month % 100, 1))
        if numbers is None or first.score < numbers["least_score"]:
            start += 1
            continue
        end = _count(first.month) + numbers["window_months"]
        within = [one for one in ordered[start:] if _count(one.month) < end]
        heavy = tuple(one for one in within if one.score >= numbers["least_score"])
        institutions = {one.institution for one in heavy}
        members = {one.member for one in heavy}
        if len(members) < 2 or len(institutions) < max(2, numbers["min_institutions"]):
            start += 1
            continue
        yield StaffFinding(
            id=_id(first),
            staff=first.staff,
            clues=heavy,
            institutions=len(institutions),
            members=len(members),
        )
        start += len(within)


def _count(month: int) -> int:
    return month // 100 * 12 + month % 100


def _id(first: StaffClue) -> bytes:
    join = Join.STAFF_AT_SEVERAL_NODES
    name = (join.encode(), first.staff.encode(), first.member.encode(), first.id)
    return hashlib.sha256(pae(_ID, *name)).digest()[:ID_BYTES]
