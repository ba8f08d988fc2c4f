"""Groups (指标分组) of a rating model, and the weights they hold.

Rules:
- Two levels of groups: a group of level 1 holds groups of level 2, which hold the
  indicators (level 3).
- Weights are exact hundredths of a point and add up at every level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.amounts import points_text

if TYPE_CHECKING:
    from scoring_kernel.yaml_section import Section

ID: Final = r"[a-z][a-z0-9_]{0,63}"
"""Form of an id within a model."""
MAX_WEIGHT_CENTI: Final = 100_000
"""Largest weight of anything: 1,000 points in hundredths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of indicators, of level 1 or 2.

    Attributes:
        id: Id, unique in the model.
        name_zh: Chinese name.
        name_en: English name.
        parent: Id of the level-1 group; None for a group of level 1.
        weight_centi: Weight, hundredths of a point.
    """

    id: str
    name_zh: str
    name_en: str
    parent: str | None
    weight_centi: int


def parse_groups(section: Section) -> dict[str, Group]:
    """Parse the two levels of groups.

    Args:
        section: Groups of level 1 by id, each with its ``groups`` of level 2.

    Returns:
        All groups by id, each group of level 1 before its own groups.

    Raises:
        CatalogError: An id repeats, or weights do not add up.
    """
    found: dict[str, Group] = {}
    for key in section.keys():  # noqa: SIM118 - a section is not a mapping
        entry = section.section(key)
        entry.refuse_unknown(("name_zh", "name_en", "weight", "groups"))
        outer = _group(entry, key, None)
        if key in found:
            raise section.error(f"group {key} stands in another group too: rename it", key)
        found[key] = outer
        inner = entry.section("groups")
        total = 0
        for name in inner.keys():  # noqa: SIM118 - a section is not a mapping
            if name in found:
                raise inner.error(f"group {name} appears twice: rename one", name)
            below = inner.section(name)
            below.refuse_unknown(("name_zh", "name_en", "weight"))
            found[name] = _group(below, name, key)
            total += found[name].weight_centi
        if total != outer.weight_centi:
            raise entry.error(
                f"weight: found {points_text(outer.weight_centi)}, its groups add up to "
                f"{points_text(total)} points: make them agree",
                "weight",
            )
    return found


def _group(entry: Section, key: str, parent: str | None) -> Group:
    return Group(
        id=key,
        name_zh=entry.text("name_zh", max_chars=40),
        name_en=entry.text("name_en", max_chars=80),
        parent=parent,
        weight_centi=weight_centi(entry, "weight"),
    )


def weight_centi(section: Section, key: str) -> int:
    """Read a quoted weight as exact hundredths of a point.

    Raises:
        CatalogError: Not a positive decimal of at most two places, or more than 1,000.
    """
    centi = section.decimal(key) * 100
    if centi.denominator != 1 or not 0 < centi.numerator <= MAX_WEIGHT_CENTI:
        raise section.error(
            f"{key}: expected points above 0 and up to {MAX_WEIGHT_CENTI // 100}, two places", key
        )
    return centi.numerator
