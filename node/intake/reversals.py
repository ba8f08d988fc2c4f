"""Reversals (结算撤销): the amounts of the settlement they take back, made negative.

The amounts come from the response where it gives them; else from the
settlement with the same setl_id, which must be in the store or in the batch.
A settlement is taken back once, whatever is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook
from node.intake.group import Group, check_days, months_of
from node.intake.layouts import RESPONSE
from node.intake.nodes import CheckedNode
from node.intake.originals import Originals, Settlement
from node.intake.settlements import cash_of
from node.store import SettlementKey

__all__ = [
    "AMOUNTS",
    "PARTS",
    "build_reversals",
    "check_once",
    "check_reversals",
    "needed_originals",
    "taken_back_part",
]

AMOUNTS: Final = ("medfee_fen", "inscp_fen", "fund_fen", "account_fen", "cash_fen")
"""Columns of a settlement that its reversal has negative."""
PARTS: Final = ("pooled_fen", "own_fen")
"""Amounts that are null where nobody stated them; negative too."""
_PERSONS: Final = ("gender", "born", "certificate_type", "insured_place")
"""Columns that a reversal has of the settlement it takes back, where that is looked up."""
_FIELDS: Final = {
    "medfee_fen": "medfee_sumamt",
    "inscp_fen": "inscp_scp_amt",
    "fund_fen": "fund_pay_sumamt",
    "account_fen": "acct_pay",
}
_PART_FIELDS: Final = {"pooled_fen": "hifp_pay", "own_fen": "fulamt_ownpay_amt"}
_TOLD: Final = ("medfee_sumamt", "fund_pay_sumamt", "inscp_scp_amt")
"""A response that gives these tells what was taken back."""


def needed_originals(group: Group) -> list[SettlementKey]:
    """List the settlements whose amounts the responses do not give."""
    asked = zip(_asked(group), _told(group), strict=True)
    return sorted({key for key, is_told in asked if key.setl_id and not is_told})


def check_reversals(
    group: Group, book: FaultBook, held: Mapping[SettlementKey, Settlement], originals: Originals
) -> None:
    """Check the days of reversals, that the amounts of each are known, and that it is the first.

    Args:
        group: Messages of 2208, 2305 or 2103.
        book: Takes the faults.
        held: Settlements of ``needed_originals``.
        originals: Knows what was taken back already.
    """
    if not group.is_answered:
        return
    owners = range(len(group.messages))
    check_days("response.setlinfo.setl_time", _days(group), owners, group.bounds, book)
    asked = _asked(group)
    for owner, (key, is_told) in enumerate(zip(asked, _told(group), strict=True)):
        if not is_told and key not in held:
            expected = "a settlement this node has, or its amounts in the response"
            path = "request.data.setl_id"
            book.add(owner, Fault.of(Rule.REVERSAL_WITHOUT_ORIGINAL, path, key.setl_id, expected))
    check_once("request.data.setl_id", asked, originals, book)


def check_once(
    path: str, keys: Sequence[SettlementKey | None], originals: Originals, book: FaultBook
) -> None:
    """Check that no settlement is taken back twice; of several messages the first does it.

    Args:
        path: Field that names the settlement.
        keys: Settlement of each message; None where there is none.
        originals: Knows what was taken back before.
        book: Takes the faults; a message that has one already takes nothing back.
    """
    done = originals.taken_back(sorted({key for key in keys if key is not None}))
    for owner, key in enumerate(keys):
        if key is None or owner in book.faults:
            continue
        if key in done:
            expected = "a settlement that no reversal took back before"
            book.add(owner, Fault.of(Rule.ALREADY_REVERSED, path, key.setl_id, expected))
        done.add(key)


def build_reversals(
    group: Group, originals: Mapping[SettlementKey, Settlement], schema: pa.Schema
) -> Mapping[str, pa.Table]:
    """Build ``settlement`` records with sign -1 of 2208, 2305 and 2103."""
    request = group.request
    days = _days(group)
    told = np.array(_told(group), np.bool_)
    asked = _asked(group)
    held = [originals.get(key, {}) for key in asked]
    columns: dict[str, npt.NDArray[np.int64]] = {
        name: _column(group, field) for name, field in _FIELDS.items()
    }
    columns["cash_fen"] = _spread(group, cash_of)
    amounts = {}
    for name, answered in columns.items():
        original = np.array([row.get(name, 0) for row in held], np.int64)
        amounts[name] = -np.abs(np.where(told, answered, original))
    table = pa.table(
        {
            "record_id": [message.msgid for message in group.messages],
            "institution": [message.institution for message in group.messages],
            "month": months_of(days),
            "setl_id": [key.setl_id for key in asked],
            "mdtrt_id": request.texts["mdtrt_id"],
            "person": request.texts["psn_no"],
            "insutype": [str(row.get("insutype", "")) for row in held],
            "med_type": [str(row.get("med_type", "")) for row in held],
            "inpatient": np.full(request.size, group.layout.inpatient),
            "sign": np.full(request.size, -1, np.int8),
            "settled_at": days,
            **amounts,
            **{name: _part(group, name, told, held) for name in PARTS},
            "batch": pa.nulls(request.size, pa.string()),
            **{name: [row.get(name) for row in held] for name in _PERSONS},
        },
        schema=schema,
    )
    return {"settlement": table}


def _asked(group: Group) -> list[SettlementKey]:
    """Settlement of each message: the sender's own; without a setl_id where none is named."""
    return [
        SettlementKey(institution=message.institution, setl_id=setl_id or "")
        for message, setl_id in zip(group.messages, group.request.texts["setl_id"], strict=True)
    ]


def _answer(group: Group) -> CheckedNode | None:
    return group.nodes.get((RESPONSE, group.layout.answer))


def _told(group: Group) -> list[bool]:
    told = np.zeros(len(group.messages), np.bool_)
    answer = _answer(group)
    if answer is not None:
        present = np.ones(answer.size, np.bool_)
        for name in _TOLD:
            present &= answer.present[name]
        told[answer.owners] = present
    found: list[bool] = told.tolist()
    return found


def _column(group: Group, name: str) -> npt.NDArray[np.int64]:
    return _spread(group, lambda node: node.numbers[name])


def taken_back_part(value: int | None) -> int | None:
    """Make a part of a settlement negative; what nobody stated stays unknown.

    >>> taken_back_part(250), taken_back_part(None)
    (-250, None)
    """
    return None if value is None else -abs(value)


def _part(
    group: Group, name: str, told: npt.NDArray[np.bool_], held: Sequence[Settlement]
) -> list[int | None]:
    """Give a part of each reversal: the response's, else that of what is taken back."""
    field = _PART_FIELDS[name]
    values = _column(group, field)
    stated = _spread(group, lambda node: node.present[field].astype(np.int64)) != 0
    return [
        taken_back_part(int(value) if is_stated else row.get(name))
        for value, is_stated, row in zip(values, stated & told, held, strict=True)
    ]


def _spread(
    group: Group, take: Callable[[CheckedNode], npt.NDArray[np.int64]]
) -> npt.NDArray[np.int64]:
    """Lay a column of the responses out over the messages; 0 where there is none."""
    values = np.zeros(len(group.messages), np.int64)
    answer = _answer(group)
    if answer is not None:
        values[answer.owners] = take(answer)
    return values


def _days(group: Group) -> npt.NDArray[np.datetime64]:
    days = group.sent_at()
    answer = _answer(group)
    if answer is not None and "setl_time" in answer.moments:
        platform = answer.moments["setl_time"]
        filled = ~np.isnat(platform)
        days[answer.owners[filled]] = platform[filled]
    return days
