"""Messages of injected inpatient stays: 2401, 2301, 2402, 2304 and 4101."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import (
    Fee,
    answer_rows,
    bill_of,
    request_rows,
    serials_of,
)
from deploy.simulation.injected.scene import HOUR_S, Scene, diagnosis_rows, first_doctor
from deploy.simulation.money import Bill, bill_request
from deploy.simulation.settlement_lists import Listed, settlement_list
from deploy.simulation.settlements import count_settlement, settlement_answer

__all__ = ["Stay", "admit", "discharge", "stay"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What an injected inpatient stay (住院) says besides its lines."""

    admitted_s: int
    discharged_s: int
    med_type: str = "21"
    diagnoses: Sequence[str] = ("I63.900",)
    way: str = "1"
    """Way of discharge (离院方式)."""
    planned: bool = False
    """Whether another stay within 31 days is planned."""
    operations: Sequence[tuple[str, int]] = ()
    """Operations: ICD-9-CM-3 code and moment."""
    fund_fen: int | None = None
    doctor: str | None = None
    settled_s: int | None = None
    """Settlement; an hour after the discharge where none is said."""

    @property
    def settles_s(self) -> int:
        """Moment of the settlement."""
        return self.discharged_s + HOUR_S if self.settled_s is None else self.settled_s


def stay(
    scene: Scene, institution: Institution, person: Person, one: Stay, fees: Sequence[Fee]
) -> str:
    """Write an inpatient stay, its settlement and its settlement list.

    Args:
        scene: The stage.
        institution: Where.
        person: Who.
        one: The stay.
        fees: Its lines.

    Returns:
        The visit's id (就诊ID).
    """
    desk = scene.desk(institution)
    mdtrt_id = admit(scene, institution, person, one)
    bill, listed = discharge(scene, institution, person, one, fees, mdtrt_id=mdtrt_id)
    desk.tally.lists += 1
    content = settlement_list(desk, person, bill, listed)
    answer = {"data": {"setl_list_id": f"L{listed.setl_id}"}}
    desk.send("4101", one.settles_s + HOUR_S, person, content, answer)
    return mdtrt_id


def discharge(
    scene: Scene,
    institution: Institution,
    person: Person,
    one: Stay,
    fees: Sequence[Fee],
    *,
    mdtrt_id: str,
) -> tuple[Bill, Listed]:
    """Write what follows an admission: lines, discharge and settlement.

    Args:
        scene: The stage.
        institution: Where.
        person: Who.
        one: The stay.
        fees: Its lines.
        mdtrt_id: The visit's id (就诊ID).

    Returns:
        The bill, and what the settlement list says of the stay.
    """
    desk = scene.desk(institution)
    setl_id = desk.next_id()
    doctor = one.doctor or first_doctor(institution)
    ended = scene.moment(one.discharged_s)
    serials = serials_of(mdtrt_id, fees)
    for fee in fees:
        scene.charge(institution, fee.code, fee.price_fen)
    common = {
        "mdtrt_id": mdtrt_id,
        "psn_no": person.number,
        "med_type": one.med_type,
        "bilg_dept_codg": "A03",
        "bilg_dept_name": "内科",
        "bilg_dr_codg": doctor,
        "bilg_dr_name": "仿真医师",
    }
    lines = request_rows(scene.calendar, fees, serials, common)
    desk.tally.detail_lines += len(lines)
    desk.send(
        "2301", one.discharged_s - 600, person, {"feedetail": lines},
        {"result": answer_rows(fees, serials)},
    )  # fmt: skip
    left = {
        "dscginfo": {
            "mdtrt_id": mdtrt_id,
            "psn_no": person.number,
            "insutype": person.insurance,
            "endtime": ended,
            "dscg_dept_codg": "A03",
            "dscg_dept_name": "内科",
            "dscg_way": one.way,
        },
        "diseinfo": [
            {**row, "mdtrt_id": mdtrt_id}
            for row in diagnosis_rows(one.diagnoses, person, ended, doctor)
        ],
    }
    desk.send("2402", min(one.discharged_s + 300, one.settles_s), person, left, {})
    bill = bill_of(fees, fund_fen=one.fund_fen, account_percent=0)
    request = {
        "data": {
            "psn_no": person.number,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "psn_setlway": "01",
            "mdtrt_id": mdtrt_id,
            "insutype": person.insurance,
            "acct_used_flag": "0",
            "mid_setl_flag": "0",
            "dscgTime": ended,
            **bill_request(bill),
        }
    }
    settled = settlement_answer(
        desk, person, bill, mdtrt_id=mdtrt_id, setl_id=setl_id, med_type=one.med_type,
        second=one.settles_s, clearing="21",
    )  # fmt: skip
    desk.send("2304", one.settles_s, person, request, settled)
    count_settlement(desk, bill, answered=True)
    desk.tally.discharges += 1
    return bill, Listed(
        mdtrt_id=mdtrt_id,
        setl_id=setl_id,
        admitted_s=one.admitted_s,
        discharged_s=one.discharged_s,
        way=one.way,
        planned=one.planned,
        diagnoses=one.diagnoses,
        operations=one.operations,
        charges=tuple((fee.category, fee.level, fee.amount_fen) for fee in fees),
    )


def admit(scene: Scene, institution: Institution, person: Person, one: Stay) -> str:
    """Write an admission (入院办理, 2401) and nothing after it.

    Args:
        scene: The stage.
        institution: Where.
        person: Who.
        one: The stay; how it ends is not told.

    Returns:
        The visit's id (就诊ID).
    """
    desk = scene.desk(institution)
    mdtrt_id = desk.next_id()
    doctor = one.doctor or first_doctor(institution)
    begun = scene.moment(one.admitted_s)
    admitted = {
        "mdtrtinfo": {
            "psn_no": person.number,
            "insutype": person.insurance,
            "begntime": begun,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "med_type": one.med_type,
            "ipt_no": f"ZY{mdtrt_id[7:]}",
            "atddr_no": doctor,
            "chfpdr_name": "仿真医师",
            "adm_diag_dscr": "仿真诊断",
            "adm_dept_codg": "A03",
            "adm_dept_name": "内科",
            "adm_bed": "1",
            "dscg_maindiag_code": one.diagnoses[0],
            "dscg_maindiag_name": "仿真诊断",
        },
        "diseinfo": diagnosis_rows(one.diagnoses, person, begun, doctor),
    }
    desk.send("2401", one.admitted_s + 60, person, admitted, {"result": {"mdtrt_id": mdtrt_id}})
    return mdtrt_id
