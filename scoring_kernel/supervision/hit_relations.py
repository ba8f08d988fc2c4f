"""Hits of rules as relations: what sets that count them may read.

Rules:
- ``rule_hit`` has one row per hit that stands; ``rule_hit_visit``, ``rule_hit_staff`` and
  ``rule_hit_key`` one row per visit, member of staff and key of a hit, so that an amount is
  never counted twice by a join unawares.
- A node on which no rule has run has no such relations: sets that read them are not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HIT_RELATIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "rule_hit": {
        **dict.fromkeys(("hit", "rule", "verdict", "institution"), "string"),
        "hit_at": "timestamp[s]",
        "amount_fen": "int64",
    },
    "rule_hit_visit": dict.fromkeys(("hit", "mdtrt_id"), "string"),
    "rule_hit_staff": dict.fromkeys(("hit", "staff"), "string"),
    "rule_hit_key": dict.fromkeys(("hit", "key"), "string"),
}
"""Type words by column, by relation."""
