"""What the catalogue says of an interface's fields, made ready for whole columns.

Rules:
- The catalogue's marks of required fields come from vendors' code and disagree
  with vendors' own messages. So a field is demanded only where a record or a
  check needs it (``layouts.py``); type, length, code list and decimals are
  checked wherever a field is filled.
- Unknown keys are accepted: provinces add fields.
- Provinces extend some code lists: of those the code's length is checked only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.intake.layouts import CASH_FIELDS, RESPONSE, Layout
from scoring_kernel import Catalog
from scoring_kernel.transactions import InterfaceField

__all__ = ["MAX_SCALED", "FieldRule", "NodeRules", "compile_rules"]

MAX_SCALED: Final = 10**15
"""Largest number taken in, in units of its last decimal.

A JSON number is a double here. Its error of 2 to the power of -53, times this
and the error of scaling it, stays below a quarter of a unit, so rounding gives
back the number that was written.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """One field of one node."""

    name: str
    path: str
    """Direction, node and field, for example ``request.feedetail.cnt``."""
    type: str
    """string, number, datetime, date or object."""
    needed: bool
    personal: bool
    signed: bool
    """True when the number may be negative."""
    max_length: int
    """Most characters of a text."""
    scale: int
    """Decimals of a number."""
    max_scaled: int
    """Largest absolute value of a number, in units of its last decimal."""
    codes: frozenset[str] | None
    """Codes of a closed list; None when any text goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRules:
    """One node of a request's input or a response's output."""

    direction: str
    node: str
    is_array: bool
    needed: bool
    fields: tuple[FieldRule, ...]

    @property
    def path(self) -> str:
        """Direction and node."""
        return f"{self.direction}.{self.node}"


def compile_rules(
    catalog: Catalog, layouts: Mapping[str, Layout]
) -> dict[str, tuple[NodeRules, ...]]:
    """Compile the catalogue's fields for the transactions that make records.

    Returns:
        Rules of the nodes by transaction, needed nodes first.
    """
    compiled: dict[str, tuple[NodeRules, ...]] = {}
    for infno, layout in layouts.items():
        transaction = catalog.transactions[infno]
        nodes = [
            NodeRules(
                direction=direction,
                node=node,
                is_array=(direction, node) in transaction.arrays,
                needed=(direction, node) in layout.needed,
                fields=tuple(
                    _rule(catalog, layout, direction, node, field)
                    for field in (*fields, *_cash_fields(layout, direction, node, fields))
                    if field.type != "object"
                ),
            )
            for (direction, node), fields in transaction.fields.items()
        ]
        compiled[infno] = tuple(sorted(nodes, key=lambda rules: not rules.needed))
    return compiled


def _cash_fields(
    layout: Layout, direction: str, node: str, fields: Sequence[InterfaceField]
) -> list[InterfaceField]:
    """Add the other spellings of the cash part to a settlement's answer."""
    if (direction, node) != (RESPONSE, layout.answer) or node != "setlinfo":
        return []
    known = {field.name for field in fields}
    return [
        InterfaceField(
            name=name,
            name_zh="个人现金支出",
            type="number",
            length=16,
            scale=2,
            required=False,
            personal=False,
            code_list=None,
        )
        for name in CASH_FIELDS
        if name not in known
    ]


def _rule(
    catalog: Catalog, layout: Layout, direction: str, node: str, field: InterfaceField
) -> FieldRule:
    codes = None
    if field.code_list is not None and field.code_list not in catalog.extensible_lists:
        codes = catalog.code_lists[field.code_list]
    digits = min(field.length or 16, 16)
    return FieldRule(
        name=field.name,
        path=f"{direction}.{node}.{field.name}",
        type=field.type,
        needed=field.name in layout.needed.get((direction, node), frozenset()),
        personal=field.personal,
        signed=field.name in layout.signed.get((direction, node), frozenset())
        or field.name in _BALANCES,
        max_length=field.length or 4000,
        scale=field.scale,
        max_scaled=min(10**digits - 1, MAX_SCALED),
        codes=codes,
    )


_BALANCES: Final = frozenset(("balc",))
