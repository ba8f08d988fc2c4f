"""Bands (信用等级): sets of grades and the least points that earn each.

Rules:
- The first set grades; further sets (letters, for example) say the same total in another
  region's words.
- Bands stand from the best to the worst, cuts strictly falling, the last from 0; a cut
  belongs to the upper band.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.groups import ID, MAX_WEIGHT_CENTI

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

NOT_RATED: Final = "not_rated"
"""Grade of a subject whose coverage is below the model's least."""
MAX_SETS: Final = 4
"""Most band sets of a model."""
MAX_BANDS: Final = 12
"""Most bands of a set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One grade (信用等级) and the least points that earn it.

    Attributes:
        id: Id, for example ``excellent``.
        name_zh: Chinese name.
        name_en: English name.
        letter: Letter, where the region uses letters.
        at_least_centi: Least points, hundredths, inclusive.
    """

    id: str
    name_zh: str
    name_en: str
    letter: str | None
    at_least_centi: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSet:
    """One way to name a total.

    Attributes:
        id: Id, for example ``grades`` or ``letters``.
        basis: Key of the source of the cuts.
        bands: Bands, best first.
    """

    id: str
    basis: str
    bands: tuple[Band, ...]


def parse_band_sets(
    section: Section, legal_basis: Mapping[str, LegalBasis], total_centi: int
) -> dict[str, BandSet]:
    """Parse the ``band_sets`` of a model.

    Args:
        section: Sets by id, the one that grades first.
        legal_basis: Known sources.
        total_centi: Most points of the model, hundredths.

    Returns:
        Sets by id, in the order of the file.

    Raises:
        CatalogError: A set is empty, or its bands overlap, stand in another order, leave
            low totals without a band or cannot be reached.
    """
    keys = section.keys()
    if not 1 <= len(keys) <= MAX_SETS:
        raise section.error(f"band_sets: found {len(keys)}, expected 1 to {MAX_SETS}")
    found: dict[str, BandSet] = {}
    for key in keys:
        section.refuse_name_unless(key, ID)
        entry = section.section(key)
        entry.refuse_unknown(("basis", "bands"))
        found[key] = BandSet(
            id=key,
            basis=entry.choice("basis", legal_basis),
            bands=_parse_bands(entry, key, total_centi),
        )
    return found


def _parse_bands(section: Section, key: str, total_centi: int) -> tuple[Band, ...]:
    bands: list[Band] = []
    for entry in section.sections("bands"):
        band = _parse_band(entry)
        if band.id == NOT_RATED or any(band.id == other.id for other in bands):
            raise entry.error(f"id: grade {band.id} is taken: rename it", "id")
        if bands and band.at_least_centi == bands[-1].at_least_centi:
            raise entry.error(
                f"at_least: bands {bands[-1].id} and {band.id} overlap: give each its own cut",
                "at_least",
            )
        if bands and band.at_least_centi > bands[-1].at_least_centi:
            raise entry.error("at_least: order grades from best to worst", "at_least")
        bands.append(band)
    if not 1 <= len(bands) <= MAX_BANDS or bands[-1].at_least_centi != 0:
        raise section.error(
            f"{key}: the last grade must start at 0 points, expected 1 to {MAX_BANDS} grades",
            "bands",
        )
    if bands[0].at_least_centi > total_centi:
        raise section.error(f"{key}: the best grade cannot be reached: lower its cut", "bands")
    return tuple(bands)


def _parse_band(entry: Section) -> Band:
    entry.refuse_unknown(("id", "name_zh", "name_en", "letter", "at_least"))
    cut = entry.decimal("at_least") * 100
    if cut.denominator != 1 or not 0 <= cut.numerator <= MAX_WEIGHT_CENTI:
        raise entry.error("at_least: expected 0 to 1000 points, two places", "at_least")
    return Band(
        id=entry.text("id", pattern=ID),
        name_zh=entry.text("name_zh", max_chars=20),
        name_en=entry.text("name_en", max_chars=40),
        letter=entry.find_text("letter", pattern=r"[A-Z]{1,3}"),
        at_least_centi=cut.numerator,
    )
