"""Roll-out (灰度发布) of model packs by groups: who comes next, and what stops it.

Rules:
- Groups have an order. A group is given a pack only when every member of every group before it
  was given the pack and reported that its golden vectors passed.
- One report of a failure, or the officer who withdraws it, stops the roll-out of a pack for good:
  the next try is a new version.
- A member that is not active any more is waited for no longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DecodedPackReport", "GroupProgress", "PackState", "find_obstacle", "newest"]


class PackState(StrEnum):
    """What became of an order at a member."""

    IN_FORCE = "in_force"
    WAITING = "waiting"
    """Passed, and its first day has not come."""
    REFUSED = "refused"
    ABSENT = "absent"
    """Ordered, and nobody gave the file yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedPackReport:
    """What a member says became of an order."""

    digest: bytes
    version: int
    passed: bool
    vectors: int
    failures: tuple[str, ...]
    state: PackState
    at_ms: int

    @property
    def is_failure(self) -> bool:
        """Whether it stops the roll-out: the pack was run or opened, and did not hold."""
        return not self.passed and self.state is PackState.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgress:
    """Where a group stands with one pack.

    Attributes:
        name: The group.
        members: Its active members.
        ordered: Those that were given the pack.
        passed: Those that reported that its vectors passed.
    """

    name: str
    members: frozenset[str]
    ordered: frozenset[str]
    passed: frozenset[str]

    @property
    def is_done(self) -> bool:
        """Whether the group after it may be given the pack."""
        return self.members <= self.passed


def find_obstacle(groups: Sequence[GroupProgress], name: str, stopped_by: str | None) -> str:
    """Why a pack may not be ordered for a group yet; empty when it may.

    Args:
        groups: All groups in their order.
        name: The group it is to be ordered for.
        stopped_by: Member whose report stopped the pack, if any did.

    >>> none = frozenset()
    >>> pilot = GroupProgress(name="pilot", members=frozenset("a"), ordered=none, passed=none)
    >>> rest = GroupProgress(name="rest", members=frozenset("b"), ordered=none, passed=none)
    >>> find_obstacle([pilot, rest], "pilot", None)
    ''
    >>> find_obstacle([pilot, rest], "rest", None)
    'group pilot comes first: 0 of its 1 members have reported that the vectors passed'
    """
    names = [group.name for group in groups]
    if name not in names:
        return f"there is no group {name!r}; name one with yixin hub packs groups --order"
    if stopped_by is not None:
        return (
            f"its roll-out stopped at {stopped_by}: mend the pack and publish a new version; "
            "yixin hub packs withdraw brings back who has it"
        )
    for group in groups[: names.index(name)]:
        if not group.is_done:
            return (
                f"group {group.name} comes first: {len(group.members & group.passed)} of its "
                f"{len(group.members)} members have reported that the vectors passed"
            )
    if not groups[names.index(name)].members:
        return f"group {name} has no active member; name some with yixin hub packs groups --set"
    return ""


def newest(targets: Sequence[str]) -> str | None:
    """The pack of the greatest version.

    >>> newest(["packs/2026.9.1.zip", "packs/2026.12.1.zip"])
    'packs/2026.12.1.zip'
    """
    return max(targets, key=_version, default=None)


def _version(target: str) -> tuple[int, ...]:
    digits = target.removeprefix("packs/").removesuffix(".zip").split(".")
    return tuple(int(part) for part in digits if part)
