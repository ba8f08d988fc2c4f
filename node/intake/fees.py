"""Fee details (费用明细): one record per line of a 2204, 2301 or pharmacy message.

A line of a refund (退单) is negative and names the line it takes back, in
``init_feedetl_sn``; refunds are kept as negative rows, so that sums net out.
What only the platform knows of a line (scope, level, cap) comes from its answer.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.intake.answered_lines import AnsweredLines
from node.intake.columns import FaultBook
from node.intake.group import Group, check_days, months_of
from node.intake.layouts import REQUEST, RESPONSE
from node.intake.node_columns import flags_of, texts_of
from node.intake.nodes import CheckedNode

__all__ = ["build_fees", "check_fees", "fee_table"]

_REFUND_OF: Final = "init_feedetl_sn"
_DAY: Final = 100
"""Units of a period (周期天数) in one day: it has two decimals."""
_YES: Final = ("1",)
_NO: Final = ("0",)
_NO_EMERGENCY: Final = ("0", "2", "3")
"""Not an emergency, examined before an operation, elective operation."""


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
    answered = AnsweredLines(node, answer)
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
            "doctor": texts_of(node, "bilg_dr_codg"),
            "department": texts_of(node, "bilg_dept_codg"),
            "amount_fen": node.numbers["det_item_fee_sumamt"],
            "quantity_e4": node.numbers["cnt"],
            "price_e6": node.numbers["pric"],
            "inscp_fen": answered.numbers("inscp_scp_amt"),
            "batch": texts_of(node, "chrg_bchno"),
            "refund_of": texts_of(node, _REFUND_OF),
            "med_type": texts_of(node, "med_type"),
            "charge_type": answered.texts("med_chrgitm_type"),
            "level": answered.texts("chrgitm_lv"),
            "cap_e6": answered.numbers("pric_uplmt_amt"),
            "prescription": texts_of(node, "rxno"),
            "days": _whole_days(node),
            "dose": texts_of(node, "sin_dos_dscr"),
            "frequency": texts_of(node, "used_frqu_dscr"),
            "maternity": flags_of(texts_of(node, "matn_fee_flag"), _YES, _NO),
            "discharge_drug": flags_of(texts_of(node, "dscg_tkdrug_flag"), _YES, _NO),
            "emergency": _emergencies(group, node),
            "approved": texts_of(node, "hosp_appr_flag"),
        },
        schema=schema,
    )


def _whole_days(node: CheckedNode) -> pa.Array:
    """Give the days that each line lasts; a part of a day counts as one."""
    if "prd_days" not in node.numbers:
        return pa.nulls(node.size, pa.int64())
    return pa.array(-(-node.numbers["prd_days"] // _DAY), mask=~node.present["prd_days"])


def _emergencies(group: Group, node: CheckedNode) -> pa.Array:
    """Tell which lines are an emergency's, by the flags that stand beside the lines.

    As many flags as lines are one of each line; else they say it of all, if all say the same.
    """
    beside = group.nodes.get((REQUEST, "exp_content"))
    if beside is None or not beside.size:
        return pa.nulls(node.size, pa.bool_())
    flags: dict[int, list[bool | None]] = {}
    told = flags_of(texts_of(beside, "er_flag"), _YES, _NO_EMERGENCY).to_pylist()
    for owner, flag in zip(beside.owners.tolist(), told, strict=True):
        flags.setdefault(owner, []).append(flag)
    sizes = np.bincount(node.owners, minlength=len(group.messages)).tolist()
    found: list[bool | None] = []
    for owner, place in zip(node.owners.tolist(), node.places().tolist(), strict=True):
        own = flags.get(owner, [])
        if len(own) == sizes[owner]:
            found.append(own[place - 1])
        else:
            found.append(own[0] if len(set(own)) == 1 else None)
    return pa.array(found, pa.bool_())


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
