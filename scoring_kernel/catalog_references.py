"""References between items, and from models into them: registers, subjects, codes.

Rules:
- Every item but a register names a register whose subjects are of its own kind.
- A model's levels and types, and what its register must say, are codes of the
  register's fields, so that nobody is left out by a misspelling.
- An item whose measures follow from payment qualification carries its rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scoring_kernel.information import QUALIFICATIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.information import InformationItem
    from scoring_kernel.model import RatingModel
    from scoring_kernel.qualification_rules import QualificationRules
    from scoring_kernel.yaml_section import Section


def verify_items(documents: Mapping[str, Section], items: Mapping[str, InformationItem]) -> None:
    """Refuse items whose register does not exist or knows other subjects.

    Args:
        documents: Files of the items by item number.
        items: The items by number.

    Raises:
        CatalogError: A register is missing, is none, or is about another type of subject.
    """
    registers = {number: one for number, one in items.items() if one.kind == "register"}
    for number, item in items.items():
        if item.register is None:
            continue
        register = registers.get(item.register)
        if register is None:
            raise documents[number].error(
                f"register: {item.register} is no register, expected one of {sorted(registers)}",
                "register",
            )
        if register.subject_type != item.subject_type:
            raise documents[number].error(
                f"register: {item.register} knows {register.subject_type} ids, the item is about "
                f"{item.subject_type} ids: name the register of its subjects",
                "register",
            )


def with_rules(item: InformationItem, rules: QualificationRules) -> InformationItem:
    """Give the rules of payment qualification to an item that derives from them."""
    if any(measure.derive in QUALIFICATIONS for measure in item.measures):
        return replace(item, qualification=rules)
    return item


def verify_register(
    document: Section, model: RatingModel, items: Mapping[str, InformationItem]
) -> None:
    """Refuse a model whose levels, types or conditions its register cannot state.

    Args:
        document: The model's file, for the line.
        model: The model; its register is an item with the columns it names.
        items: Information items by number.

    Raises:
        CatalogError: A level, type or value is not a code of its field.
    """
    section = document.section("register")
    fields = {one.column: one for one in items[model.register.item].fields}
    wanted: dict[str, Collection[str]] = {
        column: (value,) for column, value in model.register.where.items()
    }
    wanted[model.register.level] = model.levels
    wanted[model.register.type] = model.types
    for column, values in wanted.items():
        codes = fields[column].codes
        if codes and (unknown := sorted(set(values) - codes.keys())):
            raise section.error(
                f"item {model.register.item}: {column} has no code {', '.join(unknown)}, expected "
                f"some of {', '.join(codes)}"
            )
