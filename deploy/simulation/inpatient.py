"""Messages of an inpatient stay: 2401, several 2301, 2402, 2304, 3505A, 4101; 2404 and 2405."""

from dataclasses import dataclass
from typing import Final

from deploy.simulation.city import City, Person
from deploy.simulation.conduct import Conduct, Misconduct
from deploy.simulation.desk import Desk
from deploy.simulation.dispensary import Dispensary
from deploy.simulation.money import Bill, bill_request, settle, yuan
from deploy.simulation.price_list import BED_DAY, INPATIENT_ITEMS
from deploy.simulation.settlement_lists import Listed, settlement_list
from deploy.simulation.settlements import (
    Charge,
    count_settlement,
    line_answers,
    settlement_answer,
    totals,
)
from deploy.simulation.shelves import Sale
from deploy.simulation.visits import DAY_S, Stay

_INPATIENT: Final = "21"
_UPLOAD_EVERY_DAYS: Final = 4
_EXTRA_SHARE: Final = 0.12
"""The fund pays this much more of an inpatient's covered charges than of an outpatient's."""
_HOUR_S: Final = 3600
DIAGNOSES: Final = (
    ("I63.900", "脑梗死"),
    ("I10.x00", "高血压病"),
    ("E11.900", "2型糖尿病"),
    ("J18.900", "肺炎"),
    ("M51.200", "腰椎间盘突出"),
    ("K80.200", "胆囊结石"),
    ("N18.900", "慢性肾脏病"),
    ("I25.100", "冠状动脉粥样硬化性心脏病"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bed:
    """One stay at one desk, with the ids the platform gave it."""

    desk: Desk
    stay: Stay
    person: Person
    doctor: str
    mdtrt_id: str
    setl_id: str
    diagnosis: tuple[str, str]
    discharged_s: int

    def diagnoses(self, second: int) -> list[dict[str, object]]:
        """Write the list of diagnoses (诊断信息) at one moment."""
        return [
            {
                "psn_no": self.person.number,
                "diag_type": "1",
                "maindiag_flag": "1",
                "diag_srt_no": 1,
                "diag_code": self.diagnosis[0],
                "diag_name": self.diagnosis[1],
                "diag_dept": "内科",
                "dise_dor_no": self.doctor,
                "dise_dor_name": "仿真医师",
                "diag_time": self.desk.calendar.moment(second),
                "vali_flag": "1",
            }
        ]


def write_stay(city: City, dispensary: Dispensary, conduct: Conduct, stay: Stay) -> None:
    """Write the messages of one inpatient stay; its traced drugs are sold by message (3505A).

    Args:
        city: The city.
        dispensary: The institution's counter, with its shelves.
        conduct: How the institution behaves.
        stay: The stay.
    """
    desk = dispensary.desk
    discharged = stay.discharged_s
    bed = _Bed(
        desk=desk,
        stay=stay,
        person=city.persons[stay.person],
        doctor=desk.institution.doctors[stay.doctor],
        mdtrt_id=desk.next_id(),
        setl_id=desk.next_id(),
        diagnosis=DIAGNOSES[stay.person % len(DIAGNOSES)],
        discharged_s=discharged,
    )
    _note_misconduct(bed, conduct)
    if stay.mistaken:
        _admit(bed, mdtrt_id=desk.next_id(), cancelled=True)
    _admit(bed, mdtrt_id=bed.mdtrt_id)
    charges = _charges(bed)
    _upload(bed, charges)
    if stay.undone:
        _discharge(bed, sent=discharged + 60)
        _cancel(bed, "2405", discharged + 180, mdtrt_id=bed.mdtrt_id)
    _discharge(bed, sent=discharged + 300)
    total, covered, own = totals(charges)
    bill = settle(
        total=total,
        covered=covered,
        own=own,
        share=min(0.95, desk.institution.tier.fund_share + _EXTRA_SHARE + conduct.fund_shift),
        account_percent=0,
    )
    _settle(bed, bill)
    _hand_out(bed, dispensary, charges)
    if stay.lettered:
        _list(bed, bill, charges)
    desk.credit(bed.doctor, total)
    desk.tally.lists += stay.lettered
    desk.tally.discharges += 1


def _note_misconduct(bed: _Bed, conduct: Conduct) -> None:
    desk, mdtrt_id = bed.desk, bed.mdtrt_id
    if bed.stay.hanging:
        desk.note(Misconduct.BED_HANGING, mdtrt_id)
    if bed.stay.follows == "split":
        desk.note(Misconduct.SPLIT_ADMISSION, mdtrt_id)
    if bed.stay.follows == "readmission" and conduct.readmission_share > 0.2:
        desk.note(Misconduct.READMISSION_CYCLING, mdtrt_id)
    if not bed.stay.lettered and conduct.list_share < 0.5:
        desk.note(Misconduct.MISSING_LISTS, mdtrt_id)


def _cancel(bed: _Bed, infno: str, second: int, *, mdtrt_id: str) -> None:
    content = {"data": {"mdtrt_id": mdtrt_id, "psn_no": bed.person.number}}
    bed.desk.send(infno, second, bed.person, content, {})


def _admit(bed: _Bed, *, mdtrt_id: str, cancelled: bool = False) -> None:
    sent = bed.stay.admitted_s + (20 if cancelled else 60)
    begun = bed.desk.calendar.moment(bed.stay.admitted_s)
    content = {
        "mdtrtinfo": {
            "psn_no": bed.person.number,
            "insutype": bed.person.insurance,
            "begntime": begun,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": bed.person.identity,
            "med_type": _INPATIENT,
            "ipt_no": f"ZY{mdtrt_id[7:]}",
            "atddr_no": bed.doctor,
            "chfpdr_name": "仿真医师",
            "adm_diag_dscr": bed.diagnosis[1],
            "adm_dept_codg": "A03",
            "adm_dept_name": "内科",
            "adm_bed": str(bed.stay.person % 60 + 1),
            "dscg_maindiag_code": bed.diagnosis[0],
            "dscg_maindiag_name": bed.diagnosis[1],
        },
        "diseinfo": bed.diagnoses(bed.stay.admitted_s),
    }
    answer = {"result": {"mdtrt_id": mdtrt_id}}
    bed.desk.send("2401", sent, bed.person, content, answer)
    if cancelled:
        _cancel(bed, "2404", sent + 20, mdtrt_id=mdtrt_id)


def _charges(bed: _Bed) -> list[Charge]:
    """Charge the bed every day and spread the other lines over the stay."""
    first = bed.stay.admitted_s // DAY_S * DAY_S
    days = bed.stay.days
    beds = [
        Charge(item=BED_DAY, count=1, second=first + day * DAY_S + 18 * _HOUR_S)
        for day in range(days)
    ]
    lines = bed.stay.lines
    others = [
        Charge(
            item=INPATIENT_ITEMS[item],
            count=count,
            second=first + place * days // len(lines.items) * DAY_S + 18 * _HOUR_S + 60 + place,
        )
        for place, (item, count) in enumerate(zip(lines.items, lines.counts, strict=True))
    ]
    return sorted(beds + others, key=lambda charge: charge.second)


def _upload(bed: _Bed, charges: list[Charge]) -> None:
    """Upload the charges every few days, each batch in the evening of its last day."""
    calendar = bed.desk.calendar
    first = bed.stay.admitted_s // DAY_S
    batches: dict[int, list[int]] = {}
    for place, charge in enumerate(charges):
        batches.setdefault((charge.second // DAY_S - first) // _UPLOAD_EVERY_DAYS, []).append(place)
    for places in batches.values():
        chosen = [charges[place] for place in places]
        serials = [f"Z{bed.mdtrt_id[7:]}{place:03d}" for place in places]
        lines = [
            {
                "feedetl_sn": serial,
                "mdtrt_id": bed.mdtrt_id,
                "psn_no": bed.person.number,
                "med_type": _INPATIENT,
                "fee_ocur_time": calendar.moment(charge.second),
                "med_list_codg": charge.item.national_code,
                "medins_list_codg": charge.item.local_code,
                "det_item_fee_sumamt": yuan(charge.amount_fen),
                "cnt": charge.count,
                "pric": yuan(charge.item.price_fen),
                "bilg_dept_codg": "A03",
                "bilg_dept_name": "内科",
                "bilg_dr_codg": bed.doctor,
                "bilg_dr_name": "仿真医师",
            }
            for serial, charge in zip(serials, chosen, strict=True)
        ]
        sent = chosen[-1].second // DAY_S * DAY_S + 22 * _HOUR_S
        answer = {"result": line_answers(serials, chosen)}
        bed.desk.send("2301", sent, bed.person, {"feedetail": lines}, answer)
        bed.desk.tally.detail_lines += len(lines)


def _discharge(bed: _Bed, *, sent: int) -> None:
    content = {
        "dscginfo": {
            "mdtrt_id": bed.mdtrt_id,
            "psn_no": bed.person.number,
            "insutype": bed.person.insurance,
            "endtime": bed.desk.calendar.moment(bed.discharged_s),
            "dscg_dept_codg": "A03",
            "dscg_dept_name": "内科",
            "dscg_way": "1",
        },
        "diseinfo": bed.diagnoses(bed.discharged_s),
    }
    bed.desk.send("2402", sent, bed.person, content, {})


def _settle(bed: _Bed, bill: Bill) -> None:
    second = bed.discharged_s + _HOUR_S
    content = {
        "data": {
            "psn_no": bed.person.number,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": bed.person.identity,
            "psn_setlway": "01",
            "mdtrt_id": bed.mdtrt_id,
            "insutype": bed.person.insurance,
            "acct_used_flag": "0",
            "mid_setl_flag": "0",
            "dscgTime": bed.desk.calendar.moment(bed.discharged_s),
            **bill_request(bill),
        }
    }
    answer = settlement_answer(
        bed.desk, bed.person, bill, mdtrt_id=bed.mdtrt_id, setl_id=bed.setl_id,
        med_type=_INPATIENT, second=second, clearing="21",
    )  # fmt: skip
    bed.desk.send("2304", second, bed.person, content, answer, fails=bed.stay.fails)
    count_settlement(bed.desk, bill, answered=True)


def _hand_out(bed: _Bed, dispensary: Dispensary, charges: list[Charge]) -> None:
    """Hand out what was charged; the settlement of a stay has no place for trace codes."""
    second = bed.discharged_s + _HOUR_S + 60
    taken = [
        packs
        for charge in charges
        for packs in dispensary.hand_out(charge.item, charge.count, second)
    ]
    sale = Sale(person=bed.person, mdtrt_id=bed.mdtrt_id, setl_id=bed.setl_id)
    dispensary.sold(taken, sale, second)


def _list(bed: _Bed, bill: Bill, charges: list[Charge]) -> None:
    """Send the settlement list, the day after the discharge."""
    listed = Listed(
        mdtrt_id=bed.mdtrt_id,
        setl_id=bed.setl_id,
        admitted_s=bed.stay.admitted_s,
        discharged_s=bed.discharged_s,
        diagnoses=bed.diagnosis[:1],
        charges=tuple((one.item.category, one.item.coverage, one.amount_fen) for one in charges),
    )
    content = settlement_list(bed.desk, bed.person, bill, listed)
    answer = {"data": {"setl_list_id": f"L{bed.setl_id}"}}
    bed.desk.send("4101", bed.discharged_s + DAY_S, bed.person, content, answer)
