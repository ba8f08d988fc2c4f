"""Code lists of the national interface (值域), one file each under ``codes/``.

Rules:
- A closed list refuses what it does not know. An extensible one is extended by
  provinces: an unknown code is accepted and kept.
- Codes are text, quoted, never numbers: ``01`` is not ``1``.
- What a province adds is loaded (``code_extensions.py``), never written into a file here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.yaml_section import Section

MAX_CODES: Final = 5_000

_ID: Final = r"[a-z][a-z0-9_]{0,39}"
_CODE: Final = r"-?[0-9A-Za-z]{1,20}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeList:
    """One list of codes with their Chinese labels."""

    id: str
    name_zh: str
    extensible: bool
    labels: Mapping[str, str]
    """Label by code, in the order of the file; added codes after them."""
    added: frozenset[str] = frozenset()
    """Codes that are not national but were loaded."""

    @property
    def codes(self) -> frozenset[str]:
        """The codes."""
        return frozenset(self.labels)


def parse_code_list(document: Section) -> CodeList:
    """Read one file of ``codes/``.

    Args:
        document: The file's top mapping.

    Returns:
        The list.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form.
    """
    document.refuse_unknown(("id", "name_zh", "extensible", "codes"))
    codes = document.section("codes")
    if not 1 <= len(codes.values) <= MAX_CODES:
        raise document.error(f"expected 1 to {MAX_CODES} codes", "codes")
    labels: dict[str, str] = {}
    for code in codes.values:
        codes.refuse_name_unless(code, _CODE)
        labels[code] = codes.text(code, max_chars=80)
    return CodeList(
        id=document.text("id", pattern=_ID),
        name_zh=document.text("name_zh", max_chars=40),
        extensible=document.flag("extensible"),
        labels=labels,
    )
