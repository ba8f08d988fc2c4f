"""Settlements, their reversal, and the charged lines that all sorts of claims share."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.simulation.city import Person
from deploy.simulation.desk import Desk
from deploy.simulation.money import Bill, bill_answer, covered_fen, yuan
from deploy.simulation.price_list import ChargeItem

FUND_TYPE = {"310": "310100", "390": "390100"}
"""Fund (基金支付类型) that pays for each kind of insurance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charged line."""

    item: ChargeItem
    count: int
    second: int
    """Moment of the charge."""

    @property
    def amount_fen(self) -> int:
        """Amount of the line."""
        return self.item.price_fen * self.count


def totals(charges: Sequence[Charge]) -> tuple[int, int, int]:
    """Add charges up.

    Args:
        charges: Lines of one claim.

    Returns:
        Total, covered part and wholly own part, fen.
    """
    total = sum(charge.amount_fen for charge in charges)
    covered = sum(covered_fen(charge.item, charge.amount_fen) for charge in charges)
    own = sum(charge.amount_fen for charge in charges if charge.item.coverage == "03")
    return total, covered, own


def line_answers(serials: Sequence[str], charges: Sequence[Charge]) -> list[dict[str, object]]:
    """Write the platform's answer to uploaded lines.

    Args:
        serials: Line numbers (费用明细流水号).
        charges: The lines.

    Returns:
        One object a line.
    """
    return [
        {
            "feedetl_sn": serial,
            "det_item_fee_sumamt": yuan(charge.amount_fen),
            "cnt": charge.count,
            "pric": yuan(charge.item.price_fen),
            "pric_uplmt_amt": 999_999,
            "inscp_scp_amt": yuan(covered_fen(charge.item, charge.amount_fen)),
            "chrgitm_lv": charge.item.coverage,
            "med_chrgitm_type": charge.item.category,
            "lmt_used_flag": "0",
        }
        for serial, charge in zip(serials, charges, strict=True)
    ]


def settlement_answer(
    desk: Desk,
    person: Person,
    bill: Bill,
    *,
    mdtrt_id: str,
    setl_id: str,
    med_type: str,
    second: int,
    clearing: str,
) -> dict[str, object]:
    """Write the platform's answer to a settlement.

    Args:
        desk: Where it was made.
        person: Whose bill.
        bill: The bill.
        mdtrt_id: Visit id.
        setl_id: Settlement id.
        med_type: Category of care (医疗类别).
        second: Moment of the settlement.
        clearing: Category of clearing (清算类别).

    Returns:
        The ``output`` object.
    """
    return {
        "setlinfo": {
            "mdtrt_id": mdtrt_id,
            "setl_id": setl_id,
            "psn_no": person.number,
            "psn_name": person.name,
            "psn_cert_type": "01",
            "certno": person.identity,
            "gend": person.sex,
            "naty": "01",
            "brdy": person.born,
            "insutype": person.insurance,
            "psn_type": person.person_type,
            "cvlserv_flag": "0",
            "setl_time": desk.calendar.moment(second),
            "mdtrt_cert_type": "02",
            "med_type": med_type,
            **bill_answer(bill),
            "clr_optins": desk.institution.division,
            "clr_way": "01",
            "clr_type": clearing,
        },
        "setldetail": [
            {
                "fund_pay_type": FUND_TYPE[person.insurance],
                "inscp_scp_amt": yuan(bill.covered_fen),
                "crt_payb_lmt_amt": yuan(bill.covered_fen),
                "fund_payamt": yuan(bill.fund_fen),
            }
        ],
    }


def count_settlement(desk: Desk, bill: Bill, *, answered: bool) -> None:
    """Add a settlement to the tally, where its answer came.

    Args:
        desk: Where it was made.
        bill: The bill.
        answered: Whether the platform's answer was received.
    """
    if answered:
        desk.tally.settlements += 1
        desk.tally.medfee_fen += bill.total_fen
        desk.tally.fund_fen += bill.fund_fen


def reverse(
    desk: Desk,
    person: Person,
    bill: Bill,
    *,
    infno: str,
    mdtrt_id: str,
    setl_id: str,
    second: int,
) -> None:
    """Reverse a settlement (结算撤销).

    Args:
        desk: Where it was made.
        person: Whose bill.
        bill: The reversed bill.
        infno: Transaction: 2208 for outpatients, 2305 for inpatients.
        mdtrt_id: Visit id.
        setl_id: Id of the reversed settlement.
        second: Moment of the reversal.
    """
    answer = {
        "setlinfo": {
            "mdtrt_id": mdtrt_id,
            "setl_id": desk.next_id(),
            "clr_optins": desk.institution.division,
            "setl_time": desk.calendar.moment(second),
            **bill_answer(bill, sign=-1),
            # The interface spells this field so in the answer to 2208, and only there.
            **({"pdn_cash_pay": yuan(-bill.cash_fen)} if infno == "2208" else {}),
        }
    }
    content = {"data": {"setl_id": setl_id, "mdtrt_id": mdtrt_id, "psn_no": person.number}}
    desk.send(infno, second, person, content, answer)
    desk.tally.reversals += 1
    desk.tally.settlements -= 1
    desk.tally.medfee_fen -= bill.total_fen
    desk.tally.fund_fen -= bill.fund_fen
