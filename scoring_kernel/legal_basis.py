"""Sources that rules, weights and parameters cite (``catalog/legal_basis.yaml``).

Rules:
- A ``basis`` key anywhere in the catalogue must stand in this list, and so must ``laws``:
  ``basis`` is where our numbers come from, ``laws`` are the articles the matter rests on.
- A source counts as checked only with the day and the person of the check; a
  model in status ``final`` may cite checked sources only.
- Nobody has checked a source tomorrow: ``refuse_later_checks`` takes the day from
  the caller, as the kernel has no clock.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from scoring_kernel.yaml_section import Section

FILE: Final = "legal_basis.yaml"
MAX_LAWS: Final = 8
"""Most articles one indicator or override rests on."""

_ID: Final = r"[a-z][a-z0-9_]{0,63}"
_KEYS: Final = (
    "title",
    "issuer",
    "number",
    "article",
    "effective",
    "checked_on",
    "checked_by",
    "note",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalBasis:
    """One source: a law's article, a published table, or a proposal of ours."""

    id: str
    line: int
    """Line in the file, of ``checked_on`` where it is stated."""
    title: str
    issuer: str
    number: str | None
    article: str | None
    effective: date | None
    checked_on: date | None
    checked_by: str | None
    note: str | None

    @property
    def is_checked(self) -> bool:
        """True when somebody compared the entry with the official text."""
        return self.checked_on is not None


def parse_legal_basis(document: Section) -> Mapping[str, LegalBasis]:
    """Parse the list of sources.

    Args:
        document: The file's top mapping, with the one key ``sources``.

    Returns:
        Sources by key, in the order of the file.

    Raises:
        CatalogError: An entry is incomplete, or names a check without day or person.
    """
    document.refuse_unknown(("sources",))
    listed = document.section("sources")
    sources: dict[str, LegalBasis] = {}
    for key in listed.keys():  # noqa: SIM118 - a section is not a mapping
        if not re.fullmatch(_ID, key):
            raise listed.error(f"source {key[:80]!r}: expected the form {_ID}", key)
        entry = listed.section(key)
        entry.refuse_unknown(_KEYS)
        checked_on = _find_day(entry, "checked_on")
        checked_by = entry.find_text("checked_by")
        if (checked_on is None) != (checked_by is None):
            raise entry.error(
                "found only one of checked_on and checked_by: state both, or neither",
                "checked_on" if checked_by is None else "checked_by",
            )
        sources[key] = LegalBasis(
            id=key,
            line=entry.line_of("checked_on"),
            title=entry.text("title", max_chars=200),
            issuer=entry.text("issuer", max_chars=100),
            number=entry.find_text("number"),
            article=entry.find_text("article"),
            effective=_find_day(entry, "effective"),
            checked_on=checked_on,
            checked_by=checked_by,
            note=entry.find_text("note"),
        )
    return sources


def laws_of(section: Section, sources: Mapping[str, LegalBasis]) -> tuple[str, ...]:
    """Read the optional ``laws`` of an indicator or override.

    Args:
        section: Its mapping.
        sources: Sources by key.

    Returns:
        Keys of sources in the order of the file; none where the key is absent.

    Raises:
        CatalogError: A key is no source, stands there twice, or the list is empty or long.
    """
    if "laws" not in section.values:
        return ()
    laws = section.texts("laws")
    for law in laws:
        if law not in sources:
            raise section.error(
                f"laws: found {law[:80]!r}, expected keys of {FILE}: correct it or add the source",
                "laws",
            )
    if not 1 <= len(laws) <= MAX_LAWS or len({*laws}) < len(laws):
        raise section.error(
            f"laws: found {len(laws)} sources, expected 1 to {MAX_LAWS}, none twice", "laws"
        )
    return laws


def refuse_later_checks(sources: Mapping[str, LegalBasis], day: date) -> None:
    """Refuse sources that claim a check which has not happened yet.

    Args:
        sources: Sources by key.
        day: Today, Asia/Shanghai.

    Raises:
        CatalogError: A source's ``checked_on`` is after ``day``.
    """
    for source in sources.values():
        if source.checked_on is not None and source.checked_on > day:
            raise CatalogError(
                FILE,
                source.line,
                f"source {source.id}: checked_on is {source.checked_on.isoformat()}, after "
                f"{day.isoformat()}: state the day of the check, or leave it empty until then",
            )


def _find_day(entry: Section, key: str) -> date | None:
    return None if entry.values.get(key) is None else entry.day(key)
