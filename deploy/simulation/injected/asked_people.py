"""Questions about who may and who is here: insurance, agreement, staff, identity, stays.

Warnings W01 to W07. Every question would be answered with nothing but for the one thing it is
about; what nodes must know for it was told with the messages and registers before it.
"""

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.bedsides import lie
from deploy.simulation.injected.questions import Order, Question, ask, verify
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.stays import Stay, admit
from deploy.simulation.visits import DAY_S

__all__ = ["ask_about_people"]

_WINDOW, _PRESCRIBED, _ADMISSION, _INPATIENT = "1", "2", "3", "5"
"""Scenes of 3101: 门诊挂号, 门诊处方, 住院登记, 住院医嘱."""
_BILL, _PURCHASE = "7", "10"
"""Scenes of 3102: 门诊预结算, 购药."""
_MINUTE_S = 60
_EMERGENCY = "13"
_STAY = "21"


def ask_about_people(scene: Scene) -> None:
    """Write the cases of W01 to W07."""
    for place, item in enumerate(scene.hospitals()[:3]):
        _insurance(scene, item, place)
        _agreement(scene, scene.hospitals(inpatient=False)[-1 - place], place)
        _staff(scene, item, place)
        _identity(scene, item, place)
        _in_bed(scene, item, place)
        _second_bed(scene, item, place)
        _again(scene, item, place)


def _tell(
    scene: Scene, rule: str, note: str, item: Institution, mdtrt_id: str, *, is_case: bool
) -> None:
    if is_case:
        scene.case(rule, note, item, mdtrt_id)
    else:
        scene.near_miss(rule, note, item, mdtrt_id)


def _register(scene: Scene, item: Institution, person: Person, second: int) -> str:
    """Ask at the window, of somebody whose identity was verified."""
    verify(scene, item, person, second)
    return ask(scene, item, person, Question(infno="3101", scene=_WINDOW, second=second))


def _state(
    scene: Scene, item: Institution, person: Person, second: int, **told: str | None
) -> None:
    """Ask the platform for the state of somebody's insurance (人员基本信息获取, 1101)."""
    content = {"data": {"mdtrt_cert_type": "02", "mdtrt_cert_no": person.identity}}
    answer = {
        "baseinfo": {
            "psn_no": person.number,
            "psn_cert_type": "01",
            "certno": person.identity,
            "psn_name": person.name,
            "gend": person.sex,
            "naty": "01",
            "brdy": person.born,
            "age": 45.0,
        },
        "insuinfo": [
            {
                "balc": 0,
                "insutype": told.get("insutype") or person.insurance,
                "psn_type": person.person_type,
                "psn_insu_stas": told.get("status") or "1",
                "psn_insu_date": "2020-01-01",
                "cvlserv_flag": "0",
                "insuplc_admdvs": person.division,
                **({"paus_insu_date": told["paused"]} if told.get("paused") else {}),
            }
        ],
        "idetinfo": [],
    }
    scene.desk(item).send("1101", second, person, content, answer)


def _insurance(scene: Scene, item: Institution, place: int) -> None:
    """W01: insurance paused, or benefits frozen (参保状态或待遇冻结异常)."""
    at = scene.second(150 + place, 9)
    today, tomorrow = scene.day(at), scene.days_after(at, 1)
    for is_case, told, note in (
        (True, {"status": "2"}, "参保状态为暂停"),
        (True, {"paused": today}, "暂停日为就诊当日"),
        (False, {"paused": tomorrow}, "暂停日为就诊次日"),
        (False, {}, "参保状态正常"),
        (False, {"status": "2", "insutype": "390"}, "暂停的是另一险种"),
    ):
        person = scene.person()
        _state(scene, item, person, at - 10 * _MINUTE_S, **told)
        _tell(scene, "W01", note, item, _register(scene, item, person, at), is_case=is_case)
    for is_case, begins, ends, note in (
        (True, -30, 1, "待遇冻结期内"),
        (False, -90, 0, "待遇冻结当日零时期满"),
        (False, 1, 90, "待遇自次日起冻结"),
    ):
        person = scene.person()
        scene.register(
            "benefit_freeze",
            item,
            person=person.number,
            begins_at=f"{scene.days_after(at, begins)} 00:00:00",
            ends_at=f"{scene.days_after(at, ends)} 00:00:00",
        )
        _tell(scene, "W01", note, item, _register(scene, item, person, at), is_case=is_case)


def _agreement(scene: Scene, item: Institution, place: int) -> None:
    """W02: the agreement is suspended for an hour before anybody comes (机构协议状态异常)."""
    begins, ends = scene.second(154 + place, 5), scene.second(154 + place, 6)
    for status, first, last in (
        ("active", "2020-01-01 00:00:00", scene.moment(begins)),
        ("suspended", scene.moment(begins), scene.moment(ends)),
        ("active", scene.moment(ends), ""),
    ):
        scene.register("agreement_status", item, status=status, begins_at=first, ends_at=last)
    for is_case, second, med_type, note in (
        (True, begins, "11", "协议中止当时"),
        (True, ends - 1, "11", "协议恢复前1秒"),
        (False, begins - 1, "11", "协议中止前1秒"),
        (False, ends, "11", "协议恢复当时"),
        (False, begins + 60, _EMERGENCY, "协议中止期间的急诊"),
    ):
        one = Question(
            infno="3101",
            scene=_PRESCRIBED,
            second=second,
            orders=(Order(code=scene.service()),),
            med_type=med_type,
        )
        mdtrt_id = ask(scene, item, scene.person(), one)
        _tell(scene, "W02", note, item, mdtrt_id, is_case=is_case)


def _staff(scene: Scene, item: Institution, place: int) -> None:
    """W03: who orders is suspended, or of no staff here (医师支付资格异常)."""
    doctor = item.doctors[-1]
    begins, ends = scene.second(158 + place, 5), scene.second(158 + place, 6)
    scene.register(
        "staff_qualification",
        item,
        staff=doctor,
        status="suspended",
        begins_at=scene.moment(begins),
        ends_at=scene.moment(ends),
    )
    strange = f"D{item.division}9{80_000 + item.index:05d}"
    for is_case, second, who, med_type, note in (
        (True, begins, doctor, "11", "支付资格暂停当时开方"),
        (True, ends - 1, doctor, _STAY, "支付资格恢复前1秒的住院医嘱"),
        (True, ends, strange, "11", "未在本机构登记的医师开方"),
        (False, begins - 1, doctor, "11", "支付资格暂停前1秒开方"),
        (False, ends, doctor, "11", "支付资格恢复当时开方"),
        (False, begins, doctor, _EMERGENCY, "支付资格暂停期间的急诊"),
    ):
        one = Question(
            infno="3101",
            scene=_INPATIENT if med_type == _STAY else _PRESCRIBED,
            second=second,
            orders=(Order(code=scene.service()),),
            med_type=med_type,
            doctor=who,
        )
        mdtrt_id = ask(scene, item, scene.person(), one)
        _tell(scene, "W03", note, item, mdtrt_id, is_case=is_case)


def _identity(scene: Scene, item: Institution, place: int) -> None:
    """W04: nobody has verified who is here (人证一致性核验未通过)."""
    at = scene.second(162 + place, 9)
    for is_case, events, note in (
        (True, (), "没有核验"),
        (True, ({"ago_s": 30 * _MINUTE_S + 1},), "30分零1秒前核验通过"),
        (True, ({"score_e4": 4_649, "threshold_e4": 4_650},), "相似度低于标定阈值"),
        (True, ({"result": "unjudged"},), "核验未能判定"),
        (False, ({"ago_s": 30 * _MINUTE_S},), "恰在30分钟前核验通过"),
        (False, ({"score_e4": 4_650, "threshold_e4": 4_650},), "相似度恰为标定阈值"),
        (False, ({"result": "absent", "override_reason": "卧床由子女代办"},), "放行并写明理由"),
    ):
        person = scene.person()
        for event in events:
            verify(scene, item, person, at, **event)
        one = Question(infno="3101", scene=_WINDOW, second=at)
        _tell(scene, "W04", note, item, ask(scene, item, person, one), is_case=is_case)


def _in_bed(scene: Scene, item: Institution, place: int) -> None:
    """W05: in bed there, treated or served here (住院期间门诊或购药)."""
    begins = scene.second(172 + place, 9)
    at = begins + DAY_S
    other = scene.hospitals(inpatient=False)[-1 - place]
    shops = scene.pharmacies()
    shop = shops[place % len(shops)]
    approved = scene.drug()

    def meanwhile(where: Institution, second: int, **told: str) -> str:
        person = scene.person()
        admit(scene, item, person, Stay(admitted_s=begins, discharged_s=begins))
        code = told.get("code") or scene.service()
        if code == approved:
            scene.register(
                "approved_purchase",
                where,
                person=person.number,
                item_code=code,
                begins_at=f"{scene.day(begins)} 00:00:00",
                ends_at=f"{scene.days_after(begins, 300)} 00:00:00",
            )
        if where.is_pharmacy:
            verify(scene, where, person, second, place="pharmacy")
        one = Question(
            infno="3102",
            scene=_PURCHASE if where.is_pharmacy else _BILL,
            second=second,
            orders=(Order(code=code, more={"drug_trac_info": []}),),
            med_type=told.get("med_type") or ("41" if where.is_pharmacy else "11"),
        )
        return ask(scene, where, person, one)

    scene.case("W05", "他院住院未出院，门诊结算", other, meanwhile(other, at))
    scene.case("W05", "他院住院未出院，药店购药", shop, meanwhile(shop, at, code=scene.drug()))
    scene.case("W05", "入院当时在他院门诊结算", other, meanwhile(other, begins))
    scene.near_miss("W05", "入院前1秒的门诊结算", other, meanwhile(other, begins - 1))
    urgent = meanwhile(other, at, med_type=_EMERGENCY)
    scene.near_miss("W05", "住院期间急诊", other, urgent)
    bought = meanwhile(shop, at, code=approved)
    scene.near_miss("W05", "备案的双通道药品", shop, bought)
    person = scene.person()
    ended = scene.second(165 + place, 9)
    lie(scene, item, person, Stay(admitted_s=ended - 6 * DAY_S, discharged_s=ended))
    one = Question(
        infno="3102", scene=_BILL, second=ended + HOUR_S, orders=(Order(code=scene.service()),)
    )
    scene.near_miss("W05", "出院后1小时的门诊结算", other, ask(scene, other, person, one))


def _admitted(scene: Scene, item: Institution, person: Person, second: int, **told: object) -> str:
    """Ask when somebody is to be admitted whose identity was verified."""
    verify(scene, item, person, second)
    one = Question(
        infno="3101",
        scene=_ADMISSION,
        second=second,
        med_type=_STAY,
        diagnoses=(str(told.get("diagnosis", "S72.000")),),
        planned=bool(told.get("planned")),
    )
    return ask(scene, item, person, one)


def _second_bed(scene: Scene, item: Institution, place: int) -> None:
    """W06: admitted while in bed somewhere (重复、重叠住院登记)."""
    sites = scene.hospitals()
    other = sites[place + 1]
    begins = scene.second(172 + place, 14)
    for where, note in ((other, "他院住院未出院"), (item, "本院住院未出院")):
        person = scene.person()
        admit(scene, where, person, Stay(admitted_s=begins, discharged_s=begins))
        mdtrt_id = _admitted(scene, item, person, begins + 2 * DAY_S)
        scene.case("W06", note, item, mdtrt_id)
    person = scene.person()
    undone = admit(scene, other, person, Stay(admitted_s=begins, discharged_s=begins))
    content = {"data": {"mdtrt_id": undone, "psn_no": person.number}}
    scene.desk(other).send("2404", begins + HOUR_S, person, content, {})
    mdtrt_id = _admitted(scene, item, person, begins + DAY_S)
    scene.near_miss("W06", "前次入院登记已撤销", item, mdtrt_id)
    ended = scene.second(165 + place, 10)
    for later, note in ((0, "恰在他院出院之时"), (HOUR_S, "他院出院1小时后")):
        person = scene.person()
        lie(scene, other, person, Stay(admitted_s=ended - 5 * DAY_S, discharged_s=ended))
        mdtrt_id = _admitted(scene, item, person, ended + later)
        scene.near_miss("W06", note, item, mdtrt_id)


def _again(scene: Scene, item: Institution, place: int) -> None:
    """W07: admitted again within a month for the same (短期再入院)."""
    first = scene.second(120 + place, 9)
    ended = first + 5 * DAY_S
    for is_case, days, diagnosis, planned, note in (
        (True, 7, "K80.500", False, "出院7日以同病再入院"),
        (True, 15, "K80.200", False, "出院15日以同病再入院"),
        (True, 31, "K80.200", False, "出院31日以同病再入院"),
        (False, 32, "K80.200", False, "出院32日再入院"),
        (False, 7, "S72.000", False, "以另一病再入院"),
        (False, 7, "K80.200", True, "前次清单写明再住院计划"),
    ):
        person = scene.person()
        told = Stay(admitted_s=first, discharged_s=ended, diagnoses=("K80.200",), planned=planned)
        lie(scene, item, person, told)
        mdtrt_id = _admitted(scene, item, person, ended + days * DAY_S, diagnosis=diagnosis)
        _tell(scene, "W07", note, item, mdtrt_id, is_case=is_case)
