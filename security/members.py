"""Member ids (成员): who sends, who receives, who certifies.

A member id is ``yixin://<division>/<kind>/<code>``: six digits of the division (GB/T 2260), one
of three kinds, and a code that is unique within the division and kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

MemberId = NewType("MemberId", str)

_MEMBER_ID: Final = re.compile(
    r"yixin://(?P<division>[0-9]{6})/(?P<kind>node|hub|department)/(?P<code>[A-Za-z0-9._-]{1,64})"
)


class MemberKind(StrEnum):
    """What a member is."""

    NODE = "node"
    HUB = "hub"
    DEPARTMENT = "department"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberName:
    """The parts of a member id."""

    division: str
    """Division code, six digits (GB/T 2260)."""
    kind: MemberKind
    """Kind of the member."""
    code: str
    """Code within division and kind."""

    @property
    def member_id(self) -> MemberId:
        """The id these parts make."""
        return MemberId(f"yixin://{self.division}/{self.kind}/{self.code}")


def is_member_id(text: str) -> bool:
    """Whether the text is a well-formed member id.

    >>> is_member_id("yixin://330300/hub/city"), is_member_id("yixin://33/hub/city")
    (True, False)
    """
    return _MEMBER_ID.fullmatch(text) is not None


def parse_member_id(text: str) -> MemberName:
    """Split a member id.

    Raises:
        ValueError: The text is not a member id.

    >>> parse_member_id("yixin://330302/node/H33030200001").code
    'H33030200001'
    """
    found = _MEMBER_ID.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text[:120]!r} is not a member id; expected yixin://<six digits>/<node, hub or "
            "department>/<code of letters, digits, '.', '_', '-'>"
        )
    return MemberName(
        division=found["division"], kind=MemberKind(found["kind"]), code=found["code"]
    )
