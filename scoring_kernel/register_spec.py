"""Register (名册): the information item in which the subjects of a model are listed.

Rules:
- Who stands in the register, and passes its conditions, is rated; nobody else is.
- Level and type decide whom a subject is compared with, so the register states both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.yaml_section import Section

ITEM: Final = "[0-9]{2}|[a-z][0-9]{2}"
"""Number of an information item."""
MAX_CONDITIONS: Final = 4
"""Most conditions of a register."""

_FIELD: Final = "[a-z][a-z0-9_]{0,63}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Where the subjects of a class are listed.

    Attributes:
        item: Number of the information item, a register.
        prefix: What a subject's id starts with; None for any.
        where: Value by column that a row must have; empty for every row.
        level: Column with the subject's level.
        type: Column with the subject's type.
    """

    item: str
    prefix: str | None
    where: Mapping[str, str]
    level: str
    type: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the item that are read."""
        return (*self.where, self.level, self.type)


def parse_register(section: Section) -> Register:
    """Parse the ``register`` of a model.

    Args:
        section: The register's mapping.

    Raises:
        CatalogError: A key is missing, unknown or malformed.
    """
    section.refuse_unknown(("item", "prefix", "where", "level", "type"))
    conditions = section.find_section("where")
    where: dict[str, str] = {}
    if conditions is not None:
        keys = conditions.keys()
        if not 1 <= len(keys) <= MAX_CONDITIONS:
            raise section.error(
                f"where: found {len(keys)} conditions, expected 1 to {MAX_CONDITIONS}", "where"
            )
        for key in keys:
            conditions.refuse_name_unless(key, _FIELD)
            where[key] = conditions.text(key, max_chars=80)
    return Register(
        item=section.text("item", pattern=ITEM),
        prefix=section.find_text("prefix", pattern="[A-Z]{1,4}"),
        where=where,
        level=section.text("level", pattern=_FIELD),
        type=section.text("type", pattern=_FIELD),
    )
