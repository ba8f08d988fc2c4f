"""Fee details (费用明细): one record per line of a 2204, 2301 or pharmacy message.

A line of a refund (退单) is negative and names the line it takes back, in
``init_feedetl_sn``; refunds are kept as negative rows, so that sums net out.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook
from node.intake.group import Group, check_days, months_of
from node.intake.layouts import REQUEST, RESPONSE
from node.intake.nodes import CheckedNode

__all__ = ["build_fees", "check_fees", "fee_table"]

_REFUND_OF: Final = "init_feedetl_sn"


def check_fees(group: Group, book: FaultBook, node_name: str = "feedetail") -> None:
    """Check days, repeats and signs of the lines."""
    node = group.nodes[REQUEST, node_name]
    path = f"request.{node_name}"
    check_days(
        f"{path}.fee_ocur_time", node.moments["fee_ocur_time"], node.owners, group.bounds, book
    )
    _check_repeats(node, path, book)
    _check_refunds(node, path, book)


def build_fees(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``fee_detail`` records of 2204 and 2301."""
    node = group.request
    table = fee_table(
        group,
        node,
        group.nodes.get((RESPONSE, group.layout.answer)),
        visits=node.texts["mdtrt_id"],
        persons=node.texts["psn_no"],
        schema=schema,
    )
    return {"fee_detail": table}


def fee_table(
    group: Group,
    node: CheckedNode,
    answer: CheckedNode | None,
    *,
    visits: Sequence[str | None],
    persons: Sequence[str | None],
    schema: pa.Schema,
) -> pa.Table:
    """Build ``fee_detail`` records.

    Args:
        group: The messages.
        node: Lines of the requests.
        answer: Lines of the responses, which hold the amount within the insured scope.
        visits: Visit of each line.
        persons: Insured person of each line.
        schema: Columns of the kind.
    """
    owners = node.owners.tolist()
    msgids = [message.msgid for message in group.messages]
    codes = [message.institution for message in group.messages]
    lines = node.texts["feedetl_sn"]
    days = node.moments["fee_ocur_time"]
    return pa.table(
        {
            "record_id": [
                f"{msgids[owner]}#{line}" for owner, line in zip(owners, lines, strict=True)
            ],
            "institution": [codes[owner] for owner in owners],
            "month": months_of(days),
            "line": lines,
            "mdtrt_id": visits,
            "person": persons,
            "occurred_at": days,
            "item_code": node.texts["med_list_codg"],
            "local_code": node.texts["medins_list_codg"],
            "doctor": node.optional("bilg_dr_codg"),
            "department": node.optional("bilg_dept_codg"),
            "amount_fen": node.numbers["det_item_fee_sumamt"],
            "quantity_e4": node.numbers["cnt"],
            "price_e6": node.numbers["pric"],
            "inscp_fen": _insured_scope(node, answer),
            "batch": node.optional("chrg_bchno"),
        },
        schema=schema,
    )


def _insured_scope(node: CheckedNode, answer: CheckedNode | None) -> pa.Array:
    """Take the amount within the insured scope of each line from the responses, by line."""
    if answer is None:
        return pa.nulls(node.size, pa.int64())
    amounts, present = answer.numbers["inscp_scp_amt"], answer.present["inscp_scp_amt"]
    lines, answered = node.texts["feedetl_sn"], answer.texts["feedetl_sn"]
    if lines == answered and np.array_equal(node.owners, answer.owners):
        return pa.array(amounts, mask=~present)
    held = {
        key: int(amount)
        for key, amount, is_there in zip(
            zip(answer.owners.tolist(), answered, strict=True),
            amounts.tolist(),
            present.tolist(),
            strict=True,
        )
        if is_there
    }
    keys = zip(node.owners.tolist(), lines, strict=True)
    return pa.array([held.get(key) for key in keys], pa.int64())


def _check_repeats(node: CheckedNode, path: str, book: FaultBook) -> None:
    keys = list(zip(node.owners.tolist(), node.texts["feedetl_sn"], strict=True))
    if len(set(keys)) == len(keys):
        return
    seen: set[tuple[int, str | None]] = set()
    for owner, line in keys:
        if (owner, line) in seen:
            fault = Fault.of(Rule.DUPLICATE_LINE, f"{path}.feedetl_sn", line, "each line once")
            book.add(owner, fault)
        seen.add((owner, line))


def _check_refunds(node: CheckedNode, path: str, book: FaultBook) -> None:
    for name in ("cnt", "det_item_fee_sumamt"):
        negative = node.numbers[name] < 0
        if not negative.any():
            continue
        refunded: Sequence[str | None] = node.texts.get(_REFUND_OF, [None] * node.size)
        for row in np.flatnonzero(negative).tolist():
            if not refunded[row]:
                value = _decimal(node.numbers[name], int(row), 4 if name == "cnt" else 2)
                expected = f"zero or more, or the refunded line in {_REFUND_OF}"
                fault = Fault.of(Rule.NUMBER_NEGATIVE, f"{path}.{name}", value, expected)
                book.add(int(node.owners[row]), fault)


def _decimal(values: npt.NDArray[np.int64], row: int, scale: int) -> str:
    return f"{values[row] / 10**scale:.{scale}f}".rstrip("0").rstrip(".")
