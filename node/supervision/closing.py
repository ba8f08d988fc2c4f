"""What blocks a call whose identity check cannot be judged, where identity is closed.

Rules:
- An emergency is never blocked: who needs help first is helped first (急诊抢救先行救治).
- Where nothing of a call can be read, nobody can say that it is an emergency: it is blocked, and
  the words say what an emergency does.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from scoring_kernel.rules import RuleBook
from scoring_kernel.rules.live.case import Hit
from scoring_kernel.rules.live.encounter import Encounter
from scoring_kernel.rules.live.judge import Finding

__all__ = ["IDENTITY", "Told", "emergency_types", "unverified"]

IDENTITY: Final = "W04"
_EMERGENCIES: Final = "emergency_types"
_UNVERIFIED: Final = "无法核验身份，按设置拦截；请核验本人。急诊抢救先行救治"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One finding of one encounter."""

    encounter: Encounter | None = field(repr=False)
    """None where no encounter could be read."""
    finding: Finding
    answer: str
    """``warn`` or ``block``, by the settings."""


def unverified(book: RuleBook, encounters: Collection[Encounter]) -> list[Told]:
    """Block what cannot be verified.

    Args:
        book: The rules.
        encounters: Those whose identity check could not be judged; none where no encounter of
            the call could be read.

    Returns:
        One block per encounter that is no emergency; one for the call where none could be read.
    """
    if not encounters:
        return [_block(book, None)]
    types = emergency_types(book)
    return [_block(book, one) for one in encounters if one.med_type not in types]


def emergency_types(book: RuleBook) -> frozenset[str]:
    """Kinds of visit (医疗类别) that are emergencies, by the newest version of W04's parameter."""
    newest = book.rules[IDENTITY].parameters[_EMERGENCIES].versions[-1].value
    return frozenset(newest) if isinstance(newest, tuple) else frozenset()


def _block(book: RuleBook, one: Encounter | None) -> Told:
    hit = Hit(key=None, at=0, amount_fen=0, words=_UNVERIFIED)
    rule = book.rules[IDENTITY]
    finding = Finding(warning=IDENTITY, rule=rule, version="-", answer="block", hit=hit)
    return Told(encounter=one, finding=finding, answer="block")
