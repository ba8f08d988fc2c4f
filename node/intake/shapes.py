"""From messages of one transaction to their records: check, leave out the faulty, build."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from node.domain.faults import Fault
from node.intake import fees, message_reversals, reversals, settlements, stays, withdrawals
from node.intake.clinical import build_clinical
from node.intake.columns import FaultBook
from node.intake.extras import EXTRA, build_extras
from node.intake.field_rules import IntakeRules
from node.intake.group import DayBounds, Group, check_id_cards
from node.intake.layouts import LAYOUTS, RESPONSE, ROWS, Shape
from node.intake.messages import Message
from node.intake.nodes import check_nodes
from node.intake.originals import Originals, Settlement
from node.intake.rows import build_rows
from node.store import SettlementKey

__all__ = ["Built", "build_group"]


_NOTHING: Final = message_reversals.Reversed(wanted=(), settlements=())


@dataclass(frozen=True, slots=True, kw_only=True)
class _TakenBack:
    """Settlements that a group takes back."""

    by_setl_id: Mapping[SettlementKey, Settlement] = field(default_factory=dict, repr=False)
    by_message: message_reversals.Reversed = _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came of the messages of one transaction."""

    messages: tuple[Message, ...]
    """Messages without a fault."""
    faults: tuple[tuple[Message, Fault], ...]
    """The others, each with its first fault."""
    records: Mapping[str, pa.Table] = field(repr=False)
    """Records by kind; empty when the messages wait for their responses."""


def build_group(
    messages: Sequence[Message],
    rules: IntakeRules,
    bounds: DayBounds,
    schemas: Mapping[str, pa.Schema],
    originals: Originals,
) -> Built:
    """Check messages of one transaction and build their records.

    Args:
        messages: Messages of one infno, all accepted or all waiting for their response;
            of the latter only the requests are checked.
        rules: What the transaction, a described one, is checked against.
        bounds: Days a record may carry.
        schemas: Schema per kind.
        originals: Finds settlements that reversals take back.

    Returns:
        The records, and the messages with and without faults.
    """
    infno = messages[0].infno
    layout = LAYOUTS.get(infno, ROWS)
    nodes_of = rules.nodes[infno]
    answered = messages[0].accepted is not None
    wanted = [node for node in nodes_of if answered or node.direction != RESPONSE]
    left = list(messages)
    refused: list[tuple[Message, Fault]] = []
    while left:
        book = FaultBook()
        nodes = check_nodes(wanted, left, book)
        group = Group(layout=layout, messages=left, nodes=nodes, bounds=bounds)
        taken = _TakenBack()
        rows: dict[str, pa.Table] = {}
        # Columns of a faulty node are not aligned, so what compares nodes waits for a clean turn.
        if not book.faults:
            for (direction, name), node in nodes.items():
                check_id_cards(direction, name, node, book)
            if answered:
                taken = _find_taken_back(group, originals)
            _check(group, taken, originals, book)
            rows = build_rows(rules.records.get(infno, ()), nodes_of, group, schemas, book)
        if not book.faults:
            tables: list[Mapping[str, pa.Table]] = []
            if answered:
                tables += [_build(group, taken, schemas), rows, build_clinical(group, schemas)]
            if answered and rules.has_records(infno):
                tables.append(build_extras(rules, left, nodes, schemas[EXTRA]))
            return Built(messages=tuple(left), faults=tuple(refused), records=_joined(tables))
        refused += [(left[owner], fault) for owner, fault in sorted(book.faults.items())]
        left = [message for owner, message in enumerate(left) if owner not in book.faults]
    return Built(messages=(), faults=tuple(refused), records={})


def _joined(tables: Sequence[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    joined: dict[str, pa.Table] = {}
    for by_kind in tables:
        for kind, table in by_kind.items():
            joined[kind] = pa.concat_tables([joined[kind], table]) if kind in joined else table
    return joined


def _find_taken_back(group: Group, originals: Originals) -> _TakenBack:
    match group.layout.shape:
        case Shape.REVERSAL:
            return _TakenBack(by_setl_id=originals.by_setl_id(reversals.needed_originals(group)))
        case Shape.MESSAGE_REVERSAL:
            return _TakenBack(by_message=message_reversals.find_reversed(group, originals))
        case _:
            return _TakenBack()


def _check(group: Group, taken: _TakenBack, originals: Originals, book: FaultBook) -> None:
    match group.layout.shape:
        case Shape.REVERSAL:
            reversals.check_reversals(group, book, taken.by_setl_id, originals)
        case Shape.MESSAGE_REVERSAL:
            message_reversals.check_message_reversals(group, book, taken.by_message, originals)
        case Shape.ROWS:
            pass
        case shape:
            _CHECKS[shape](group, book)


_CHECKS: Final[Mapping[Shape, Callable[[Group, FaultBook], None]]] = {
    Shape.ADMISSION: stays.check_admissions,
    Shape.DISCHARGE: stays.check_discharges,
    Shape.SETTLEMENT_LIST: stays.check_settlement_lists,
    Shape.FEES: fees.check_fees,
    Shape.SETTLEMENT: settlements.check_settlements,
    Shape.PHARMACY: settlements.check_pharmacy,
    Shape.CANCELLATION: stays.check_cancellations,
    Shape.WITHDRAWAL: stays.check_cancellations,
    Shape.VISIT: stays.check_admissions,
}
"""Check of the shapes that take nothing else back."""


def _build(
    group: Group, taken: _TakenBack, schemas: Mapping[str, pa.Schema]
) -> Mapping[str, pa.Table]:
    match group.layout.shape:
        case Shape.ROWS | Shape.VISIT:
            return {}
        case Shape.PHARMACY:
            return settlements.build_pharmacy(group, schemas["settlement"], schemas["fee_detail"])
        case Shape.REVERSAL:
            return reversals.build_reversals(group, taken.by_setl_id, schemas["settlement"])
        case Shape.MESSAGE_REVERSAL:
            return message_reversals.build_message_reversals(group, taken.by_message, schemas)
        case shape:
            build, kind = _OF_ONE_KIND[shape]
            return build(group, schemas[kind])


_OF_ONE_KIND: Final[
    Mapping[Shape, tuple[Callable[[Group, pa.Schema], Mapping[str, pa.Table]], str]]
] = {
    Shape.ADMISSION: (stays.build_admissions, "admission"),
    Shape.DISCHARGE: (stays.build_discharges, "discharge"),
    Shape.SETTLEMENT_LIST: (stays.build_settlement_lists, "settlement_list"),
    Shape.FEES: (fees.build_fees, "fee_detail"),
    Shape.SETTLEMENT: (settlements.build_settlements, "settlement"),
    Shape.CANCELLATION: (stays.build_cancellations, "cancellation"),
    Shape.WITHDRAWAL: (withdrawals.build_withdrawals, "cancellation"),
}
"""Builder and kind of the shapes that make records of one kind and take nothing else."""
