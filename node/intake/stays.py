"""Admissions, discharges, what cancels them, and settlement lists (入院、出院、撤销、结算清单)."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook
from node.intake.group import Group, check_days, months_of
from node.intake.node_columns import texts_of

__all__ = [
    "build_admissions",
    "build_cancellations",
    "build_discharges",
    "build_settlement_lists",
    "check_admissions",
    "check_cancellations",
    "check_discharges",
    "check_settlement_lists",
]

_CANCELLED: Final = {"2202": "admission", "2404": "admission", "2405": "discharge"}
"""Transaction → what it takes back."""
DIED: Final = "5"
"""Way of leaving (离院方式): death."""
PLANNED: Final = "2"
"""Plan to be admitted again within 31 days (出院31天内再住院计划): 1 none, 2 there is one."""


def check_admissions(group: Group, book: FaultBook) -> None:
    """Check the day of each visit, registration or admission."""
    node = group.request
    path = f"request.{group.layout.node}.begntime"
    check_days(path, node.moments["begntime"], node.owners, group.bounds, book)


def build_admissions(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``admission`` records; the platform gave the visit its id."""
    node = group.request
    days = node.moments["begntime"]
    table = pa.table(
        {
            "record_id": [message.msgid for message in group.messages],
            "institution": [message.institution for message in group.messages],
            "month": months_of(days),
            "mdtrt_id": group.answer.texts["mdtrt_id"],
            "person": node.texts["psn_no"],
            "admitted_at": days,
            "inpatient": np.full(node.size, group.layout.inpatient),
            "doctor": texts_of(node, "atddr_no"),
            "diagnosis": texts_of(node, "dscg_maindiag_code"),
            "med_type": texts_of(node, "med_type"),
            "insutype": texts_of(node, "insutype"),
            "certificate_type": texts_of(node, "mdtrt_cert_type"),
        },
        schema=schema,
    )
    return {"admission": table}


def check_discharges(group: Group, book: FaultBook) -> None:
    """Check the day of each discharge."""
    node = group.request
    path = f"request.{group.layout.node}.endtime"
    check_days(path, node.moments["endtime"], node.owners, group.bounds, book)


def build_discharges(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``discharge`` records; died by the way of leaving or by a day of death."""
    node = group.request
    days = node.moments["endtime"]
    ways = node.texts["dscg_way"]
    died = np.array([way == DIED for way in ways], np.bool_)
    died |= ~np.isnat(node.moments["die_date"])
    table = pa.table(
        {
            "record_id": [message.msgid for message in group.messages],
            "institution": [message.institution for message in group.messages],
            "month": months_of(days),
            "mdtrt_id": node.texts["mdtrt_id"],
            "person": node.texts["psn_no"],
            "discharged_at": days,
            "discharge_way": ways,
            "died": died,
            "diagnosis": _main_diagnoses(group),
        },
        schema=schema,
    )
    return {"discharge": table}


def check_cancellations(group: Group, book: FaultBook) -> None:
    """Check the day of each cancellation: the message's own."""
    owners = range(len(group.messages))
    check_days("request.inf_time", group.sent_at(), owners, group.bounds, book)


def build_cancellations(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``cancellation`` records of 2202, 2404 and 2405.

    A record's id begins with its message's, so it also tells which messages were sent before it.
    """
    node = group.request
    days = group.sent_at()
    table = pa.table(
        {
            "record_id": [f"{message.msgid}#{message.infno}" for message in group.messages],
            "institution": [message.institution for message in group.messages],
            "month": months_of(days),
            "mdtrt_id": node.texts["mdtrt_id"],
            "person": node.optional("psn_no"),
            "cancelled_at": days,
            "what": [_CANCELLED[message.infno] for message in group.messages],
            "line": pa.nulls(node.size, pa.string()),
            "batch": pa.nulls(node.size, pa.string()),
        },
        schema=schema,
    )
    return {"cancellation": table}


def check_settlement_lists(group: Group, book: FaultBook) -> None:
    """Check that each list has the day that decides its month, and that its stay has an order."""
    node = group.request
    path = f"request.{group.layout.node}"
    ended, left = node.moments["setl_end_date"], node.moments["dscg_time"]
    for row in np.flatnonzero(np.isnat(ended) & np.isnat(left)):
        fault = Fault.of(Rule.FIELD_MISSING, f"{path}.setl_end_date", None, "a day")
        book.add(int(node.owners[row]), fault)
    day = np.where(np.isnat(ended), left, ended)
    check_days(f"{path}.setl_end_date", day, node.owners, group.bounds, book)
    entered = node.moments["adm_time"]
    backwards = ~np.isnat(entered) & ~np.isnat(left) & (left < entered)
    for row in np.flatnonzero(backwards):
        expected = f"{str(entered[row]).replace('T', ' ')} or later"
        value = str(left[row]).replace("T", " ")
        fault = Fault.of(Rule.DATE_ORDER, f"{path}.dscg_time", value, expected)
        book.add(int(node.owners[row]), fault)


def build_settlement_lists(group: Group, schema: pa.Schema) -> Mapping[str, pa.Table]:
    """Build ``settlement_list`` records; month of the settlement's end, else of the discharge."""
    node = group.request
    ended, left = node.moments["setl_end_date"], node.moments["dscg_time"]
    purposes = node.texts["days_rinp_pup_31"]
    planned = [
        flag == PLANNED or bool(purpose and purpose.strip("-— 无"))
        for flag, purpose in zip(node.texts["days_rinp_flag_31"], purposes, strict=True)
    ]
    table = pa.table(
        {
            "record_id": [message.msgid for message in group.messages],
            "institution": [message.institution for message in group.messages],
            "month": months_of(np.where(np.isnat(ended), left, ended)),
            "setl_id": node.texts["setl_id"],
            "mdtrt_id": node.texts["mdtrt_id"],
            "person": node.optional("hi_no"),
            "admitted_at": node.moments["adm_time"],
            "discharged_at": left,
            "planned_readmission": planned,
        },
        schema=schema,
    )
    return {"settlement_list": table}


def _main_diagnoses(group: Group) -> list[str | None]:
    """Find each message's main diagnosis among its diagnoses; None when none is marked."""
    found: list[str | None] = [None] * len(group.messages)
    node = group.nodes.get(("request", "diseinfo"))
    if node is not None:
        for owner, flag, code in zip(
            node.owners.tolist(), node.texts["maindiag_flag"], node.texts["diag_code"], strict=True
        ):
            if flag == "1" and found[owner] is None:
                found[owner] = code or None
    return found
