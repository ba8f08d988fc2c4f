"""Which fee lines stand, and with what: the relation ``line`` against a clerk who replays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.domain.records import record_schemas
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.rules import load_rules
from scoring_kernel.rules.relations import order
from tests.support.rule_clerk import (
    AT,
    Bill,
    Cancelled,
    Clerk,
    LineRow,
    Message,
    Reversal,
    Upload,
    Withdrawal,
)
from tests.support.rule_engine import ENGINE

if TYPE_CHECKING:
    from collections.abc import Sequence

HOSPITAL: Final = "H33030200001"
PERSON: Final = "33030200000000000000000001"
LINES: Final = ("L1", "L2", "L3")
BATCHES: Final = (None, "B1", "B2")
BOOK: Final = load_rules()
MADE: Final = order(BOOK.relations, ("line",), {})
KINDS: Final = sorted({kind for name in MADE for kind in BOOK.relations[name].reads} - {*MADE})
SCHEMAS: Final = record_schemas(load_catalog().records)


hours = st.sampled_from((0, 0, 1, 9, 30, 31))
doctors = st.sampled_from((None, None, "D1", "D2"))
uploads = st.builds(
    Upload,
    line=st.sampled_from(LINES),
    item=st.sampled_from("XXY"),
    doctor=doctors,
    hour=hours,
    amount=st.integers(0, 50),
    quantity=st.integers(1, 5),
    inscp=st.none() | st.integers(0, 50),
    batch=st.sampled_from(BATCHES),
    mapped=st.sampled_from((False, False, False, True)),
)
refunds = st.builds(
    Upload,
    line=st.sampled_from(("R1", "R2", "R3")),
    amount=st.integers(-50, -1),
    quantity=st.integers(-5, 0),
    inscp=st.none() | st.integers(-50, 0),
    batch=st.sampled_from(BATCHES),
    refund_of=st.sampled_from((*LINES, "L9", None, None, None, None)),
    item=st.sampled_from("XXY"),
    doctor=doctors,
    hour=hours,
)
withdrawals = st.builds(
    Withdrawal, line=st.none() | st.sampled_from(LINES), batch=st.sampled_from(BATCHES)
)
bills = st.builds(Bill, amount=st.integers(0, 90), batch=st.sampled_from(BATCHES))
reversals = st.builds(Reversal, bill=st.integers(0, 2))
cancellations = st.sampled_from([Cancelled(), Reversal(bill=0), Withdrawal()])
messages = st.builds(
    lambda sent, paid: [*sent, *paid],
    st.lists(
        st.one_of(uploads, uploads, refunds, withdrawals, bills, reversals, cancellations),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([[Bill(amount=90)], [Bill(amount=90)], [Bill(amount=90)], []]),
)


def sent_id(visit: int, number: int, message: Message) -> str:
    """Record id: the message's, thirty characters, and the line; or one of a mapping."""
    line = message.line if isinstance(message, Upload) else ""
    if isinstance(message, Upload) and message.mapped:
        return f"0-file-{visit}-{number:02d}"
    return f"{HOSPITAL}20260302{visit:03d}{number:03d}0001{line}"


def records_of(visits: Sequence[Sequence[Message]]) -> dict[str, list[dict[str, Any]]]:
    """Records that a node holds of the messages: it keeps one version of a line, except where a
    withdrawal freed the line's key."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for visit, sent in enumerate(visits):
        versions: dict[str, dict[str, Any]] = {}
        freed = any(isinstance(message, Withdrawal) for message in sent)
        billed: list[dict[str, Any]] = []
        undone: set[int] = set()
        for number, message in enumerate(sent):
            row: dict[str, Any] = {
                "record_id": sent_id(visit, number, message),
                "institution": HOSPITAL,
                "month": 202603,
                "mdtrt_id": f"V{visit}",
                "person": PERSON,
            }
            if isinstance(message, Upload):
                row |= {
                    "line": message.line,
                    "occurred_at": message.at,
                    "item_code": message.item,
                    "doctor": message.doctor,
                    "local_code": "",
                    "amount_fen": message.amount,
                    "quantity_e4": message.quantity,
                    "price_e6": 0,
                    "inscp_fen": message.inscp,
                    "batch": message.batch,
                    "refund_of": message.refund_of,
                }
                key = row["record_id"] if freed or message.mapped else message.line
                versions[key] = row
            elif isinstance(message, Bill):
                row |= {
                    "setl_id": f"S{visit}-{len(billed)}",
                    "insutype": "310",
                    "med_type": "11",
                    "inpatient": False,
                    "sign": 1,
                    "settled_at": AT,
                    "batch": message.batch,
                    **dict.fromkeys(("inscp_fen", "fund_fen", "account_fen", "cash_fen"), 0),
                    "medfee_fen": message.amount,
                }
                billed.append(row)
                found["settlement"].append(row)
            elif isinstance(message, Reversal):
                if message.bill < len(billed) and message.bill not in undone:
                    undone.add(message.bill)
                    paid = billed[message.bill]
                    back = {"sign": -1, "medfee_fen": -paid["medfee_fen"]}
                    found["settlement"].append(paid | row | back)
            else:
                what = "admission" if isinstance(message, Cancelled) else "fee_detail"
                row |= {"what": what, "cancelled_at": AT}
                if isinstance(message, Withdrawal):
                    row |= {"line": message.line, "batch": message.batch}
                found["cancellation"].append(row)
        found["fee_detail"] += versions.values()
    return found


def lines_found(records: dict[str, list[dict[str, Any]]]) -> dict[str, list[LineRow]]:
    """Lines by visit, as the relation gives them."""
    engine = duckdb.connect(config=dict(ENGINE))
    try:
        for kind in KINDS:
            engine.register(kind, pa.Table.from_pylist(records[kind], SCHEMAS[kind]))
        for name in MADE:
            engine.execute(BOOK.relations[name].statement)
        rows = engine.execute(
            "select mdtrt_id, record_id, line, amount_fen, quantity_e4, inscp_fen, refunded"
            " from line order by all"
        ).fetchall()
    finally:
        engine.close()
    found: dict[str, list[LineRow]] = {}
    for visit, *row in rows:
        found.setdefault(visit, []).append((row[0], row[1], row[2], row[3], row[4], row[5]))
    return found


def expected(visits: Sequence[Sequence[Message]]) -> dict[str, list[LineRow]]:
    found: dict[str, list[LineRow]] = {}
    for visit, sent in enumerate(visits):
        clerk = Clerk()
        for number, message in enumerate(sent):
            clerk.read(sent_id(visit, number, message), message)
        if rows := clerk.stands():
            found[f"V{visit}"] = rows
    return found


BOUGHT = Upload(line="L1", amount=30, quantity=2, inscp=20, batch="B1")
OTHER = Upload(line="L2", amount=12, quantity=1, inscp=None)
AGAIN = Upload(line="L1", amount=12, quantity=1, inscp=None)
FROM_FILE = Upload(line="L3", amount=12, quantity=1, inscp=None, mapped=True)
SAME_LINE = Upload(line="L3", amount=5, quantity=1, inscp=None)
BACK = Upload(line="R1", amount=-15, quantity=-1, inscp=-10, refund_of="L1")
BACK_UNSTATED = Upload(line="R1", amount=-15, quantity=-1, inscp=None, refund_of="L1")
BACK_TOO_MUCH = Upload(line="R1", amount=-15, quantity=-2, inscp=-25, refund_of="L1")
ALL_BACK = Upload(line="R1", amount=-30, quantity=-2, inscp=-20, refund_of="L1")
NAMELESS = Upload(line="R2", amount=-7, quantity=-1, inscp=-7)
HERS = Upload(line="L2", amount=30, quantity=3, inscp=20, doctor="D2", hour=1)
BACK_TO_HER = Upload(line="R1", amount=-20, quantity=-2, inscp=None, doctor="D2", hour=30)
BACK_AGAIN = Upload(line="R2", amount=-45, quantity=-4, inscp=-30, doctor="D1", hour=31)
BEFORE = Upload(line="L3", amount=9, quantity=1, inscp=None, hour=31)
B1_PAID = Bill(amount=40, batch="B1")
LOST = Upload(line="R2", amount=-7, quantity=-1, inscp=-7, refund_of="L9")
PAID = Bill(amount=90)


@settings(max_examples=40)
@given(visits=st.lists(messages, min_size=1, max_size=16))
@example(visits=[[BOUGHT, HERS, BACK_TO_HER, PAID], [BOUGHT, HERS, BACK_AGAIN, BACK_TO_HER, PAID]])
@example(visits=[[BOUGHT, BACK_AGAIN, PAID], [BACK_TO_HER, BEFORE, PAID], [NAMELESS, OTHER, PAID]])
@example(visits=[[BOUGHT, OTHER, B1_PAID, Reversal(bill=0), PAID]])
@example(visits=[[BOUGHT, B1_PAID, Reversal(bill=0), Bill(amount=9, batch="B2")]])
@example(visits=[[BOUGHT, B1_PAID, Reversal(bill=0), Bill(amount=9, batch="B2"), B1_PAID]])
@example(visits=[[BOUGHT, BACK, PAID], [BOUGHT, ALL_BACK, PAID], [BOUGHT, NAMELESS, LOST, PAID]])
@example(visits=[[BOUGHT, BACK_UNSTATED, PAID], [BOUGHT, BACK_TOO_MUCH, PAID]])
@example(visits=[[BOUGHT, Bill(amount=0)], [BOUGHT, PAID, Cancelled()], [BOUGHT]])
@example(visits=[[BOUGHT, Withdrawal(), OTHER, PAID], [BOUGHT, PAID, Withdrawal(), OTHER]])
@example(visits=[[BOUGHT, PAID, Reversal(bill=0), Withdrawal(), OTHER, PAID]])
@example(visits=[[BOUGHT, PAID, Withdrawal(), Reversal(bill=0), OTHER, PAID]])
@example(visits=[[BOUGHT, Bill(amount=9, batch="B2"), Withdrawal(), OTHER, PAID]])
@example(visits=[[FROM_FILE, BOUGHT, Withdrawal(), PAID], [BOUGHT, Withdrawal(), AGAIN, PAID]])
@example(visits=[[FROM_FILE, SAME_LINE, Withdrawal(line="L1"), PAID]])
@example(visits=[[BOUGHT, OTHER, Withdrawal(line="L2"), PAID], [BOUGHT, OTHER, AGAIN, PAID]])
@example(visits=[[BOUGHT, OTHER, Withdrawal(batch="B1"), PAID], [BOUGHT, Withdrawal(), BACK, PAID]])
@example(
    visits=[[BOUGHT, BACK, Withdrawal(), AGAIN, PAID], [BOUGHT, BACK, Withdrawal(line="R1"), PAID]]
)
def test_lines_are_what_a_clerk_would_keep(visits: list[list[Message]]) -> None:
    assert lines_found(records_of(visits)) == expected(visits)


@settings(max_examples=15)
@given(visits=st.lists(messages, min_size=1, max_size=16))
def test_no_line_is_there_twice_and_none_is_invented(visits: list[list[Message]]) -> None:
    records = records_of(visits)
    found = [row for rows in lines_found(records).values() for row in rows]
    ids = [row[0] for row in found]
    assert len({*ids}) == len(ids)
    sent = {row["record_id"]: row for row in records["fee_detail"]}
    for record_id, _, amount, _, _, refunded in found:
        stated = sent[record_id]["amount_fen"]
        assert refunded or amount == stated
        assert min(stated, 0) <= amount <= max(stated, 0)


@settings(max_examples=15)
@given(
    sent=st.lists(
        st.one_of(uploads, refunds), min_size=1, max_size=9, unique_by=lambda one: one.line
    )
)
def test_refunds_without_a_name_change_no_sum(sent: list[Upload]) -> None:
    nameless = [replace(one, refund_of=None, batch=None) for one in sent]
    found = lines_found(records_of([[*nameless, PAID]]))
    assert sum(row[2] for rows in found.values() for row in rows) == sum(
        one.amount for one in nameless
    )
