"""Cases about inpatient stays: what is charged a day, who lies where (M22, M23, M28 to M33)."""

from collections.abc import Sequence

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.stays import Stay, stay
from deploy.simulation.injected.visits import Visit, sell, visit
from deploy.simulation.visits import DAY_S

__all__ = ["lie", "write_bedsides"]

_BED, _NURSING = "01", "07"
_ONE = "08"
"""Level of the hospitals with the fewest beds (一级甲等)."""


def write_bedsides(scene: Scene) -> None:
    """Write the cases of M22, M23 and M28 to M33."""
    bed, hourly = scene.service("11"), scene.service("31")
    scene.know("k_daily_items", code=bed, kind="bed")
    scene.know("k_hourly_items", code=hourly)
    for place, item in enumerate(scene.hospitals()[:3]):
        _days(scene, item, place, bed)
        _hours(scene, item, place, hourly)
        _split(scene, item, place)
        _hanging(scene, item, place)
        _elsewhere(scene, item, place)
        _for_examination(scene, item, place)
        _overlapping(scene, place)
    _crowded(scene)


def lie(
    scene: Scene,
    item: Institution,
    person: Person,
    told: Stay,
    extra: Sequence[Fee] = (),
    *,
    treated: bool = True,
) -> str:
    """Write a stay with a bed, and a treatment, of every day.

    Args:
        scene: The stage.
        item: Where.
        person: Who.
        told: The stay.
        extra: Further lines.
        treated: Whether there is a treatment.

    Returns:
        The visit's id (就诊ID).
    """
    code, therapy = scene.service("11"), scene.service("31")
    first = told.admitted_s // DAY_S
    days = max(1, told.discharged_s // DAY_S - first)
    fees = [
        Fee(
            code=code,
            second=max(scene.second(first + day, 12), told.admitted_s + 60),
            category=_BED,
            price_fen=4_000,
        )
        for day in range(days)
    ]
    if treated:
        fees += [
            Fee(
                code=therapy,
                second=max(scene.second(first + day, 13), told.admitted_s + 120),
                category="05",
                price_fen=9_000,
            )
            for day in range(days)
        ]
    return stay(scene, item, person, told, [*fees, *extra])


def _days(scene: Scene, item: Institution, place: int, bed: str) -> None:
    """M22: more bed days than days of the stay (床位费数量超住院天数)."""
    begins = scene.second(10 + place, 8)
    for count, note in ((7, "住院5天，收床位费7天"), (5, "住院5天，收床位费5天")):
        told = Stay(admitted_s=begins, discharged_s=begins + 5 * DAY_S + HOUR_S)
        fees = [
            Fee(code=bed, second=begins + day * DAY_S + 4 * HOUR_S, category=_BED, price_fen=4_000)
            for day in range(5)
        ]
        fees += [
            Fee(code=bed, second=begins + 5 * HOUR_S + more, category=_BED, price_fen=4_000)
            for more in range(count - 5)
        ]
        therapy = scene.service("31")
        fees += [
            Fee(code=therapy, second=begins + day * DAY_S + 6 * HOUR_S, category="05")
            for day in range(5)
        ]
        mdtrt_id = stay(scene, item, scene.person(), told, fees)
        if count > 5:
            scene.case("M22", note, item, mdtrt_id, key="bed", amount_fen=2 * 4_000)
        else:
            scene.near_miss("M22", note, item, mdtrt_id, key="bed")


def _hours(scene: Scene, item: Institution, place: int, hourly: str) -> None:
    """M23: more hours a day than it has (按小时计费超24小时)."""
    begins = scene.second(18 + place, 8)
    for count, note in ((26, "一日收26小时"), (24, "一日收24小时")):
        told = Stay(admitted_s=begins, discharged_s=begins + 4 * DAY_S)
        fee = Fee(code=hourly, second=begins + DAY_S, count=count, price_fen=500, category="05")
        mdtrt_id = lie(scene, item, scene.person(), told, [fee])
        if count > 24:
            scene.case("M23", note, item, mdtrt_id, amount_fen=2 * 500)
        else:
            scene.near_miss("M23", note, item, mdtrt_id)


def _split(scene: Scene, item: Institution, place: int) -> None:
    """M28: taken in again for the same within fifteen days (分解住院)."""
    begins = scene.second(24 + place, 9)
    first = Stay(admitted_s=begins, discharged_s=begins + 5 * DAY_S, diagnoses=("K80.200",))

    def again(days: int, diagnosis: str, person: Person) -> str:
        at = first.discharged_s + days * DAY_S
        told = Stay(admitted_s=at, discharged_s=at + 4 * DAY_S, diagnoses=(diagnosis,))
        return lie(scene, item, person, told)

    person = scene.person()
    lie(scene, item, person, first)
    scene.case("M28", "出院15日再以同病入院", item, again(15, "K80.500", person))
    person = scene.person()
    lie(scene, item, person, first)
    scene.near_miss("M28", "出院16日后再入院", item, again(16, "K80.200", person))
    person = scene.person()
    lie(scene, item, person, first)
    scene.near_miss("M28", "15日内以另一病入院", item, again(7, "S72.000", person))
    person = scene.person()
    planned = Stay(
        admitted_s=begins,
        discharged_s=first.discharged_s,
        diagnoses=("K80.200",),
        planned=True,
    )
    lie(scene, item, person, planned)
    scene.near_miss("M28", "有再住院计划", item, again(7, "K80.200", person))


def _hanging(scene: Scene, item: Institution, place: int) -> None:
    """M29: days with nothing but the bed (挂床住院), or nobody in it when checked."""
    begins = scene.second(12 + place, 9)
    told = Stay(admitted_s=begins, discharged_s=begins + 6 * DAY_S)
    empty = lie(scene, item, scene.person(), told, treated=False)
    scene.case("M29", "6天只有床位费", item, empty)
    drug = scene.drug()
    treated = [
        Fee(code=drug, second=scene.second(12 + place + day, 14), category="09") for day in range(4)
    ]
    busy = lie(scene, item, scene.person(), told, treated, treated=False)
    scene.near_miss("M29", "6天中4天有治疗", item, busy)
    for failures, note in ((2, "查床两次不在"), (1, "查床一次不在")):
        person = scene.person()
        mdtrt_id = lie(scene, item, person, told)
        for number in range(failures):
            scene.register(
                "identity_event",
                item,
                person=person.number,
                mdtrt_id=mdtrt_id,
                at=scene.moment(begins + (number + 1) * DAY_S + 5 * HOUR_S),
                place="bed",
                result="absent",
            )
        if failures > 1:
            scene.case("M29", note, item, mdtrt_id)
        else:
            scene.near_miss("M29", note, item, mdtrt_id)


def _elsewhere(scene: Scene, item: Institution, place: int) -> None:
    """M30: in bed here, treated or served there (住院期间门诊或药店结算)."""
    begins = scene.second(70 + place, 9)
    told = Stay(admitted_s=begins, discharged_s=begins + 8 * DAY_S)
    shops = scene.pharmacies()
    shop = shops[place % len(shops)]

    def meanwhile(after_s: int, med_type: str = "11") -> tuple[str, str]:
        person = scene.person()
        lie(scene, item, person, told)
        at = begins + after_s
        fee = Fee(code=scene.service(), second=at + 300, category="05", price_fen=4_400)
        away = Visit(begins_s=at, med_type=med_type)
        other = scene.hospitals(inpatient=False)[-1 - place]
        return visit(scene, other, person, away, [fee]), other.code

    other = scene.hospitals(inpatient=False)[-1 - place]
    wrong, _ = meanwhile(3 * DAY_S)
    scene.case("M30", "住院第4天另院门诊结算", other, wrong)
    early, _ = meanwhile(20 * HOUR_S)
    scene.near_miss("M30", "入院24小时内的门诊结算", other, early)
    urgent, _ = meanwhile(4 * DAY_S, med_type="13")
    scene.near_miss("M30", "住院期间急诊", other, urgent)
    person = scene.person()
    lie(scene, item, person, told)
    at = begins + 5 * DAY_S
    bought = Fee(code=scene.drug(), second=at, category="11", price_fen=3_000)
    sold = sell(scene, shop, person, Visit(begins_s=at), [bought])
    scene.case("M30", "住院第6天药店结算", shop, sold)


def _for_examination(scene: Scene, item: Institution, place: int) -> None:
    """M31: in hospital to be examined (低标准入院)."""
    begins = scene.second(85 + place, 9)
    for days, treatment, note in (
        (3, 0, "3天，检查化验占八成"),
        (4, 0, "4天，检查化验占八成"),
        (3, 30_000, "3天，检查化验占一半"),
    ):
        told = Stay(admitted_s=begins, discharged_s=begins + days * DAY_S)
        image, blood = scene.service("21"), scene.service("25")
        fees = [
            Fee(code=image, second=begins + 7_200, category="03", price_fen=15_000),
            Fee(code=image, second=begins + 2 * DAY_S, category="03", price_fen=15_000),
            Fee(code=blood, second=begins + DAY_S + 60, category="04", price_fen=18_000),
        ]
        if treatment:
            fees.append(
                Fee(
                    code=scene.service("31"),
                    second=begins + DAY_S,
                    category="05",
                    price_fen=treatment,
                )
            )
        fees += [
            Fee(
                code=scene.service("12"),
                second=begins + day * DAY_S + 8_000,
                category=_NURSING,
                price_fen=4_000,
            )
            for day in range(days)
        ]
        mdtrt_id = stay(scene, item, scene.person(), told, fees)
        if days == 3 and not treatment:
            scene.case("M31", note, item, mdtrt_id)
        else:
            scene.near_miss("M31", note, item, mdtrt_id)


def _overlapping(scene: Scene, place: int) -> None:
    """M33: in two beds at once (跨机构重叠住院)."""
    sites = scene.hospitals()
    here, there = sites[place], sites[place + 1]
    begins = scene.second(95 + place, 9)
    for hours, note in ((30, "重叠30小时"), (24, "重叠24小时"), (0, "出院后转入另院")):
        person = scene.person()
        ended = begins + 6 * DAY_S
        lie(scene, here, person, Stay(admitted_s=begins, discharged_s=ended, way="2"))
        at = ended - hours * HOUR_S
        mdtrt_id = lie(scene, there, person, Stay(admitted_s=at, discharged_s=at + 5 * DAY_S))
        if hours > 24:
            scene.case("M33", note, there, mdtrt_id)
        else:
            scene.near_miss("M33", note, there, mdtrt_id)


def _crowded(scene: Scene) -> None:
    """M32: more in bed than beds allowed (在床人数超核定床位), when everybody else has left."""
    for place, item in enumerate(scene.hospitals()[-3:]):
        begins = scene.second(170 + 3 * place, 9)
        day = scene.day(begins)
        scene.registers["institution_profile"] = [
            row
            for row in scene.registers.get("institution_profile", [])
            if row["institution"] != item.code
        ]
        level = {"level": _ONE, "latitude_e6": 27_950_000, "longitude_e6": 120_650_000}
        for first, last, beds in (
            ("2020-01-01", day, item.tier.beds),
            (day, scene.days_after(begins, 4), 10),
            (scene.days_after(begins, 4), "", item.tier.beds),
        ):
            scene.register(
                "institution_profile",
                item,
                **level,
                beds=beds,
                begins_at=f"{first} 00:00:00",
                ends_at=f"{last} 00:00:00" if last else "",
            )
        for number in range(12):
            told = Stay(admitted_s=begins + number, discharged_s=begins + DAY_S + number)
            lie(scene, item, scene.person(), told)
        scene.case("M32", "核定10床，在床12人", item, key=day)
        later = begins + 2 * DAY_S
        for number in range(11):
            told = Stay(admitted_s=later + number, discharged_s=later + DAY_S + number)
            lie(scene, item, scene.person(), told)
        scene.near_miss("M32", "核定10床，在床11人", item, key=scene.day(later))
