"""Messages of injected outpatient visits (2201, 2203, 2204, 2207) and pharmacy sales (2102)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import (
    Fee,
    answer_rows,
    bill_of,
    request_rows,
    serials_of,
)
from deploy.simulation.injected.scene import (
    HOUR_S,
    Scene,
    diagnosis_rows,
    first_doctor,
    trace_rows,
)
from deploy.simulation.money import bill_request, yuan
from deploy.simulation.settlements import count_settlement, settlement_answer

__all__ = ["Visit", "sell", "visit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What an injected outpatient visit (门诊), or a sale, says besides its lines."""

    begins_s: int
    med_type: str = "11"
    diagnoses: Sequence[str] = ("J06.900",)
    settled_s: int | None = None
    """Settlement; forty-five minutes after the beginning where none is said."""
    fund_fen: int | None = None
    """What the fund pays; seven tenths of its scope where none is said."""
    doctor: str | None = None
    insurance: str | None = None
    """Kind of insurance it is settled with; the person's own where none is said."""
    traces: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """Trace codes by place of the line."""
    mdtrt_id: str = ""
    """The visit's id where it was given out before; else the desk's next one."""

    @property
    def settles_s(self) -> int:
        """Moment of the settlement."""
        return self.begins_s + HOUR_S * 3 // 4 if self.settled_s is None else self.settled_s


def visit(
    scene: Scene, institution: Institution, person: Person, one: Visit, fees: Sequence[Fee]
) -> str:
    """Write an outpatient visit.

    Args:
        scene: The stage.
        institution: Where.
        person: Who.
        one: The visit.
        fees: Its lines; those of a visit are uploaded and settled together.

    Returns:
        The visit's id (就诊ID).
    """
    desk = scene.desk(institution)
    mdtrt_id, setl_id = one.mdtrt_id or desk.next_id(), desk.next_id()
    doctor = one.doctor or first_doctor(institution)
    begun = scene.moment(one.begins_s)
    number = f"OP{mdtrt_id[7:]}"
    insurance = one.insurance or person.insurance
    content: dict[str, object] = {
        "psn_no": person.number,
        "insutype": insurance,
        "begntime": begun,
        "mdtrt_cert_type": "02",
        "mdtrt_cert_no": person.identity,
        "ipt_otp_no": number,
        "atddr_no": doctor,
        "dr_name": "仿真医师",
        "dept_code": "A03",
        "dept_name": "内科",
        "caty": "A03",
    }
    answer = {"data": {"mdtrt_id": mdtrt_id, "psn_no": person.number, "ipt_otp_no": number}}
    desk.send("2201", one.begins_s + 20, person, {"data": content}, answer)
    told = {
        "mdtrtinfo": {
            "mdtrt_id": mdtrt_id,
            "psn_no": person.number,
            "med_type": one.med_type,
            "begntime": begun,
        },
        "diseinfo": diagnosis_rows(one.diagnoses, person, begun, doctor),
    }
    desk.send("2203", one.begins_s + 60, person, told, {})
    serials = serials_of(mdtrt_id, fees)
    for fee in fees:
        scene.charge(institution, fee.code, fee.price_fen)
    common = {
        "mdtrt_id": mdtrt_id,
        "psn_no": person.number,
        "chrg_bchno": f"B{mdtrt_id}",
        "rx_circ_flag": "0",
        "bilg_dept_codg": "A03",
        "bilg_dept_name": "内科",
        "bilg_dr_codg": doctor,
        "bilg_dr_name": "仿真医师",
        "hosp_appr_flag": "0",
    }
    lines = request_rows(scene.calendar, fees, serials, common)
    uploaded = one.settles_s - 600
    desk.tally.detail_lines += len(lines)
    desk.send(
        "2204", uploaded, person, {"feedetail": lines}, {"result": answer_rows(fees, serials)}
    )
    bill = bill_of(fees, fund_fen=one.fund_fen, account_percent=0)
    request = {
        "data": {
            "psn_no": person.number,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "med_type": one.med_type,
            "psn_setlway": "01",
            "mdtrt_id": mdtrt_id,
            "chrg_bchno": f"B{mdtrt_id}",
            "insutype": insurance,
            "acct_used_flag": "0",
            **bill_request(bill),
        }
    }
    if one.traces:
        coded = {serials[place]: codes for place, codes in one.traces.items()}
        request["drug_trac_info"] = trace_rows(coded)  # type: ignore[assignment]
    settled = settlement_answer(
        desk, person, bill, mdtrt_id=mdtrt_id, setl_id=setl_id, med_type=one.med_type,
        second=one.settles_s, clearing="11",
    )  # fmt: skip
    settled["setlinfo"]["insutype"] = insurance  # type: ignore[index]
    desk.send("2207", one.settles_s, person, request, settled)
    count_settlement(desk, bill, answered=True)
    return mdtrt_id


def sell(
    scene: Scene, pharmacy: Institution, person: Person, one: Visit, fees: Sequence[Fee]
) -> str:
    """Write a sale in a pharmacy (药店结算).

    Args:
        scene: The stage.
        pharmacy: Where.
        person: Who.
        one: The sale; it is settled when it begins, and told with its trace codes (3505A) where
            there are some.
        fees: Its lines.

    Returns:
        The visit's id (就诊ID).
    """
    desk = scene.desk(pharmacy)
    mdtrt_id, setl_id = desk.next_id(), desk.next_id()
    serials = serials_of(mdtrt_id, fees)
    for fee in fees:
        scene.charge(pharmacy, fee.code, fee.price_fen)
    bill = bill_of(fees, fund_fen=one.fund_fen, account_percent=100)
    insurance = one.insurance or person.insurance
    content: dict[str, object] = {
        "druginfo": {
            "psn_no": person.number,
            "mdtrt_cert_type": "02",
            "mdtrt_cert_no": person.identity,
            "begntime": scene.moment(one.begins_s),
            "medfee_sumamt": yuan(bill.total_fen),
            "insutype": insurance,
            "acct_used_flag": "1",
            "med_type": "41",
        },
        "drugdetail": request_rows(scene.calendar, fees, serials, {"rx_circ_flag": "0"}),
    }
    answer = settlement_answer(
        desk, person, bill, mdtrt_id=mdtrt_id, setl_id=setl_id, med_type="41",
        second=one.begins_s, clearing="41",
    )  # fmt: skip
    answer["detlcutinfo"] = answer_rows(fees, serials)
    desk.tally.detail_lines += len(fees)
    desk.send("2102", one.begins_s, person, content, answer)
    count_settlement(desk, bill, answered=True)
    sold = [
        {
            "med_list_codg": fees[place].code,
            "fixmedins_hilist_id": f"YN{fees[place].code[:16]}",
            "fixmedins_hilist_name": "仿真货品",
            "fixmedins_bchno": f"B{mdtrt_id}{place}",
            "rx_flag": "0",
            "manu_lotnum": f"L{mdtrt_id}",
            "manu_date": "2025-06-01",
            "setl_id": setl_id,
            "mdtrt_sn": mdtrt_id,
            "psn_no": person.number,
            "psn_cert_type": "01",
            "certno": person.identity,
            "trdn_flag": "0",
            "finl_trns_pric": yuan(fees[place].price_fen),
            "sel_retn_cnt": len(codes),
            "sel_retn_time": scene.moment(one.begins_s),
            "sel_retn_opter_name": "收费员",
            "drugtracinfo": [{"drug_trac_codg": code} for code in codes],
        }
        for place, codes in one.traces.items()
    ]
    if sold:
        told = {"result": {"retRslt": "1"}}
        desk.send("3505A", one.begins_s + 60, person, {"selinfoDetail": sold}, told)
    return mdtrt_id
