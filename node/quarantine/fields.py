"""What the catalogue knows of a field at a place in a message: type, and whether it is personal.

A field that the catalogue does not know counts as personal: nothing of it is shown.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final

from node.domain.masking import mask, show
from node.errors import ConfigurationError
from node.quarantine.places import HEADS, Place
from scoring_kernel import Catalog
from scoring_kernel.transactions import InterfaceField

__all__ = ["KnownFields"]

_MAX_NUMBER_CHARS: Final = 40


class KnownFields:
    """The fields of one transaction and of the message head around it."""

    def __init__(self, catalog: Catalog, infno: str) -> None:
        known = catalog.transactions.get(infno)
        self.head = {
            direction: frozenset(
                field.name for field in catalog.envelope.fields.get((direction, ""), ())
            )
            for direction in HEADS
        }
        self._heads = _by_name(catalog.envelope.fields)
        self._fields = _by_name(known.fields) if known else {}

    def find(self, place: Place) -> InterfaceField | None:
        """Find what is known of the field at a place; None where nothing is."""
        names = [step for step in place if isinstance(step, str)]
        if not names:
            return None
        direction = names[0] if names[0] in HEADS else "request"
        below = [name for name in names if name != direction]
        if len(below) > 1 and below[0] == HEADS[direction]:
            node = ".".join(below[1:-1])
            fields = self._fields
            return (
                fields.get((direction, node, names[-1]))
                or fields.get((direction, node.rpartition(".")[2], names[-1]))
                or None
            )
        return self._heads.get((direction, "", names[-1]))

    def is_personal(self, place: Place) -> bool:
        """Tell whether the value at a place is masked whatever it looks like."""
        field = self.find(place)
        return field is None or field.personal

    def shown(self, place: Place, value: object) -> str:
        """Show the value at a place as far as it may be shown."""
        return show(value, personal=self.is_personal(place))

    def typed(self, place: Place, text: str) -> object:
        """Turn what an operator typed into the JSON value of the field's type.

        Raises:
            ConfigurationError: The field is a number and the text is none.
        """
        field = self.find(place)
        if field is None or field.type != "number":
            return text
        return _number(field.name, text)


def _by_name(
    fields: Mapping[tuple[str, str], tuple[InterfaceField, ...]],
) -> dict[tuple[str, str, str], InterfaceField]:
    return {
        (direction, node, field.name): field
        for (direction, node), listed in fields.items()
        for field in listed
    }


def _number(name: str, text: str) -> int | float:
    """Read a number that JSON can hold and its reader gives back unchanged."""
    refusal = ConfigurationError(
        f"{name} is {mask(text)}, expected a decimal number that JSON keeps, for example 35.6"
    )
    try:
        exact = Decimal(text.strip()) if len(text) <= _MAX_NUMBER_CHARS else Decimal("NaN")
    except InvalidOperation as error:
        raise refusal from error
    if not exact.is_finite():
        raise refusal
    if exact == exact.to_integral_value() and abs(exact) < 2**53:
        return int(exact)
    number = float(exact)
    if not isfinite(number) or Decimal(repr(number)) != exact:
        raise refusal
    return number
