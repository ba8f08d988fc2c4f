"""Rows of any item as a department writes them: what is not given is valid and says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.item_rows import parse_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scoring_kernel.information import InformationItem, ItemField

SUBJECTS: Final[Mapping[str, str]] = {
    "institution": "H33030200001",
    "staff": "D330302000001",
    "person": "R0123456789abcdef0123456789abcdef",
    "organisation": "91350100M000100Y43",
}
"""One subject of every type."""
_TEXTS: Final[Mapping[str, str]] = {
    "period": "2026H1",
    "date": "2026-03-31",
    "division": "330302",
    "flag": "0",
    "text": "温州示例机关",
    **SUBJECTS,
}


def row_texts(
    item: InformationItem, given: Mapping[str, object], number: int = 1
) -> dict[str, str]:
    """Texts of one row: required fields are filled, optional ones are empty.

    Args:
        item: The item.
        given: Values by field name; they are written as they stand.
        number: Number of the document.
    """
    return {
        field.name: str(given[field.name]) if field.name in given else _text(field, number)
        for field in item.fields
    }


def parsed_rows(
    item: InformationItem, given: Iterable[Mapping[str, object]]
) -> list[dict[str, object]]:
    """Rows as the kernel keeps them; their documents are numbered from 1."""
    return [
        dict(parse_row(item, row_texts(item, values, number)).values)
        for number, values in enumerate(given, start=1)
    ]


def _text(field: ItemField, number: int) -> str:
    if not field.required:
        return ""
    if field.type == "document" or field.name == "document_number":
        return f"温示例\u30142026\u3015{number}号"
    if field.codes:
        return next(iter(field.codes))
    return _TEXTS.get(field.type, str(max(field.least, 1)))
