"""Settlements (结算) and their reversals (结算撤销).

Fund amounts exist only in responses: a settlement counts when the platform
accepted it. A reversal is a row of its own with sign -1 and negative amounts,
under the setl_id it reverses, so that both net out whatever their months.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from node.domain.faults import Fault, Rule
from node.domain.masking import show
from node.intake.columns import FaultBook
from node.intake.fees import check_fees, fee_table
from node.intake.group import Group, check_days, months_of
from node.intake.layouts import CASH_FIELDS, REQUEST, RESPONSE
from node.intake.node_columns import amounts_of, moments_of, texts_of
from node.intake.nodes import CheckedNode

__all__ = [
    "build_pharmacy",
    "build_settlements",
    "check_pharmacy",
    "check_settlements",
    "settled_at",
]

_CERTIFICATE: Final = "mdtrt_cert_type"
_OWN: Final = "fulamt_ownpay_amt"


def settled_at(group: Group) -> npt.NDArray[np.datetime64]:
    """Give the moment of each settlement: the platform's, else the message's."""
    platform = group.answer.moments["setl_time"]
    return np.where(np.isnat(platform), group.sent_at(), platform)


def check_settlements(group: Group, book: FaultBook) -> None:
    """Check that request and response are of one person and visit, and that amounts add up."""
    if not group.is_answered:
        return
    answer, name = group.answer, group.layout.answer
    for field, rule, personal in (
        ("psn_no", Rule.PERSON_MISMATCH, True),
        ("mdtrt_id", Rule.VISIT_MISMATCH, False),
    ):
        asked = group.request.texts.get(field)
        if asked is not None:
            _check_same(
                asked,
                answer.texts[field],
                f"response.{name}.{field}",
                rule,
                book,
                personal=personal,
            )
    _check_sum(answer, f"response.{name}.medfee_sumamt", book)
    check_days(f"response.{name}.setl_time", settled_at(group), answer.owners, group.bounds, book)


def build_settlements(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``settlement`` records of 2207, 2304 and 2102."""
    request, answer = group.request, group.answer
    days = settled_at(group)
    table = pa.table(
        {
            "record_id": [message.msgid for message in group.messages],
            "institution": [message.institution for message in group.messages],
            "month": months_of(days),
            "setl_id": answer.texts["setl_id"],
            "mdtrt_id": answer.texts["mdtrt_id"],
            "person": request.texts["psn_no"],
            "insutype": _first_filled(answer, request, "insutype"),
            "med_type": _first_filled(answer, request, "med_type"),
            "inpatient": np.full(request.size, group.layout.inpatient),
            "sign": np.ones(request.size, np.int8),
            "settled_at": days,
            "medfee_fen": answer.numbers["medfee_sumamt"],
            "inscp_fen": answer.numbers["inscp_scp_amt"],
            "fund_fen": answer.numbers["fund_pay_sumamt"],
            "account_fen": answer.numbers["acct_pay"],
            "cash_fen": cash_of(answer),
            "batch": texts_of(request, "chrg_bchno"),
            "gender": texts_of(answer, "gend"),
            "born": moments_of(answer, "brdy"),
            "certificate_type": pc.coalesce(
                texts_of(answer, _CERTIFICATE), texts_of(request, _CERTIFICATE)
            ),
            "pooled_fen": amounts_of(answer, "hifp_pay"),
            "own_fen": pc.coalesce(amounts_of(answer, _OWN), amounts_of(request, _OWN)),
            "insured_place": group.head_texts("insuplc_admdvs"),
        },
        schema=schema,
    )
    return {"settlement": table}


def check_pharmacy(group: Group, book: FaultBook) -> None:
    """Check a pharmacy settlement and its lines."""
    check_settlements(group, book)
    check_fees(group, book, "drugdetail")


def build_pharmacy(
    group: Group, schema: pa.Schema, fee_schema: pa.Schema
) -> Mapping[str, pa.Table]:
    """Build the ``settlement`` and the ``fee_detail`` records of 2102."""
    lines = group.nodes[REQUEST, "drugdetail"]
    owners = lines.owners.tolist()
    visits, persons = group.answer.texts["mdtrt_id"], group.request.texts["psn_no"]
    fees = fee_table(
        group,
        lines,
        group.nodes.get((RESPONSE, "detlcutinfo")),
        visits=[visits[owner] for owner in owners],
        persons=[persons[owner] for owner in owners],
        schema=fee_schema,
    )
    return {**build_settlements(group, schema), "fee_detail": fees}


def cash_of(node: CheckedNode) -> npt.NDArray[np.int64]:
    """Give the cash part of each row in fen, whichever field it is in; 0 where missing."""
    cash = np.zeros(node.size, np.int64)
    for name in reversed(CASH_FIELDS):
        if name in node.numbers:
            cash = np.where(node.present[name], node.numbers[name], cash)
    return cash


def _first_filled(first: CheckedNode, second: CheckedNode, name: str) -> list[str]:
    blank: Sequence[str | None] = [None] * first.size
    return [
        one or other or ""
        for one, other in zip(
            first.texts.get(name, blank), second.texts.get(name, blank), strict=True
        )
    ]


def _check_same(
    asked: Sequence[str | None],
    answered: Sequence[str | None],
    path: str,
    rule: Rule,
    book: FaultBook,
    *,
    personal: bool,
) -> None:
    if asked == answered:
        return
    for owner, (mine, theirs) in enumerate(zip(asked, answered, strict=True)):
        if mine and theirs and mine != theirs:
            book.add(owner, Fault.of(rule, path, theirs, "the request's own", personal=personal))


def _check_sum(answer: CheckedNode, path: str, book: FaultBook) -> None:
    """Total = fund + person + institution, where the person's part is stated."""
    if "psn_part_amt" not in answer.numbers:
        return
    total = answer.numbers["medfee_sumamt"]
    parts = answer.numbers["fund_pay_sumamt"] + answer.numbers["psn_part_amt"]
    if "hosp_part_amt" in answer.numbers:
        parts = parts + answer.numbers["hosp_part_amt"]
    for row in np.flatnonzero(answer.present["psn_part_amt"] & (parts != total)):
        fault = Fault.of(
            Rule.AMOUNTS_DISAGREE,
            path,
            f"{total[row] / 100:.2f}",
            f"{show(f'{parts[row] / 100:.2f}')}, the sum of fund, person and institution",
        )
        book.add(int(answer.owners[row]), fault)
