"""Which transactions make records, from which nodes, and which fields that needs.

| transaction | record |
|---|---|
| 2201 registration (门诊挂号), 2401 admission (入院办理) | admission |
| 2402 discharge (出院办理) | discharge |
| 2202, 2404 registration or admission cancelled (撤销), 2405 discharge cancelled | cancellation |
| 2205, 2302 fee details withdrawn (费用明细撤销) | cancellation |
| 2204, 2301 fee details (费用明细上传) | fee_detail |
| 2207, 2304 settlement (结算) | settlement |
| 2102 pharmacy settlement (药店结算) | settlement, fee_detail |
| 2208, 2305, 2103 reversal (结算撤销) | settlement with sign -1 |
| 2601 reversal (冲正) of a message that was a settlement | settlement with sign -1 |
| 4101, 4101A settlement list (结算清单) | settlement_list |
| 2203, 2203A visit (就诊信息) | diagnosis |

Diagnoses and operations beside 2401, 2402 and 4101 are records of their own (``clinical.py``).

The catalogue's own layouts make records of rows, here and of other transactions
(``rows.py``). Every other known transaction is counted in the ledger and kept as ``raw``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = ["CASH_FIELDS", "LAYOUTS", "REQUEST", "RESPONSE", "ROWS", "Layout", "Shape"]

REQUEST: Final = "request"
RESPONSE: Final = "response"
CASH_FIELDS: Final = ("psn_cash_pay", "cash_payamt", "pdn_cash_pay")
"""The person's cash part is spelt differently by different transactions."""

_Fields = Mapping[tuple[str, str], frozenset[str]]


class Shape(StrEnum):
    """Which builder makes the records of a transaction."""

    ADMISSION = "admission"
    DISCHARGE = "discharge"
    FEES = "fees"
    SETTLEMENT = "settlement"
    PHARMACY = "pharmacy"
    REVERSAL = "reversal"
    MESSAGE_REVERSAL = "message_reversal"
    CANCELLATION = "cancellation"
    WITHDRAWAL = "withdrawal"
    SETTLEMENT_LIST = "settlement_list"
    VISIT = "visit"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one transaction becomes records."""

    shape: Shape
    inpatient: bool
    node: str
    """Node of the request that holds the record."""
    answer: str
    """Node of the response that holds the platform's part."""
    needed: _Fields
    """Fields that must be filled, by (direction, node); the node must be there too."""
    signed: _Fields = field(default_factory=dict)
    """Numbers that may be negative."""


_FEE_FIELDS: Final = frozenset(
    (
        "feedetl_sn",
        "mdtrt_id",
        "psn_no",
        "fee_ocur_time",
        "med_list_codg",
        "medins_list_codg",
        "det_item_fee_sumamt",
        "cnt",
        "pric",
    )
)
_FEE_SIGNED: Final = frozenset(("det_item_fee_sumamt", "cnt"))
_FEE_ANSWER_SIGNED: Final = frozenset(
    (
        "det_item_fee_sumamt",
        "cnt",
        "fulamt_ownpay_amt",
        "overlmt_amt",
        "preselfpay_amt",
        "inscp_scp_amt",
    )
)
_PAID: Final = frozenset(
    ("setl_id", "mdtrt_id", "medfee_sumamt", "inscp_scp_amt", "fund_pay_sumamt")
)
_REVERSED_AMOUNTS: Final = frozenset(
    (
        "medfee_sumamt",
        "fulamt_ownpay_amt",
        "overlmt_selfpay",
        "preselfpay_amt",
        "inscp_scp_amt",
        "act_pay_dedc",
        "hifp_pay",
        "cvlserv_pay",
        "hifes_pay",
        "hifmi_pay",
        "hifob_pay",
        "maf_pay",
        "oth_pay",
        "fund_pay_sumamt",
        "psn_part_amt",
        "psn_pay",
        "acct_pay",
        "psn_cash_pay",
        "pdn_cash_pay",
        "cash_payamt",
        "hosp_part_amt",
        "acct_mulaid_pay",
    )
)
_REVERSED_PARTS: Final = frozenset(("inscp_scp_amt", "crt_payb_lmt_amt", "fund_payamt"))


def _fees(*, inpatient: bool) -> Layout:
    return Layout(
        shape=Shape.FEES,
        inpatient=inpatient,
        node="feedetail",
        answer="result",
        needed={(REQUEST, "feedetail"): _FEE_FIELDS},
        signed={(REQUEST, "feedetail"): _FEE_SIGNED, (RESPONSE, "result"): _FEE_ANSWER_SIGNED},
    )


def _settlement(*, inpatient: bool) -> Layout:
    return Layout(
        shape=Shape.SETTLEMENT,
        inpatient=inpatient,
        node="data",
        answer="setlinfo",
        needed={
            (REQUEST, "data"): frozenset(("psn_no", "mdtrt_id", "medfee_sumamt")),
            (RESPONSE, "setlinfo"): _PAID,
        },
    )


def _reversal(*, inpatient: bool) -> Layout:
    return Layout(
        shape=Shape.REVERSAL,
        inpatient=inpatient,
        node="data",
        answer="setlinfo",
        needed={(REQUEST, "data"): frozenset(("setl_id", "mdtrt_id", "psn_no"))},
        signed={
            (RESPONSE, "setlinfo"): _REVERSED_AMOUNTS,
            (RESPONSE, "setldetail"): _REVERSED_PARTS,
        },
    )


def _cancellation(*, inpatient: bool) -> Layout:
    return Layout(
        shape=Shape.CANCELLATION,
        inpatient=inpatient,
        node="data",
        answer="",
        needed={(REQUEST, "data"): frozenset(("mdtrt_id",))},
    )


def _withdrawal(named: str, *, inpatient: bool) -> Layout:
    return Layout(
        shape=Shape.WITHDRAWAL,
        inpatient=inpatient,
        node="data",
        answer="",
        needed={(REQUEST, "data"): frozenset(("mdtrt_id", named))},
    )


def _visit() -> Layout:
    return Layout(
        shape=Shape.VISIT,
        inpatient=False,
        node="mdtrtinfo",
        answer="",
        needed={(REQUEST, "mdtrtinfo"): frozenset(("mdtrt_id",))},
    )


def _settlement_list() -> Layout:
    return Layout(
        shape=Shape.SETTLEMENT_LIST,
        inpatient=True,
        node="setlinfo",
        answer="",
        needed={(REQUEST, "setlinfo"): frozenset(("mdtrt_id", "setl_id"))},
    )


ROWS: Final = Layout(shape=Shape.ROWS, inpatient=False, node="", answer="", needed={})
"""Layout of a transaction whose records, if any, are rows of nodes."""

LAYOUTS: Final[Mapping[str, Layout]] = {
    "2201": Layout(
        shape=Shape.ADMISSION,
        inpatient=False,
        node="data",
        answer="data",
        needed={
            (REQUEST, "data"): frozenset(("psn_no", "begntime")),
            (RESPONSE, "data"): frozenset(("mdtrt_id",)),
        },
    ),
    "2401": Layout(
        shape=Shape.ADMISSION,
        inpatient=True,
        node="mdtrtinfo",
        answer="result",
        needed={
            (REQUEST, "mdtrtinfo"): frozenset(("psn_no", "begntime")),
            (RESPONSE, "result"): frozenset(("mdtrt_id",)),
        },
    ),
    "2402": Layout(
        shape=Shape.DISCHARGE,
        inpatient=True,
        node="dscginfo",
        answer="",
        needed={
            (REQUEST, "dscginfo"): frozenset(("mdtrt_id", "psn_no", "endtime", "dscg_way")),
        },
    ),
    "2204": _fees(inpatient=False),
    "2301": _fees(inpatient=True),
    "2207": _settlement(inpatient=False),
    "2304": _settlement(inpatient=True),
    "2102": Layout(
        shape=Shape.PHARMACY,
        inpatient=False,
        node="druginfo",
        answer="setlinfo",
        needed={
            (REQUEST, "druginfo"): frozenset(("psn_no", "medfee_sumamt")),
            (REQUEST, "drugdetail"): _FEE_FIELDS - {"mdtrt_id", "psn_no"},
            (RESPONSE, "setlinfo"): _PAID,
        },
    ),
    "2208": _reversal(inpatient=False),
    "2305": _reversal(inpatient=True),
    "2103": _reversal(inpatient=False),
    "2202": _cancellation(inpatient=False),
    "2404": _cancellation(inpatient=True),
    "2405": _cancellation(inpatient=True),
    "2205": _withdrawal("chrg_bchno", inpatient=False),
    "2302": _withdrawal("feedetl_sn", inpatient=True),
    "2601": Layout(
        shape=Shape.MESSAGE_REVERSAL,
        inpatient=False,
        node="data",
        answer="",
        needed={(REQUEST, "data"): frozenset(("omsgid", "oinfno"))},
    ),
    "2203": _visit(),
    "2203A": _visit(),
    "4101": _settlement_list(),
    "4101A": _settlement_list(),
}
