"""References of a model into the rest of the catalogue: columns, register, names.

Rules:
- A column that no measure set and no information item states is refused, at its line.
- A register is an item of kind ``register`` that states every column the model reads.
- A model rates one of the nine classes; one class has one model; ids and aliases name one
  model only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring_kernel.model import SUBJECT_CLASSES
from scoring_kernel.yaml_section import Items, Section

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from scoring_kernel.information import InformationItem
    from scoring_kernel.model import RatingModel
    from scoring_kernel.yaml_section import Value


def verify_references(
    document: Section,
    model: RatingModel,
    earlier: Collection[RatingModel],
    columns: Collection[str],
    items: Mapping[str, InformationItem],
) -> None:
    """Refuse a model that names what the catalogue does not have.

    Args:
        document: The model's file, for the line.
        model: The model.
        earlier: Models read before it.
        columns: Every input column that somebody states.
        items: Information items by number.

    Raises:
        CatalogError: A column, the class, the register or one of its columns is unknown,
            or the class, id or alias is another model's.
    """
    for column in model.input_columns:
        if column not in columns:
            section, key = _place_of(document, column)
            raise section.error(
                f"model {model.id} reads {column}, which no measure set or information item "
                "states: correct the name or add the measure",
                key,
            )
    _verify_register(document, model, items)
    refuse_taken_names(document, earlier)
    if model.subject_class not in SUBJECT_CLASSES:
        raise document.error(
            f"subject_class: found {model.subject_class}, expected one of "
            f"{', '.join(SUBJECT_CLASSES)}",
            "subject_class",
        )


def refuse_taken_names(document: Section, others: Collection[RatingModel]) -> None:
    """Refuse a model file that shares its class, id or alias with another model.

    Args:
        document: The file; only these three keys are read.
        others: The other models.

    Raises:
        CatalogError: A name is another model's, or no text.
    """
    own, alias = document.text("id"), document.find_text("alias")
    subject_class = document.text("subject_class")
    for other in others:
        if other.subject_class == subject_class:
            raise document.error(
                f"models {other.id} and {own} both rate {subject_class}: keep one",
                "subject_class",
            )
        if {alias, own} & {other.alias, other.id} - {None}:
            key = "alias" if alias in {other.alias, other.id} else "id"
            raise document.error(
                f"{key}: models {other.id} and {own} share a name: give each its own", key
            )


def _verify_register(
    document: Section, model: RatingModel, items: Mapping[str, InformationItem]
) -> None:
    section = document.section("register")
    item = items.get(model.register.item)
    if item is None or item.kind != "register":
        raise section.error(
            f"item: {model.register.item} is no register, expected one of "
            f"{sorted(number for number, one in items.items() if one.kind == 'register')}",
            "item",
        )
    known = {field.column for field in item.fields}
    for column in model.register.columns:
        if column not in known:
            raise section.error(
                f"register: item {item.number} has no column {column}, expected one of "
                f"{sorted(known)}"
            )


def _place_of(document: Section, column: str) -> tuple[Section, str | None]:
    """Where a file names a column, or its measure without the window."""
    names = (column, column.partition("@")[0])
    places = ((section, key) for section, key, text in _texts(document) if text in names)
    return next(places, (document, None))


def _texts(section: Section) -> Iterator[tuple[Section, str, str]]:
    for key, value in section.values.items():
        yield from _texts_of(section, key, value)


def _texts_of(section: Section, key: str, value: Value) -> Iterator[tuple[Section, str, str]]:
    if isinstance(value, str):
        yield section, key, value
    elif isinstance(value, Section):
        yield from _texts(value)
    elif isinstance(value, Items):
        for one in value.values:
            yield from _texts_of(section, key, one)
