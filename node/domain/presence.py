"""Words of presence (在场核验): why somebody passes otherwise, and where what is verified.

Rules:
- A reason code has words of its own: with them both rules of identity (W04, M35) let the visit
  pass; each use names who let it pass, and is reported.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from node.domain.face_templates import Purpose
from security.devices import Place

__all__ = ["LEAST_WORDS", "PURPOSES_AT", "REASON_WORDS", "Reason"]

LEAST_WORDS: Final = 4
"""Fewest characters of a reason in somebody's own words."""


class Reason(StrEnum):
    """Why somebody else than the insured person, or nobody, was verified (放行事由)."""

    PROXY = "proxy"
    """Registered proxy (代配药人), who was verified in the person's place."""
    CHILD = "child"
    """Small child (低龄儿童)."""
    VOUCHER = "voucher"
    """Electronic voucher (医保码)."""
    EMERGENCY = "emergency"
    """Emergency (急诊抢救): treated first."""
    MANUAL = "manual"
    """Somebody let the visit pass and wrote down why (人工放行)."""


REASON_WORDS: Final[Mapping[Reason, str]] = {
    Reason.PROXY: "登记的代配药人本人核验通过",
    Reason.CHILD: "低龄儿童，由监护人陪同",
    Reason.VOUCHER: "出示医保码",
    Reason.EMERGENCY: "急诊抢救，先行救治",
}
"""What a record says where nobody said more; a manual override has no words but its own."""

PURPOSES_AT: Final[Mapping[Place, frozenset[Purpose]]] = {
    Place.WINDOW: frozenset((Purpose.VISIT,)),
    Place.PHARMACY: frozenset((Purpose.VISIT, Purpose.DUTY)),
    Place.ENTRANCE: frozenset((Purpose.VISIT,)),
    Place.BED: frozenset((Purpose.BED_CHECK,)),
}
"""What is verified where."""
