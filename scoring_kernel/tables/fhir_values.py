"""Values inside FHIR resources, each taken only in the shape that FHIR R4 gives it.

Rules:

- A reference is reduced to the id it names: the last part of a path, what stands
  behind ``urn:uuid:`` or behind the bar of a search by identifier, or the value of its
  identifier. A reference to a contained resource keeps its ``#``.
- Of several codes the first one counts; of a period both ends.
- A value of another shape than FHIR gives it refuses the whole resource.

Source: HL7 FHIR R4 (4.0.1), datatypes and references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring_kernel.tables.errors import TableRule
from scoring_kernel.tables.row_batches import RowFaultError

if TYPE_CHECKING:
    from collections.abc import Mapping


def text_at(node: Mapping[str, Any], key: str) -> str | None:
    """Take a text, a number or a truth; None when it is absent.

    Raises:
        RowFaultError: It is an object or an array.
    """
    value = node.get(key)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str):
        return value
    raise _other(key, "a plain value")


def object_at(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Take an object; an empty one when it is absent.

    Raises:
        RowFaultError: It is something else.
    """
    value = node.get(key)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    raise _other(key, "an object")


def objects_at(node: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Take an array of objects; an empty one when it is absent.

    Raises:
        RowFaultError: It is something else.
    """
    value = node.get(key)
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return value
    raise _other(key, "an array of objects")


def first_at(node: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Take the first object of an array; an empty one when there is none."""
    found = objects_at(node, key)
    return found[0] if found else {}


def code_of(concept: Mapping[str, Any]) -> str | None:
    """Give the first code of a codeable concept, else its text."""
    return text_at(first_at(concept, "coding"), "code") or text_at(concept, "text")


def system_of(concept: Mapping[str, Any]) -> str | None:
    """Give the system of the first code of a codeable concept."""
    return text_at(first_at(concept, "coding"), "system")


def words_of(concept: Mapping[str, Any]) -> str | None:
    """Give the words of a codeable concept."""
    return text_at(concept, "text") or text_at(first_at(concept, "coding"), "display")


def id_of(reference: Mapping[str, Any]) -> str | None:
    """Give the id that a reference names.

    >>> id_of({"reference": "Claim/100150/_history/2"}), id_of({"reference": "urn:uuid:ab-1"})
    ('100150', 'ab-1')
    >>> id_of({"reference": "Organization?identifier=https://x.org/id|77"})
    '77'
    """
    text = text_at(reference, "reference")
    if text is None:
        return text_at(object_at(reference, "identifier"), "value")
    if text.startswith("#"):
        return text
    if "?" in text:
        return text.rpartition("|")[2].rpartition("=")[2]
    return text.partition("/_history/")[0].rpartition("/")[2].rpartition(":")[2]


def identifier_of(resource: Mapping[str, Any]) -> str | None:
    """Give the value of the first business identifier."""
    return text_at(first_at(resource, "identifier"), "value")


def money_of(amount: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give value and currency of an amount."""
    return text_at(amount, "value"), text_at(amount, "currency")


def period_of(period: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Give both ends of a period."""
    return text_at(period, "start"), text_at(period, "end")


def _other(key: str, expected: str) -> RowFaultError:
    return RowFaultError(TableRule.CELL, f"another shape at {key[:40]!r}", f"{expected} there")
