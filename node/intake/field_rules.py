"""What the catalogue says of an interface's fields, made ready for whole columns.

Rules:
- The catalogue's marks of required fields come from vendors' code and disagree
  with vendors' own messages. So a field is demanded only where a record or a
  check needs it (``layouts.py``); type, length, code list and decimals are
  checked wherever a field is filled.
- Unknown keys are accepted: provinces add fields.
- Of transactions that make no record of their own shape any sign of a number goes.
- Provinces extend some code lists: of those the code's length is checked only.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.intake.layouts import CASH_FIELDS, LAYOUTS, REQUEST, RESPONSE, Layout
from scoring_kernel import Catalog
from scoring_kernel.record_layouts import RecordLayout
from scoring_kernel.transactions import InterfaceField, Transaction

__all__ = ["MAX_SCALED", "FieldRule", "IntakeRules", "NodeRules", "compile_intake"]

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
    key: str
    """Key under which the node stands."""
    parent: str | None
    """Node that holds it; None at the top."""
    is_array: bool
    needed: bool
    fields: tuple[FieldRule, ...]
    known: frozenset[str]
    """Keys that are a field or a node; any other key is kept aside."""

    @property
    def path(self) -> str:
        """Direction and node; of a head the direction alone."""
        return f"{self.direction}.{self.node}" if self.node else self.direction


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRules:
    """What messages are checked against; the same for every batch of one catalogue."""

    transactions: frozenset[str]
    """Known transaction numbers."""
    heads: tuple[NodeRules, ...]
    """Head of the request, head of the response."""
    nodes: Mapping[str, tuple[NodeRules, ...]]
    """Nodes by described transaction, parents before what they hold, needed ones first."""
    records: Mapping[str, tuple[RecordLayout, ...]]
    """Records that rows of nodes become, by transaction."""

    def has_records(self, infno: str) -> bool:
        """Tell whether a transaction makes typed records."""
        return infno in LAYOUTS or infno in self.records


def compile_intake(catalog: Catalog) -> IntakeRules:
    """Compile the catalogue's interface; extended code lists come in with it."""
    return IntakeRules(
        transactions=frozenset(catalog.transactions),
        heads=_node_rules(catalog, catalog.envelope, None, frozenset()),
        nodes={
            infno: _node_rules(
                catalog,
                transaction,
                LAYOUTS.get(infno),
                _needed_nodes(infno, transaction, catalog.record_layouts),
            )
            for infno, transaction in catalog.transactions.items()
            if transaction.is_described
        },
        records=catalog.record_layouts,
    )


def _needed_nodes(
    infno: str,
    transaction: Transaction,
    layouts: Mapping[str, tuple[RecordLayout, ...]],
) -> Collection[tuple[str, str]]:
    """Find the nodes that must be there.

    Where rows of the request are the records, they must be there; answers may be empty,
    and so may what rows hold.
    """
    if infno in LAYOUTS:
        return LAYOUTS[infno].needed.keys()
    return {
        layout.key
        for layout in layouts.get(infno, ())
        if layout.direction == REQUEST and layout.key not in transaction.parents
    }


def _node_rules(
    catalog: Catalog,
    transaction: Transaction,
    layout: Layout | None,
    needed: Collection[tuple[str, str]],
) -> tuple[NodeRules, ...]:
    nodes = [
        _one_node(catalog, transaction, layout, key, needed=key in needed)
        for key in transaction.fields
    ]
    # Sorting is stable: of the nodes within others, each still follows its parent.
    return tuple(sorted(nodes, key=lambda rules: (rules.parent is not None, not rules.needed)))


def _one_node(
    catalog: Catalog,
    transaction: Transaction,
    layout: Layout | None,
    key: tuple[str, str],
    *,
    needed: bool,
) -> NodeRules:
    direction, node = key
    listed = transaction.fields[key]
    fields = tuple(
        _rule(catalog, layout, direction, node, field)
        for field in (*listed, *_cash_fields(layout, direction, node, listed))
        if field.type != "object"
    )
    return NodeRules(
        direction=direction,
        node=node,
        key=transaction.key_of(node),
        parent=transaction.parents.get(key),
        is_array=key in transaction.arrays,
        needed=needed,
        fields=fields,
        known=frozenset(field.name for field in fields) | _held(transaction, direction, node),
    )


def _held(transaction: Transaction, direction: str, node: str) -> frozenset[str]:
    """Find the keys under which other nodes stand in a node; those of a head are always there."""
    if not node:
        return frozenset(("input", "output"))
    return frozenset(
        transaction.key_of(inner)
        for (side, inner), holder in transaction.parents.items()
        if (side, holder) == (direction, node)
    )


def _cash_fields(
    layout: Layout | None, direction: str, node: str, fields: Sequence[InterfaceField]
) -> list[InterfaceField]:
    """Add the other spellings of the cash part to a settlement's answer."""
    if layout is None or (direction, node) != (RESPONSE, layout.answer) or node != "setlinfo":
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
    catalog: Catalog, layout: Layout | None, direction: str, node: str, field: InterfaceField
) -> FieldRule:
    codes = None
    if field.code_list is not None and field.code_list not in catalog.extensible_lists:
        codes = catalog.code_lists[field.code_list]
    digits = min(field.length or 16, 16)
    place = direction, node
    return FieldRule(
        name=field.name,
        path=f"{direction}.{node}.{field.name}" if node else f"{direction}.{field.name}",
        type=field.type,
        needed=layout is not None and field.name in layout.needed.get(place, ()),
        personal=field.personal,
        signed=layout is None
        or field.name in layout.signed.get(place, ())
        or field.name in _BALANCES,
        max_length=_MAX_TEXT if field.name in _UNBOUNDED else field.length or _MAX_TEXT,
        scale=field.scale,
        max_scaled=min(10**digits - 1, MAX_SCALED),
        codes=codes,
    )


_BALANCES: Final = frozenset(("balc",))
_UNBOUNDED: Final = frozenset(("err_msg",))
"""Platforms send longer ones than the interface names; see ``heads.py``."""
_MAX_TEXT: Final = 4000
"""Characters of a text whose length nobody states."""
