"""Withdrawals of fee details (费用明细撤销): 2205 of a charge batch, 2302 of single lines.

Rules:
- Either is a ``cancellation`` of kind ``fee_detail`` and names a line, a batch (收费批次号),
  or with "0000" every line of the visit that is not settled yet.
- Like every cancellation it moves no money and is believed: the platform accepted it.
  So one of lines that are not there, that were withdrawn before, are settled or belong to
  another visit is kept and takes nothing back; ids of messages tell what was sent before it.
- What a message names twice is one record.

Source:
    National interface, 2205 and 2302.
"""

from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from node.intake.group import Group, months_of
from node.intake.nodes import CheckedNode

__all__ = ["build_withdrawals"]

_WHAT: Final = "fee_detail"
_ALL: Final = "0000"
"""Stands for all lines, in both transactions."""


def build_withdrawals(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``cancellation`` records; ids end in the row's place in its message, from 1."""
    node = group.request
    owners = node.owners.tolist()
    places = node.places()
    visits, persons = node.texts["mdtrt_id"], node.optional("psn_no")
    lines, batches = _named(node, "feedetl_sn"), _named(node, "chrg_bchno")
    first: dict[tuple[int, str | None, str | None, str | None], int] = {}
    for row, key in enumerate(zip(owners, visits, lines, batches, strict=True)):
        first.setdefault(key, row)
    rows = list(first.values())
    messages = [group.messages[owners[row]] for row in rows]
    days = group.sent_at()[node.owners[rows]]
    table = pa.table(
        {
            "record_id": [
                f"{message.msgid}#{message.infno}.{places[row]}"
                for row, message in zip(rows, messages, strict=True)
            ],
            "institution": [message.institution for message in messages],
            "month": months_of(days),
            "mdtrt_id": [visits[row] for row in rows],
            "person": [persons[row] for row in rows],
            "cancelled_at": days,
            "what": [_WHAT] * len(rows),
            "line": [lines[row] for row in rows],
            "batch": [batches[row] for row in rows],
        },
        schema=schema,
    )
    return {"cancellation": table}


def _named(node: CheckedNode, name: str) -> list[str | None]:
    return [None if value == _ALL else value for value in node.optional(name)]
