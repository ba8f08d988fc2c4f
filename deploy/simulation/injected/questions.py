"""Questions before and during the fact (3101 明细审核事前, 3102 事中) of injected encounters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.scene import Scene, first_doctor
from deploy.simulation.money import yuan

__all__ = ["Order", "Question", "ask", "verify"]

_FRESH_S = 300
_GOOD_E4 = 9_300
_RXNO = 20
"""Length of a prescription's number (处方号) in 3101 and 3102."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order (医嘱), or one line that is about to be charged."""

    code: str
    """National code (医疗目录编码)."""
    count: int = 1
    price_fen: int = 2_000
    second: int | None = None
    """When it was ordered; at the moment of the question where none is said."""
    own_fen: int = 0
    """Part that the person pays whole (全自费金额)."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further fields, as the interface names them."""

    @property
    def amount_fen(self) -> int:
        """Amount, fen."""
        return self.count * self.price_fen

    @property
    def scope_fen(self) -> int:
        """Part within the fund's scope (符合政策范围金额), fen."""
        return self.amount_fen - self.own_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one encounter."""

    infno: str
    scene: str
    """What triggers it (触发场景)."""
    second: int
    """Moment of the question."""
    orders: Sequence[Order] = ()
    med_type: str = "11"
    insurance: str | None = None
    """Kind of insurance; the person's own where none is said."""
    diagnoses: Sequence[str] = ("J06.900",)
    begins_s: int | None = None
    """Beginning of the visit; the moment of the question where none is said."""
    ends_s: int | None = None
    doctor: str | None = None
    planned: bool = False
    """Whether this stay was planned (31天内再住院计划)."""

    @property
    def fund_fen(self) -> int:
        """What the fund is to pay, fen: seven tenths of its scope."""
        return (sum(order.scope_fen for order in self.orders) * 7 + 5) // 10


def verify(scene: Scene, item: Institution, person: Person, second: int, **told: object) -> None:
    """Compare a person with the certificate (人证核验), five minutes before a moment.

    Args:
        scene: The stage.
        item: Where.
        person: Who.
        second: The moment.
        told: ``ago_s`` and columns of the event that are otherwise than usual.
    """
    ago = told.pop("ago_s", _FRESH_S)
    event = {"place": "window", "result": "match", "score_e4": _GOOD_E4, **told}
    at = scene.moment(second - int(str(ago)))
    scene.register("identity_event", item, person=person.number, at=at, **event)


def ask(scene: Scene, item: Institution, person: Person, one: Question) -> str:
    """Write a question.

    Args:
        scene: The stage.
        item: Who asks.
        person: About whom.
        one: The question.

    Returns:
        The visit's id (就诊ID).
    """
    desk = scene.desk(item)
    mdtrt_id = desk.next_id()
    begins = one.second if one.begins_s is None else one.begins_s
    doctor = None if item.is_pharmacy else one.doctor or first_doctor(item)
    encounter: dict[str, object] = {
        "mdtrt_id": mdtrt_id,
        "medins_id": item.code,
        "medins_name": item.name,
        "med_type": one.med_type,
        "insutype": one.insurance or person.insurance,
        "adm_date": scene.moment(begins),
        **({} if one.ends_s is None else {"dscg_date": scene.moment(one.ends_s)}),
        **({} if doctor is None else {"dr_codg": doctor}),
        "dscg_main_dise_codg": one.diagnoses[0],
        "days_rinp_flag_31": "1" if one.planned else "0",
        "medfee_sumamt": yuan(sum(order.amount_fen for order in one.orders)),
        "hifp_payamt": yuan(one.fund_fen),
        "fsi_diagnose_dtos": [
            {"dise_id": f"{place + 1}", "maindise_flag": "0" if place else "1", "dise_codg": code}
            for place, code in enumerate(one.diagnoses)
        ],
        "fsi_order_dtos": [
            _order(scene, order, f"{mdtrt_id}{place:02d}", one.second, doctor)
            for place, order in enumerate(one.orders)
        ],
    }
    patient = {
        "patn_id": person.number,
        "patn_name": person.name,
        "gend": person.sex,
        "brdy": person.born,
        "curr_mdtrt_id": mdtrt_id,
        "fsi_encounter_dtos": [encounter],
    }
    content = {
        "data": {
            "syscode": "HIS",
            "task_id": f"T{mdtrt_id}",
            "trig_scen": one.scene,
            "patient_dtos": [patient],
        }
    }
    request = desk.ask(one.infno, one.second, person, content)
    scene.requests.append((one.second, item.custodian, request))
    return mdtrt_id


def _order(
    scene: Scene, order: Order, number: str, second: int, doctor: str | None
) -> dict[str, object]:
    return {
        "rx_id": number,
        "rxno": number[-_RXNO:],
        "long_drord_flag": "0",
        "hilist_code": order.code,
        "hilist_name": f"仿真条目{order.code[-5:]}",
        "drord_begn_date": scene.moment(second if order.second is None else order.second),
        "cnt": order.count,
        "pric": yuan(order.price_fen),
        "sumamt": yuan(order.amount_fen),
        "ownpay_amt": yuan(order.own_fen),
        "selfpay_amt": 0,
        "curr_drord_flag": "1",
        **({} if doctor is None else {"drord_dr_codg": doctor}),
        **order.more,
    }
