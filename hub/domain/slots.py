"""The slot rule (时段替换规则): within a slot the newest complete statement replaces everything.

Rules of this module:

1. A slot is (institution, measure set, month). Its order is (incarnation, version) of its member.
2. A statement counts when all of its parts are there; until then the one before it counts.
3. A higher (incarnation, version) replaces; a lower one changes nothing; the same one again
   changes nothing when it says the same of itself and is a fault when it does not.
4. A statement of a new custodian replaces that of the old one, whatever their numbers.
"""

from dataclasses import dataclass
from enum import StrEnum

from hub.domain.members import MemberId


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SlotVersion:
    """Order of a statement within its slot.

    >>> SlotVersion(incarnation=2, version=1) > SlotVersion(incarnation=1, version=9)
    True
    """

    incarnation: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedSlot:
    """What a statement says of itself.

    Attributes:
        member: Who stated it.
        at: Its order.
        digest: SHA-256 over its canonical rows.
        rows: Number of rows of the whole statement.
        parts: Number of parts.
    """

    member: MemberId
    at: SlotVersion
    digest: bytes
    rows: int
    parts: int


class SlotStep(StrEnum):
    """What an offered part does to its slot."""

    REPLACE = "replace"
    """A newer statement: it counts at once in one part, else its parts are collected."""
    COUNT = "count"
    """A complete statement between the counting one and one that is being collected."""
    COLLECT = "collect"
    """A further part of the statement being collected."""
    OUTDATED = "outdated"
    """An older statement: nothing changes."""
    KNOWN = "known"
    """The same statement again: nothing changes."""
    CONTRADICTS = "contradicts"
    """The same order with other content: a fault of the sender."""


def slot_step(
    *, counting: StatedSlot | None, collecting: StatedSlot | None, offered: StatedSlot
) -> SlotStep:
    """Decide what an offered part does.

    Args:
        counting: The complete statement that counts now.
        collecting: A newer statement of which parts are missing.
        offered: What the part says of its statement.

    Returns:
        The step. A statement in several parts that is older than the one being collected is
        outdated: the newer one is already on its way and will replace it.
    """
    newest = collecting if collecting is not None else counting
    if newest is None or newest.member != offered.member or offered.at > newest.at:
        return SlotStep.REPLACE
    if offered.at == newest.at:
        if offered != newest:
            return SlotStep.CONTRADICTS
        return SlotStep.KNOWN if collecting is None else SlotStep.COLLECT
    if collecting is None:
        return SlotStep.OUTDATED
    behind = slot_step(counting=counting, collecting=None, offered=offered)
    if behind is SlotStep.REPLACE:
        return SlotStep.COUNT if offered.parts == 1 else SlotStep.OUTDATED
    return behind
