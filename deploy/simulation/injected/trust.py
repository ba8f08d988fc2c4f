"""Cases about who: the dead, impostors, travellers, gatherings and unqualified staff.

M34 to M37 and M41.
"""

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.visits import Visit, sell, visit
from deploy.simulation.visits import DAY_S

__all__ = ["write_trust"]

_MINUTE_S = 60


def write_trust(scene: Scene) -> None:
    """Write the cases of M34 to M37 and M41."""
    for place, item in enumerate(scene.hospitals(inpatient=False)[6:9]):
        _dead(scene, item, place)
        _impostor(scene, item, place)
        _traveller(scene, place)
        _unqualified(scene, item, place)
    _gatherings(scene)


def _seen(scene: Scene, item: Institution, person: Person, begins_s: int, **told: str) -> str:
    """Write a plain visit of a service."""
    fee = Fee(code=scene.service(), second=begins_s + 300, category="05", price_fen=3_700)
    return visit(scene, item, person, Visit(begins_s=begins_s, doctor=told.get("doctor")), [fee])


def _dead(scene: Scene, item: Institution, place: int) -> None:
    """M34: treated after the day of death (死亡后就医结算)."""
    begins = scene.second(50 + place, 10)
    for days, note in ((2, "死亡后第2日就医"), (1, "死亡次日的费用"), (-3, "死亡前就医")):
        person = scene.person(age=80)
        scene.register(
            "death",
            item,
            person=person.number,
            died_at=f"{scene.days_after(begins, -days)} 08:00:00",
        )
        mdtrt_id = _seen(scene, item, person, begins)
        if days == 2:
            scene.case("M34", note, item, mdtrt_id, amount_fen=2_590)
        else:
            scene.near_miss("M34", note, item, mdtrt_id)


def _impostor(scene: Scene, item: Institution, place: int) -> None:
    """M35: somebody else at the window (人证不符)."""
    begins = scene.second(54 + place, 9)
    for results, reason, note in (
        (("mismatch", "mismatch", "mismatch"), "", "三次人证不符"),
        (("mismatch", "mismatch", "match"), "", "第三次核验通过"),
        (("mismatch", "mismatch", "mismatch"), "家属代配药已登记", "人工放行并写明理由"),
    ):
        person = scene.person()
        mdtrt_id = _seen(scene, item, person, begins)
        for number, result in enumerate(results):
            scene.register(
                "identity_event",
                item,
                person=person.number,
                mdtrt_id=mdtrt_id,
                at=scene.moment(begins + 30 + number * 20),
                place="window",
                result=result,
                override_reason=reason if number == len(results) - 1 else "",
            )
        if note == "三次人证不符":
            scene.case("M35", note, item, mdtrt_id, amount_fen=2_590)
        else:
            scene.near_miss("M35", note, item, mdtrt_id)


def _traveller(scene: Scene, place: int) -> None:
    """M36: in two institutions at once (超时空就医购药)."""
    sites = scene.hospitals(inpatient=False)
    here, there = sites[place], sites[place + 4]
    begins = scene.second(58 + place, 9)
    for minutes, note in ((20, "两院结算相隔20分钟"), (40, "两院结算相隔40分钟")):
        person = scene.person()
        _seen(scene, here, person, begins)
        mdtrt_id = _seen(scene, there, person, begins + minutes * _MINUTE_S)
        if minutes < 30:
            scene.case("M36", note, there, mdtrt_id, amount_fen=2_590)
        else:
            scene.near_miss("M36", note, there, mdtrt_id)
    person = scene.person()
    _seen(scene, here, person, begins)
    mdtrt_id = _seen(scene, here, person, begins + 20 * _MINUTE_S)
    scene.near_miss("M36", "同一机构相隔20分钟", here, mdtrt_id)


def _unqualified(scene: Scene, item: Institution, place: int) -> None:
    """M41: ordered by somebody who may not (无资质或状态异常人员开具)."""
    begins = scene.second(62 + place, 9)
    strange = f"D{item.division}9{90_000 + item.index:05d}"
    wrong = _seen(scene, item, scene.person(), begins, doctor=strange)
    scene.case("M41", "开单医师未在本机构登记", item, wrong, amount_fen=3_700)
    # Before anybody else is seen: the city's other patients have doctors who may.
    first, last = scene.second(62 + place, 4), scene.second(62 + place, 6)
    suspended = item.doctors[-1]
    scene.register(
        "staff_qualification",
        item,
        staff=suspended,
        status="suspended",
        begins_at=scene.moment(first),
        ends_at=scene.moment(last),
    )
    wrong = _seen(scene, item, scene.person(), first + HOUR_S, doctor=suspended)
    scene.case("M41", "资格暂停期间开单", item, wrong, amount_fen=3_700)
    before = _seen(scene, item, scene.person(), first - 301, doctor=suspended)
    scene.near_miss("M41", "资格暂停前1秒开单", item, before)
    after = _seen(scene, item, scene.person(), last - 300, doctor=suspended)
    scene.near_miss("M41", "资格恢复当时开单", item, after)
    told = Visit(begins_s=begins, med_type="13", doctor=strange)
    fee = Fee(code=scene.service(), second=begins + 300, category="05")
    urgent = visit(scene, item, scene.person(), told, [fee])
    scene.near_miss("M41", "急诊抢救", item, urgent)


def _gatherings(scene: Scene) -> None:
    """M37: the same people at one till with the same goods, again and again (聚集刷卡)."""
    shops = scene.pharmacies()
    for place in range(3):
        shop = shops[place % len(shops)]
        goods = [scene.drug() for _ in range(3)]
        people = [scene.person() for _ in range(6)]
        begun = scene.second(120 + place * 10, 15)
        for day in (0, 2, 4):
            at = begun + day * DAY_S
            _gather(scene, shop, people, goods, at, apart_s=60)
            scene.case("M37", "6人3日同时购买相同药品", shop, key=scene.day(at))
        few, slow = [scene.person() for _ in range(4)], [scene.person() for _ in range(6)]
        for day in (1, 3, 5):
            at = begun + day * DAY_S
            _gather(scene, shop, few, goods, at, apart_s=60)
            scene.near_miss("M37", "只有4人", shop, key=scene.day(at))
        for day in (6, 7, 8):
            at = begun + day * DAY_S
            _gather(scene, shop, slow, goods, at, apart_s=300)
            scene.near_miss("M37", "每5分钟一人", shop, key=scene.day(at))


def _gather(
    scene: Scene,
    shop: Institution,
    people: list[Person],
    goods: list[str],
    begins_s: int,
    *,
    apart_s: int,
) -> None:
    for number, person in enumerate(people):
        at = begins_s + number * apart_s
        fees = [
            Fee(code=code, second=at, category="09", price_fen=2_000 + place)
            for place, code in enumerate(goods)
        ]
        sell(scene, shop, person, Visit(begins_s=at), fees)
