"""Units of measures, parameters and indicator values (``catalog/units.yaml``).

Rules:
- A unit that a catalogue file names must stand in this list.
- A value never changes its unit silently: kernel values are integers in
  millionths of the named unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.yaml_section import Section

_ID: Final = r"1|[a-z][a-z0-9_]{0,31}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit (计量单位)."""

    id: str
    name_zh: str
    name_en: str


def parse_units(document: Section) -> Mapping[str, Unit]:
    """Parse the list of units.

    Args:
        document: The file's top mapping, with the one key ``units``.

    Returns:
        Units by id, in the order of the file.

    Raises:
        CatalogError: An entry is incomplete, unknown or badly named.
    """
    document.refuse_unknown(("units",))
    listed = document.section("units")
    units: dict[str, Unit] = {}
    for key in listed.keys():  # noqa: SIM118 - a section is not a mapping
        if not re.fullmatch(_ID, key):
            raise listed.error(f"unit {key[:80]!r}: expected the form {_ID}", key)
        entry = listed.section(key)
        entry.refuse_unknown(("name_zh", "name_en"))
        units[key] = Unit(
            id=key,
            name_zh=entry.text("name_zh", max_chars=40),
            name_en=entry.text("name_en", max_chars=80),
        )
    return units
