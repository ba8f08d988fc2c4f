"""Cases about drugs: for what, before what, how much, how long, how dear (M14 to M20)."""

from collections.abc import Mapping, Sequence

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.visits import Visit, visit
from deploy.simulation.visits import DAY_S

__all__ = ["write_medication"]

_CHRONIC = "14"


def write_medication(scene: Scene) -> None:
    """Write the cases of M14 to M20."""
    indicated, second, first = scene.drug(), scene.drug(), scene.drug()
    scene.know("k_drug_indication", code=indicated, icd_prefix="C50")
    scene.know("k_second_line", code=second, first_code=first)
    same = [scene.drug() for _ in range(2)]
    for number, code in enumerate(same):
        scene.know("k_atc", code=code, generic=f"G{number}", drug_class="C07AB", no_combine="true")
    dosed = scene.drug()
    scene.know("k_max_dose", code=dosed, max_daily_e4=20_000, unit="g")
    for place, item in enumerate(scene.hospitals(inpatient=False)[3:6]):
        _indication(scene, item, place, indicated)
        _second_line(scene, item, place, first, second)
        _too_much(scene, item, place)
        _again(scene, place)
        _same_class(scene, item, place, same)
        _dose(scene, item, place, dosed)
        _dear(scene, item, place)


def _prescribe(
    scene: Scene,
    item: Institution,
    person: Person,
    begins_s: int,
    codes: Mapping[str, Mapping[str, object]],
    *,
    med_type: str = "11",
    diagnosis: str = "I10.x00",
    price_fen: int = 2_400,
) -> str:
    """Write a visit with one line a drug, each with its further fields."""
    fees = [
        Fee(
            code=code,
            second=begins_s + 300 + place,
            price_fen=price_fen + 100 * place,
            more=more,
        )
        for place, (code, more) in enumerate(codes.items())
    ]
    told = Visit(begins_s=begins_s, med_type=med_type, diagnoses=(diagnosis,))
    return visit(scene, item, person, told, fees)


def _indication(scene: Scene, item: Institution, place: int, code: str) -> None:
    """M14: for another disease than it is paid for (限适应症)."""
    begins = scene.second(60 + place, 9)
    wrong = _prescribe(scene, item, scene.person(), begins, {code: {}}, diagnosis="J18.900")
    scene.case("M14", "限乳腺癌，诊断为肺炎", item, wrong)
    right = _prescribe(scene, item, scene.person(), begins, {code: {}}, diagnosis="C50.900")
    scene.near_miss("M14", "限乳腺癌，诊断为乳腺癌", item, right)


def _second_line(scene: Scene, item: Institution, place: int, first: str, second: str) -> None:
    """M15: a second-line drug without a first-line one before it (限二线用药)."""
    begins = scene.second(150 + place, 9)
    wrong = _prescribe(scene, item, scene.person(), begins, {second: {}})
    scene.case("M15", "无一线用药史", item, wrong)
    for days, note in ((90, "90天前用过一线药品"), (91, "91天前用过一线药品")):
        person = scene.person()
        _prescribe(scene, item, person, begins - days * DAY_S, {first: {}})
        mdtrt_id = _prescribe(scene, item, person, begins, {second: {}})
        if days > 90:
            scene.case("M15", note, item, mdtrt_id)
        else:
            scene.near_miss("M15", note, item, mdtrt_id)


def _too_much(scene: Scene, item: Institution, place: int) -> None:
    """M16: for more days than may be prescribed at once (超量开药)."""
    begins = scene.second(64 + place, 10)
    for days, med_type, note in (
        (10, "11", "普通门诊开药10天"),
        (7, "11", "普通门诊开药7天"),
        (5, "13", "急诊开药5天"),
        (3, "13", "急诊开药3天"),
    ):
        told = {scene.drug(): {"prd_days": days}}
        mdtrt_id = _prescribe(scene, item, scene.person(), begins, told, med_type=med_type)
        if days in (10, 5):
            scene.case("M16", note, item, mdtrt_id)
        else:
            scene.near_miss("M16", note, item, mdtrt_id)


def _again(scene: Scene, place: int) -> None:
    """M17: again while there is still some (重复开药), in another institution."""
    sites = scene.hospitals(inpatient=False)
    here, there = sites[place], sites[place + 3]
    begins = scene.second(100 + place, 9)
    for wait, note in ((10, "尚余20天再开药"), (23, "尚余7天再开药"), (30, "用完再开药")):
        code, person = scene.drug(), scene.person(age=66)
        told = {code: {"prd_days": 30}}
        _prescribe(scene, here, person, begins, told, med_type=_CHRONIC)
        later = begins + wait * DAY_S
        mdtrt_id = _prescribe(scene, there, person, later, told, med_type=_CHRONIC)
        if wait == 10:
            scene.case("M17", note, there, mdtrt_id)
        else:
            scene.near_miss("M17", note, there, mdtrt_id)


def _same_class(scene: Scene, item: Institution, place: int, codes: Sequence[str]) -> None:
    """M18: two drugs of one class at once (同类药物重复使用)."""
    begins = scene.second(68 + place, 9)
    both = _prescribe(scene, item, scene.person(), begins, {code: {} for code in codes})
    scene.case("M18", "同日开具两种同类药物", item, both)
    one = _prescribe(scene, item, scene.person(), begins + HOUR_S, {codes[0]: {}})
    scene.near_miss("M18", "只开具一种", item, one)


def _dose(scene: Scene, item: Institution, place: int, code: str) -> None:
    """M19: more a day than the largest dose (超最大日剂量)."""
    begins = scene.second(72 + place, 9)
    for dose, note in (("1g", "日剂量3克，最大2克"), ("500mg", "日剂量1.5克")):
        told = {code: {"sin_dos_dscr": dose, "used_frqu_dscr": "tid", "prd_days": 3}}
        mdtrt_id = _prescribe(scene, item, scene.person(), begins, told)
        if dose == "1g":
            scene.case("M19", note, item, mdtrt_id, amount_fen=800)
        else:
            scene.near_miss("M19", note, item, mdtrt_id)


def _dear(scene: Scene, item: Institution, place: int) -> None:
    """M20: dearer than the fund's highest price (超医保支付限价收费)."""
    begins = scene.second(76 + place, 9)
    for price, cap, note in (
        (5_000, 4_000, "单价50元，限价40元"),
        (4_000, 4_000, "单价等于限价"),
        (9_000, None, "不设限价"),
    ):
        fee = Fee(
            code=scene.service(),
            second=begins + 300,
            count=2,
            price_fen=price,
            cap_fen=cap,
            category="05",
        )
        mdtrt_id = visit(scene, item, scene.person(), Visit(begins_s=begins), [fee])
        if price == 5_000:
            scene.case("M20", note, item, mdtrt_id, amount_fen=2_000)
        else:
            scene.near_miss("M20", note, item, mdtrt_id)
