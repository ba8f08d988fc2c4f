"""How real scores become bands: fixed cuts, quantiles or one-dimensional k-means.

Rules:
- Bands stand best first in the file; a rule works from the worst band upwards.
- A score that lies exactly on a cut is in the upper band.
- ``at_least`` is a score under ``cuts`` and a share of the peer group under
  ``quantiles``; the worst band has none, and k-means takes none at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.groups import ID
from scoring_kernel.model import NOT_RATED

if TYPE_CHECKING:
    from fractions import Fraction

    from scoring_kernel.yaml_section import Section

MAX_BANDS: Final = 20
MAX_ROUNDS: Final = 100_000
MAX_PASSES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeBand:
    """One band over real scores, for example three stars."""

    id: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedCuts:
    """Bands by scores that stand in the model.

    Attributes:
        cuts: Least score of every band but the worst, ascending, one less than bands.
    """

    cuts: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileCuts:
    """Bands by nearest-rank quantiles of the peer group.

    Attributes:
        shares: Share of the peer group below every band but the worst, in (0, 1),
            ascending, one less than bands.
    """

    shares: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeededKMeans:
    """Bands by Lloyd's k-means from the medians of equal parts, in one or more passes.

    Attributes:
        passes: Strict distance of each pass; None where a pass has none. A score
            farther than it from its centre keeps its band but moves no centre.
        most_rounds: Rounds of a pass before it is given up.
        refuse_small: Whether a peer group with too few scores is an error; else its
            subjects are not rated.
    """

    passes: tuple[float | None, ...]
    most_rounds: int
    refuse_small: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimalKMeans:
    """Bands by the partition with the least sum of squares, exactly.

    Attributes:
        refuse_small: As in ``SeededKMeans``.
    """

    refuse_small: bool


BandRule: TypeAlias = FixedCuts | QuantileCuts | SeededKMeans | OptimalKMeans

_KINDS: Final = {
    "cuts": frozenset(("kind",)),
    "quantiles": frozenset(("kind",)),
    "seeded_k_means": frozenset(("kind", "passes", "most_rounds", "too_few")),
    "optimal_k_means": frozenset(("kind", "too_few")),
}


def parse_banding(document: Section) -> tuple[tuple[CompositeBand, ...], BandRule]:
    """Parse ``bands`` and ``banding`` of a composite model.

    Args:
        document: The model's top mapping.

    Returns:
        Bands, best first, and the rule.

    Raises:
        CatalogError: A band or the rule is incomplete, unknown or out of order.
    """
    section = document.section("banding")
    kind = section.choice("kind", _KINDS)
    section.refuse_unknown(_KINDS[kind])
    entries = document.sections("bands")
    if not 2 <= len(entries) <= MAX_BANDS:
        raise document.error(f"bands: found {len(entries)}, expected 2 to {MAX_BANDS}", "bands")
    bands: list[CompositeBand] = []
    for entry in entries:
        entry.refuse_unknown(("id", "name_zh", "name_en", "at_least"))
        band = CompositeBand(
            id=entry.text("id", pattern=ID),
            name_zh=entry.text("name_zh", max_chars=20),
            name_en=entry.text("name_en", max_chars=40),
        )
        if band.id == NOT_RATED or any(band.id == other.id for other in bands):
            raise entry.error(f"id: band {band.id} is taken: rename it", "id")
        bands.append(band)
    return tuple(bands), _parse_rule(section, kind, entries)


def _parse_rule(section: Section, kind: str, entries: tuple[Section, ...]) -> BandRule:
    if kind == "cuts":
        return FixedCuts(cuts=tuple(float(cut) for cut in _parse_cuts(entries, kind)))
    if kind == "quantiles":
        return QuantileCuts(shares=_parse_cuts(entries, kind))
    for entry in entries:
        if "at_least" in entry.values:
            raise entry.error(f"at_least: {kind} finds its own cuts: remove it", "at_least")
    refuse_small = section.choice("too_few", ("refuse", "not_rated")) == "refuse"
    if kind == "optimal_k_means":
        return OptimalKMeans(refuse_small=refuse_small)
    return SeededKMeans(
        passes=_parse_passes(section),
        most_rounds=section.integer("most_rounds", least=1, most=MAX_ROUNDS),
        refuse_small=refuse_small,
    )


def _parse_passes(section: Section) -> tuple[float | None, ...]:
    passes: list[float | None] = []
    for entry in section.sections("passes"):
        entry.refuse_unknown(("strict",))
        if "strict" in entry.values and entry.values["strict"] is None:
            passes.append(None)
            continue
        strict = entry.decimal("strict")
        if strict <= 0:
            raise entry.error("strict: expected a distance above 0, or null", "strict")
        passes.append(float(strict))
    if not 1 <= len(passes) <= MAX_PASSES:
        problem = f"passes: found {len(passes)}, expected 1 to {MAX_PASSES}"
        raise section.error(problem, "passes")
    return tuple(passes)


def _parse_cuts(entries: tuple[Section, ...], kind: str) -> tuple[Fraction, ...]:
    """Cuts of all bands but the worst, ascending."""
    worst = entries[-1]
    if "at_least" in worst.values:
        raise worst.error("at_least: the last band is open below: remove it", "at_least")
    cuts: list[Fraction] = []
    for entry in reversed(entries[:-1]):
        cut = entry.decimal("at_least")
        if kind == "quantiles" and not 0 < cut < 1:
            raise entry.error("at_least: expected a share between 0 and 1", "at_least")
        if cuts and cut <= cuts[-1]:
            raise entry.error("at_least: order bands from best to worst", "at_least")
        cuts.append(cut)
    return tuple(cuts)
