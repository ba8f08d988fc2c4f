"""Overrides (等级限制): events that cap a grade, whatever the points.

Rules:
- An override applies on days from ``since`` up to, not including, ``until``, where any of
  its columns is there and above 0. It lowers a grade to its cap and never lifts one.
- Where none of its columns is above 0 and one of them is not there, nobody can tell: it is
  undetermined. It caps nothing then, and every output says so.
- It caps every band set of the model, each below its best band, so that no set of words
  hides what another one shows.
- It is dated and cites its source, as every number of the catalogue does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.formula_files import column_of
from scoring_kernel.groups import ID
from scoring_kernel.legal_basis import laws_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from scoring_kernel.bands import BandSet
    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.yaml_section import Section

MAX_OVERRIDES: Final = 16
"""Most overrides of a model."""
MAX_COLUMNS: Final = 16
"""Most columns of an override."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One reason to cap a grade.

    Attributes:
        id: Id, unique in the model.
        name_zh: Chinese name, for explanations.
        name_en: English name, for explanations.
        columns: Input columns, any of which above 0 makes it apply.
        caps: Band by band set: the best that is left.
        since: First day in force.
        until: First day no longer in force; None where it stays.
        basis: Key of the source of the cap.
        laws: Keys of the articles the event itself rests on.
    """

    id: str
    name_zh: str
    name_en: str
    columns: tuple[str, ...]
    caps: Mapping[str, str]
    since: date
    until: date | None
    basis: str
    laws: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of every source it rests on, sorted."""
        return tuple(sorted({self.basis, *self.laws}))

    def is_in_force(self, day: date) -> bool:
        """Whether it applies on a day."""
        return self.since <= day and (self.until is None or day < self.until)


def parse_overrides(
    sections: Collection[Section],
    band_sets: Mapping[str, BandSet],
    legal_basis: Mapping[str, LegalBasis],
) -> tuple[Override, ...]:
    """Parse the ``overrides`` of a model.

    Args:
        sections: One mapping per override.
        band_sets: Band sets of the model.
        legal_basis: Known sources.

    Raises:
        CatalogError: An override is undated, caps nothing or an unknown band, names a
            column twice, or its id is taken.
    """
    found: list[Override] = []
    for section in sections:
        section.refuse_unknown(_KEYS)
        override = Override(
            id=section.text("id", pattern=ID),
            name_zh=section.text("name_zh", max_chars=40),
            name_en=section.text("name_en", max_chars=80),
            columns=_columns(section),
            caps=_caps(section.section("cap"), band_sets),
            since=section.day("since"),
            until=None if section.values.get("until") is None else section.day("until"),
            basis=section.choice("basis", legal_basis),
            laws=laws_of(section, legal_basis),
        )
        if override.until is not None and override.until <= override.since:
            raise section.error(
                f"until: found {override.until.isoformat()}, not after since "
                f"{override.since.isoformat()}: order the days upwards",
                "until",
            )
        if any(override.id == other.id for other in found):
            raise section.error(f"id: override {override.id} appears twice: rename one", "id")
        found.append(override)
        if len(found) > MAX_OVERRIDES:
            raise section.error(f"overrides: expected at most {MAX_OVERRIDES}: remove some")
    return tuple(found)


_KEYS: Final = frozenset(
    ("id", "name_zh", "name_en", "when", "cap", "since", "until", "basis", "laws")
)


def _columns(section: Section) -> tuple[str, ...]:
    names = section.texts("when")
    columns = tuple(column_of(section, "when", name) for name in names)
    if not 1 <= len(columns) <= MAX_COLUMNS or len({*columns}) < len(columns):
        raise section.error(
            f"when: found {len(columns)} columns, expected 1 to {MAX_COLUMNS}, none twice", "when"
        )
    return columns


def _caps(section: Section, band_sets: Mapping[str, BandSet]) -> dict[str, str]:
    for key in section.keys():  # noqa: SIM118 - a section is not a mapping
        if key not in band_sets:
            raise section.error(
                f"cap: found the band set {key[:40]!r}, expected {sorted(band_sets)}", key
            )
    caps: dict[str, str] = {}
    for key, band_set in band_sets.items():
        caps[key] = section.choice(key, [band.id for band in band_set.bands])
        if caps[key] == band_set.bands[0].id:
            raise section.error(
                f"{key}: {caps[key]} is the best of {key} and caps nothing: name a lower one", key
            )
    return caps
