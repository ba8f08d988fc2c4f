"""Cases about what the fund pays for whom: sex, age, insurance, level, way of care (M01 to M07).

Every case stands in three institutions; what they share is a knowledge point of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.stays import Stay, stay
from deploy.simulation.injected.visits import Visit, visit
from deploy.simulation.visits import DAY_S

__all__ = ["write_limits"]

_MAN, _WOMAN = "1", "2"
_LEVELS = {"3": "02", "2": "05", "1": "08", "0": "11"}
"""Level of an institution (医院等级) by the simulation's own word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """One visit with one limited item."""

    note: str
    breaks: bool
    person: Person
    med_type: str = "11"
    insurance: str | None = None
    more: dict[str, object] = field(default_factory=dict)


def write_limits(scene: Scene) -> None:
    """Write the cases of M01 to M07."""
    _sexes(scene, "M01", "drug", scene.drug())
    _sexes(scene, "M02", "item", scene.service())
    _ages(scene, "M03", "drug", scene.drug())
    _ages(scene, "M04", "item", scene.service())
    _insurances(scene)
    _levels(scene)
    _ways(scene)


def _sites(scene: Scene) -> Sequence[Institution]:
    return scene.hospitals(inpatient=False)[:3]


def _write(scene: Scene, rule: str, code: str, place: int, tries: Sequence[_Try]) -> None:
    """Write tries at one institution, one after the other on one day."""
    institution = _sites(scene)[place]
    for number, one in enumerate(tries):
        begins = scene.second(20 + place, 8.5 + number)
        fee = Fee(
            code=code,
            second=begins + HOUR_S // 4,
            count=2,
            price_fen=1_550 + place,
            covered_fen=3_000 + place,
            category="09" if code.startswith("X") else "05",
            more=one.more,
        )
        told = Visit(begins_s=begins, med_type=one.med_type, insurance=one.insurance)
        mdtrt_id = visit(scene, institution, one.person, told, [fee])
        if one.breaks:
            scene.case(rule, one.note, institution, mdtrt_id, key=code, amount_fen=fee.scope_fen)
        else:
            scene.near_miss(rule, one.note, institution, mdtrt_id, key=code)


def _sexes(scene: Scene, rule: str, thing: str, code: str) -> None:
    """M01, M02: for one sex, charged to the other (区分性别使用)."""
    scene.point("一", thing, "限定性别对象", code, limit="女")
    for place in range(3):
        tries = [
            _Try(note="限女性，用于男性", breaks=True, person=scene.person(sex=_MAN)),
            _Try(note="限女性，用于女性", breaks=False, person=scene.person(sex=_WOMAN)),
        ]
        if rule == "M02":
            newborn = _Try(
                note="限女性，新生儿费用记在母亲就诊",
                breaks=False,
                person=scene.person(sex=_MAN, age=0),
                more={"matn_fee_flag": "1"},
            )
            tries.append(newborn)
        _write(scene, rule, code, place, tries)


def _ages(scene: Scene, rule: str, thing: str, code: str) -> None:
    """M03, M04: for children, charged to somebody of age; the birthday itself is too late."""
    scene.point("一", thing, "限定年龄对象", code, limit="儿童")
    for place in range(3):
        today = date.fromisoformat(scene.day(scene.second(20 + place)))
        born = today.replace(year=today.year - 18)
        tries = [
            _Try(note="限儿童，用于成人", breaks=True, person=scene.person(age=40)),
            _Try(note="限儿童，当日满十八周岁", breaks=True, person=scene.born(born)),
            _Try(
                note="限儿童，次日满十八周岁",
                breaks=False,
                person=scene.born(date.fromordinal(born.toordinal() + 1)),
            ),
            _Try(note="限儿童，用于儿童", breaks=False, person=scene.person(age=5)),
        ]
        _write(scene, rule, code, place, tries)


def _insurances(scene: Scene) -> None:
    """M05: for injuries at work or births, paid by the basic insurance (限工伤、生育保险)."""
    injury, birth = scene.drug(), scene.drug()
    scene.point("三", "drug", "限定保险类型", injury, limit="工伤")
    scene.point("三", "drug", "限定保险类型", birth, limit="生育")
    for place in range(3):
        injured = [
            _Try(note="限工伤，职工医保支付", breaks=True, person=scene.person()),
            _Try(note="限工伤，其他保障支付", breaks=False, person=scene.person(), insurance="399"),
        ]
        _write(scene, "M05", injury, place, injured)
        woman = scene.person(sex=_WOMAN, age=30)
        born = [
            _Try(note="限生育，普通门诊支付", breaks=True, person=scene.person(sex=_WOMAN, age=30)),
            _Try(note="限生育，生育门诊支付", breaks=False, person=woman, med_type="51"),
        ]
        _write(scene, "M05", birth, place, born)


def _levels(scene: Scene) -> None:
    """M06: from the second level on, used below it (限医疗机构等级)."""
    for item in scene.city.institutions:
        scene.register(
            "institution_profile",
            item,
            level=_LEVELS[item.tier.level],
            beds=item.tier.beds or "",
            latitude_e6=27_900_000 + item.index * 9_000,
            longitude_e6=120_600_000 + item.index * 7_000,
            begins_at="2020-01-01 00:00:00",
        )
    code = scene.drug()
    scene.point("五", "drug", "限定机构等级", code, limit="二级")
    medical = scene.hospitals(inpatient=False)
    low = [item for item in medical if item.tier.level in "01"][:3]
    high = [item for item in medical if item.tier.level in "23"][:3]
    for number, item in enumerate([*low, *high]):
        begins = scene.second(30 + number, 10)
        fee = Fee(code=code, second=begins + 600, price_fen=4_200)
        mdtrt_id = visit(scene, item, scene.person(), Visit(begins_s=begins), [fee])
        if item in low:
            scene.case(
                "M06", "限二级，用于二级以下", item, mdtrt_id, key=code, amount_fen=fee.scope_fen
            )
        else:
            scene.near_miss("M06", "限二级，用于二级以上", item, mdtrt_id, key=code)


def _ways(scene: Scene) -> None:
    """M07: for inpatients, used in an outpatient visit (限就医方式)."""
    code = scene.drug()
    scene.point("四", "drug", "限定就医方式", code, limit="住院")
    for place, item in enumerate(scene.hospitals()[:3]):
        begins = scene.second(40 + place, 9)
        fee = Fee(code=code, second=begins + 600, price_fen=3_100)
        wrong = visit(scene, item, scene.person(), Visit(begins_s=begins), [fee])
        scene.case("M07", "限住院，用于门诊", item, wrong, key=code, amount_fen=fee.scope_fen)
        told = Stay(admitted_s=begins, discharged_s=begins + 3 * DAY_S)
        bed = [
            Fee(code="001109000010000", second=begins + day * DAY_S + HOUR_S, category="01")
            for day in range(3)
        ]
        therapy = [
            Fee(code=scene.service(), second=begins + day * DAY_S + 7_200, category="05")
            for day in range(3)
        ]
        right = stay(scene, item, scene.person(), told, [fee, *bed, *therapy])
        scene.near_miss("M07", "限住院，用于住院", item, right, key=code)
