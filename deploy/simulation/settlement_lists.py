"""Settlement lists (医疗保障基金结算清单, 4101): what a stay was and what it cost, by category."""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.simulation.city import Person
from deploy.simulation.desk import Desk
from deploy.simulation.money import Bill, yuan
from deploy.simulation.places import CITY_DIVISION
from deploy.simulation.settlements import FUND_TYPE
from deploy.simulation.visits import DAY_S

__all__ = ["Listed", "settlement_list"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a list says of a stay besides its bill."""

    mdtrt_id: str
    setl_id: str
    admitted_s: int
    discharged_s: int
    diagnoses: Sequence[str]
    """ICD-10 codes, the main one first."""
    charges: Sequence[tuple[str, str, int]]
    """Charge category, coverage class and amount (fen) of every line."""
    way: str = "1"
    """Way of discharge (离院方式)."""
    planned: bool = False
    """Whether another stay within 31 days is planned."""
    operations: Sequence[tuple[str, int]] = ()
    """ICD-9-CM-3 code and moment of every operation."""


def settlement_list(desk: Desk, person: Person, bill: Bill, listed: Listed) -> dict[str, object]:
    """Write the request of a settlement list.

    Args:
        desk: The institution's counter.
        person: Who stayed.
        bill: The bill.
        listed: The stay.
    """
    institution, calendar = desk.institution, desk.calendar
    categories: dict[str, list[tuple[str, int]]] = {}
    for category, coverage, amount_fen in listed.charges:
        categories.setdefault(category, []).append((coverage, amount_fen))
    content: dict[str, object] = {
        "setlinfo": {
            "mdtrt_id": listed.mdtrt_id,
            "setl_id": listed.setl_id,
            "fixmedins_name": institution.name,
            "fixmedins_code": institution.code,
            "medcasno": f"BA{listed.mdtrt_id[7:]}",
            "psn_name": person.name,
            "gend": person.sex,
            "brdy": person.born,
            "ntly": "CHN",
            "naty": "01",
            "patn_cert_type": "01",
            "certno": person.identity,
            "prfs": "90",
            "coner_name": "仿真联系人",
            "patn_rlts": "1",
            "coner_addr": "仿真地址",
            "coner_tel": "00000000000",
            "hi_type": person.insurance,
            "insuplc": person.division,
            "ipt_med_type": "1",
            "adm_time": calendar.moment(listed.admitted_s),
            "adm_caty": "A03",
            "dscg_time": calendar.moment(listed.discharged_s),
            "dscg_caty": "A03",
            "act_ipt_days": max(1, listed.discharged_s // DAY_S - listed.admitted_s // DAY_S),
            "maindiag_flag": "1",
            "dscg_way": listed.way,
            **({"days_rinp_flag_31": "2", "days_rinp_pup_31": "取石"} if listed.planned else {}),
            "bill_code": f"{CITY_DIVISION}26",
            "bill_no": listed.mdtrt_id[10:],
            "biz_sn": listed.setl_id,
            "setl_begn_date": calendar.day(listed.admitted_s),
            "setl_end_date": calendar.day(listed.discharged_s),
            "psn_selfpay": yuan(bill.account_fen + bill.cash_fen - bill.own_fen),
            "psn_ownpay": yuan(bill.own_fen),
            "acct_pay": yuan(bill.account_fen),
            "psn_cashpay": yuan(bill.cash_fen),
            "hi_paymtd": "4",
            "hsorg": "温州市仿真医保中心",
            "hsorg_opter": "经办员",
            "medins_fill_dept": "医保办",
            "medins_fill_psn": "填报员",
        },
        "payinfo": [
            {"fund_pay_type": FUND_TYPE[person.insurance], "fund_payamt": yuan(bill.fund_fen)}
        ],
        "diseinfo": [
            {
                "diag_type": "1",
                "diag_code": code,
                "diag_name": "仿真诊断",
                "maindiag_flag": "1" if place == 0 else "0",
            }
            for place, code in enumerate(listed.diagnoses)
        ],
        "iteminfo": [_category(name, lines) for name, lines in sorted(categories.items())],
    }
    if listed.operations:
        content["oprninfo"] = [
            {
                "oprn_oprt_type": "1" if place == 0 else "2",
                "oprn_oprt_name": "仿真手术",
                "oprn_oprt_code": code,
                "oprn_oprt_date": calendar.day(second),
                "anst_way": "01",
                "oper_dr_name": "仿真医师",
                "oper_dr_code": institution.doctors[0],
            }
            for place, (code, second) in enumerate(listed.operations)
        ]
    return content


def _category(name: str, lines: Sequence[tuple[str, int]]) -> dict[str, object]:
    """Add one category of charges up (收费项目合计)."""
    sums = {"01": 0, "02": 0, "03": 0}
    for coverage, amount_fen in lines:
        sums[coverage] += amount_fen
    return {
        "med_chrgitm": name,
        "amt": yuan(sum(sums.values())),
        "claa_sumfee": yuan(sums["01"]),
        "clab_amt": yuan(sums["02"]),
        "fulamt_ownpay_amt": yuan(sums["03"]),
        "oth_amt": 0,
    }
