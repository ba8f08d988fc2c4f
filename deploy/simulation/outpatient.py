"""Messages of outpatient visits (2201, 2204, 2207, 2208) and pharmacies' sales (2102, 2103)."""

from deploy.simulation.city import City, Person
from deploy.simulation.conduct import Conduct, Misconduct
from deploy.simulation.desk import Desk
from deploy.simulation.dispensary import Dispensary
from deploy.simulation.money import bill_request, settle, yuan
from deploy.simulation.price_list import DRUGS, OUTPATIENT_ITEMS
from deploy.simulation.settlements import (
    Charge,
    count_settlement,
    line_answers,
    reverse,
    settlement_answer,
    totals,
)
from deploy.simulation.shelves import Sale
from deploy.simulation.visits import Visit

_OUTPATIENT, _PHARMACY = "11", "41"
_MINUTE_S = 60
_HOUR_S = 3600


def write_visit(city: City, dispensary: Dispensary, conduct: Conduct, visit: Visit) -> None:
    """Write the messages of one outpatient visit.

    A line that is charged twice is handed out once.

    Args:
        city: The city.
        dispensary: The institution's counter, with its shelves.
        conduct: How the institution behaves.
        visit: The visit.
    """
    desk = dispensary.desk
    person = city.persons[visit.person]
    doctor = desk.institution.doctors[visit.doctor]
    mdtrt_id, setl_id = desk.next_id(), desk.next_id()
    _register(desk, visit, person, doctor, mdtrt_id)
    charges = _charges(visit)
    if visit.doubled:
        desk.note(Misconduct.DUPLICATE_CHARGE, mdtrt_id)
    _upload(desk, visit, person, doctor=doctor, mdtrt_id=mdtrt_id, charges=charges)
    total, covered, own = totals(charges)
    bill = settle(
        total=total,
        covered=covered,
        own=own,
        share=min(0.95, desk.institution.tier.fund_share + conduct.fund_shift),
        account_percent=100 if person.insurance == "310" else 0,
    )
    settled = visit.begin_s + 45 * _MINUTE_S
    handed_out = {
        _serial(mdtrt_id, place): dispensary.hand_out(charge.item, charge.count, settled)
        for place, charge in enumerate(charges[: len(visit.lines.items)])
    }
    content = {
        "data": {
            "psn_no": person.number,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "med_type": _OUTPATIENT,
            "psn_setlway": "01",
            "mdtrt_id": mdtrt_id,
            "chrg_bchno": f"B{mdtrt_id}",
            "insutype": person.insurance,
            "acct_used_flag": "1" if bill.account_fen else "0",
            **bill_request(bill),
        },
        **dispensary.settled(handed_out),
    }
    answer = settlement_answer(
        desk, person, bill, mdtrt_id=mdtrt_id, setl_id=setl_id, med_type=_OUTPATIENT,
        second=settled, clearing="11",
    )  # fmt: skip
    answered = None if visit.pending else answer
    desk.send("2207", settled, person, content, answered, fails=visit.fails)
    count_settlement(desk, bill, answered=not visit.pending)
    if not visit.pending and not visit.reversed:
        desk.credit(doctor, total)
    if visit.reversed:
        reverse(
            desk, person, bill, infno="2208", mdtrt_id=mdtrt_id, setl_id=setl_id,
            second=settled + _HOUR_S,
        )  # fmt: skip
        taken = [packs for line in handed_out.values() for packs in line]
        sale = Sale(person=person, mdtrt_id=mdtrt_id, setl_id=setl_id)
        dispensary.take_back(taken, sale, settled + _HOUR_S + _MINUTE_S)


def _serial(mdtrt_id: str, place: int) -> str:
    """Number a charged line (费用明细流水号)."""
    return f"F{mdtrt_id[7:]}{place:03d}"


def _register(desk: Desk, visit: Visit, person: Person, doctor: str, mdtrt_id: str) -> None:
    number = f"OP{mdtrt_id[7:]}"
    content = {
        "data": {
            "psn_no": person.number,
            "insutype": person.insurance,
            "begntime": desk.calendar.moment(visit.begin_s),
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "ipt_otp_no": number,
            "atddr_no": doctor,
            "dr_name": "仿真医师",
            "dept_code": "A03",
            "dept_name": "内科",
            "caty": "A03",
        }
    }
    answer = {"data": {"mdtrt_id": mdtrt_id, "psn_no": person.number, "ipt_otp_no": number}}
    desk.send("2201", visit.begin_s + 20, person, content, answer)


def _charges(visit: Visit) -> list[Charge]:
    second = visit.begin_s + 15 * _MINUTE_S
    charges = [
        Charge(item=OUTPATIENT_ITEMS[item], count=count, second=second + place)
        for place, (item, count) in enumerate(
            zip(visit.lines.items, visit.lines.counts, strict=True)
        )
    ]
    return [*charges, charges[0]] if visit.doubled else charges


def _upload(
    desk: Desk,
    visit: Visit,
    person: Person,
    *,
    doctor: str,
    mdtrt_id: str,
    charges: list[Charge],
) -> None:
    serials = [_serial(mdtrt_id, place) for place in range(len(charges))]
    lines = [
        {
            "feedetl_sn": serial,
            "mdtrt_id": mdtrt_id,
            "psn_no": person.number,
            "chrg_bchno": f"B{mdtrt_id}",
            "rx_circ_flag": "0",
            "fee_ocur_time": desk.calendar.moment(charge.second),
            "med_list_codg": charge.item.national_code,
            "medins_list_codg": charge.item.local_code,
            "det_item_fee_sumamt": yuan(charge.amount_fen),
            "cnt": charge.count,
            "pric": yuan(charge.item.price_fen),
            "bilg_dept_codg": "A03",
            "bilg_dept_name": "内科",
            "bilg_dr_codg": doctor,
            "bilg_dr_name": "仿真医师",
            "hosp_appr_flag": "0",
        }
        for serial, charge in zip(serials, charges, strict=True)
    ]
    desk.tally.detail_lines += len(lines)
    desk.send(
        "2204", visit.begin_s + 30 * _MINUTE_S, person, {"feedetail": lines},
        {"result": line_answers(serials, charges)},
    )  # fmt: skip


def write_sale(city: City, dispensary: Dispensary, visit: Visit) -> None:
    """Write the messages of one sale in a pharmacy (药店结算).

    Args:
        city: The city.
        dispensary: The pharmacy's counter, with its shelves.
        visit: The sale.
    """
    desk = dispensary.desk
    person = city.persons[visit.person]
    mdtrt_id, setl_id = desk.next_id(), desk.next_id()
    second = visit.begin_s
    charges = [
        Charge(item=DRUGS[item % len(DRUGS)], count=count, second=second)
        for item, count in zip(visit.lines.items, visit.lines.counts, strict=True)
    ]
    total, covered, own = totals(charges)
    # Pharmacies are in the outpatient pool (门诊统筹) since 2023; the account pays the rest.
    share = desk.institution.tier.fund_share
    bill = settle(total=total, covered=covered, own=own, share=share, account_percent=100)
    moment = desk.calendar.moment(second)
    content = {
        "druginfo": {
            "psn_no": person.number,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "begntime": moment,
            "medfee_sumamt": yuan(total),
            "insutype": person.insurance,
            "acct_used_flag": "1",
            "med_type": _PHARMACY,
        },
        "drugdetail": [
            {
                "feedetl_sn": f"P{mdtrt_id[7:]}{place:03d}",
                "rx_circ_flag": "0",
                "fee_ocur_time": moment,
                "med_list_codg": charge.item.national_code,
                "medins_list_codg": charge.item.local_code,
                "det_item_fee_sumamt": yuan(charge.amount_fen),
                "cnt": charge.count,
                "pric": yuan(charge.item.price_fen),
            }
            for place, charge in enumerate(charges)
        ],
    }
    answer = settlement_answer(
        desk, person, bill, mdtrt_id=mdtrt_id, setl_id=setl_id, med_type=_PHARMACY,
        second=second, clearing="41",
    )  # fmt: skip
    desk.tally.detail_lines += len(charges)
    desk.send("2102", second, person, content, answer, fails=visit.fails)
    count_settlement(desk, bill, answered=True)
    sale = Sale(person=person, mdtrt_id=mdtrt_id, setl_id=setl_id)
    taken = [
        packs
        for charge in charges
        for packs in dispensary.hand_out(charge.item, charge.count, second)
    ]
    dispensary.sold(taken, sale, second + _MINUTE_S)
    if visit.reversed:
        reverse(
            desk, person, bill, infno="2103", mdtrt_id=mdtrt_id, setl_id=setl_id,
            second=second + _HOUR_S,
        )  # fmt: skip
        dispensary.take_back(taken, sale, second + _HOUR_S + _MINUTE_S)
