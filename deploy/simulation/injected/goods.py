"""Cases about what is charged for what was done or bought (M13, M21, M24 to M27, M38 to M40).

Stock is told with the interface's own messages: 3501 (count) and 3503 (purchase).
"""

from collections.abc import Sequence

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.visits import Visit, sell, visit
from deploy.simulation.money import yuan
from deploy.simulation.price_list import DRUGS, INPATIENT_ITEMS
from deploy.simulation.shelves import TRACED
from deploy.simulation.visits import DAY_S

__all__ = ["buy", "stock_up", "write_goods"]


def write_goods(scene: Scene) -> None:
    """Write the cases of M13, M21, M24 to M27 and M38 to M40."""
    _stock(scene)
    group = (scene.service("33"), scene.service("33"))
    for code in group:
        scene.point("二", "item", "限定主次操作", code, limit="胃肠手术组")
    package, parts = scene.service("25"), [scene.service("25") for _ in range(3)]
    for part in parts:
        scene.know(
            "k_package",
            code=package,
            component=part,
            min_components=3,
            package_price_e6=30_000_000,
        )
    dependent, main = scene.service("33"), scene.service("33")
    scene.know("k_dependency", code=dependent, needs=main, needs_what="item")
    for place, item in enumerate(scene.hospitals(inpatient=False)[:3]):
        _discount(scene, item, place, group)
        _mark_up(scene, item, place)
        _apart(scene, item, place, package, parts)
        _alone(scene, item, place, dependent, main)
        _never_bought(scene, item, place)
        _uncovered(scene, item, place)
        _twice_sold(scene, place)
        _untraced(scene, item, place)


def _fees(begins_s: int, *lines: tuple[str, int]) -> list[Fee]:
    return [
        Fee(code=code, second=begins_s + 300 + place, category="05", price_fen=price)
        for place, (code, price) in enumerate(lines)
    ]


def _see(
    scene: Scene, item: Institution, begins_s: int, fees: Sequence[Fee], **told: object
) -> str:
    person = told.get("person")
    who = person if isinstance(person, Person) else scene.person()
    return visit(scene, item, who, Visit(begins_s=begins_s), fees)


def buy(
    scene: Scene,
    item: Institution,
    code: str,
    second: int,
    *,
    count: int,
    price: int,
    traces: Sequence[str] = (),
) -> None:
    """Write a delivery (商品采购, 3503).

    Args:
        scene: The stage.
        item: Who buys.
        code: National code of what.
        second: When.
        count: How many.
        price: Price of one, fen.
        traces: Trace codes (追溯码) of packs.
    """
    content = {
        "med_list_codg": code,
        "fixmedins_hilist_id": f"YN{code[:16]}",
        "fixmedins_hilist_name": "仿真货品",
        "fixmedins_bchno": f"B{second}{code[-6:]}",
        "rx_flag": "0",
        "manu_lotnum": f"L{second}",
        "manu_date": "2025-06-01",
        "expy_end": "2028-06-01",
        "spler_name": "温州市仿真医药配送公司",
        "prdr_name": "仿真药业",
        "aprvno": "国药准字仿9001",
        "finl_trns_pric": yuan(price),
        "purc_retn_cnt": count,
        "purc_invo_no": f"FP{second}",
        "purc_retn_stoin_time": scene.moment(second),
        "purc_retn_opter_name": "仿真采购员",
        "drugtracinfo": [{"drug_trac_codg": trace} for trace in traces],
    }
    scene.bought.add((item.code, code))
    scene.desk(item).send("3503", second, None, {"purcinfo": content}, {})


def _stock(scene: Scene) -> None:
    """Buy what the city's other visits use and tell no stock of: untraced drugs, consumables."""
    untraced = [one for one in DRUGS if one not in TRACED]
    consumables = [one for one in INPATIENT_ITEMS if one.national_code.startswith("C")]
    for item in scene.city.institutions:
        for place, one in enumerate(untraced):
            second = scene.second(0, 1) + place
            buy(scene, item, one.national_code, second, count=9_999, price=one.price_fen)
    for item in scene.hospitals(inpatient=False)[:3]:
        for month in range(6):
            for place, one in enumerate(consumables):
                second = scene.second(month * 30, 2) + place
                buy(scene, item, one.national_code, second, count=999, price=one.price_fen)


def stock_up(scene: Scene) -> None:
    """Buy every drug that some case charges and none tells the purchase of, before all cases.

    Args:
        scene: The stage, with all cases written.
    """
    named = {item.code: item for item in scene.city.institutions}
    for place, ((code, drug), price) in enumerate(scene.charged.items()):
        if (code, drug) not in scene.bought:
            buy(scene, named[code], drug, scene.second(0, 3) + place, count=999, price=price)


def _discount(scene: Scene, item: Institution, place: int, group: tuple[str, str]) -> None:
    """M13: the second operation of a group at its full price (手术未按规则折价)."""
    begins = scene.second(130 + place, 9)
    dear, cheap = group
    # What the second one costs when it is the only one.
    _see(scene, item, begins - DAY_S, _fees(begins - DAY_S, (cheap, 80_000)))
    full = _see(scene, item, begins, _fees(begins, (dear, 120_000), (cheap, 80_000)))
    scene.case("M13", "第二项手术按全价", item, full, amount_fen=40_000)
    half = _see(scene, item, begins, _fees(begins, (dear, 120_000), (cheap, 40_000)))
    scene.near_miss("M13", "第二项手术按半价", item, half)


def _mark_up(scene: Scene, item: Institution, place: int) -> None:
    """M21: dearer than it was bought (药品耗材加价率超标)."""
    begins = scene.second(134 + place, 9)
    for price, note in ((2_300, "购价20元，售价23元"), (2_000, "购价与售价同为20元")):
        code = scene.drug()
        buy(scene, item, code, begins - 10 * DAY_S, count=100, price=2_000)
        mdtrt_id = _see(scene, item, begins, [Fee(code=code, second=begins + 300, price_fen=price)])
        if price > 2_000:
            scene.case("M21", note, item, mdtrt_id, amount_fen=300)
        else:
            scene.near_miss("M21", note, item, mdtrt_id)


def _apart(scene: Scene, item: Institution, place: int, package: str, parts: Sequence[str]) -> None:
    """M24: the parts of a package, dearer than the package (分解项目收费)."""
    begins = scene.second(138 + place, 9)
    lines = [(part, 2_000) for part in parts]
    wrong = _see(scene, item, begins, _fees(begins, *lines))
    scene.case("M24", "三个分项代替组合", item, wrong, amount_fen=3_000)
    few = _see(scene, item, begins + HOUR_S, _fees(begins + HOUR_S, *lines[:2]))
    scene.near_miss("M24", "只有两个分项", item, few)
    later = begins + 2 * HOUR_S
    whole = _see(scene, item, later, _fees(later, (package, 3_000)))
    scene.near_miss("M24", "收取组合项目", item, whole)


def _alone(scene: Scene, item: Institution, place: int, dependent: str, main: str) -> None:
    """M25: what goes with something, without it (关联缺失收费)."""
    begins = scene.second(142 + place, 9)
    wrong = _see(scene, item, begins, _fees(begins, (dependent, 5_000)))
    scene.case("M25", "有从项无主项", item, wrong, amount_fen=5_000)
    right = _see(scene, item, begins, _fees(begins, (dependent, 5_000), (main, 20_000)))
    scene.near_miss("M25", "从项与主项都有", item, right)


def _never_bought(scene: Scene, item: Institution, place: int) -> None:
    """M26: more consumables charged than bought; M40: more drugs sold than there were."""
    begins = scene.second(146 + place, 9)
    for bought, note in ((4, "当月收费10件，采购4件"), (10, "当月收费10件，采购10件")):
        code = scene.consumable()
        buy(scene, item, code, begins - HOUR_S, count=bought, price=3_000)
        fee = Fee(code=code, second=begins + 300, count=10, price_fen=3_000, category="08")
        mdtrt_id = _see(scene, item, begins, [fee])
        key = scene.month(begins)
        if bought < 10:
            scene.case("M26", note, item, mdtrt_id, key=code, amount_fen=18_000)
        else:
            scene.near_miss("M26", note, item, mdtrt_id, key=code)
        drug = scene.drug()
        buy(scene, item, drug, begins - HOUR_S, count=2 * bought, price=2_000)
        sold = [Fee(code=drug, second=begins + 400, count=20, price_fen=2_000)]
        mdtrt_id = _see(scene, item, begins, sold)
        if bought < 10:
            scene.case("M40", f"{key}销售20盒，采购8盒", item, key=drug, amount_fen=24_000)
        else:
            scene.near_miss("M40", f"{key}销售20盒，采购20盒", item, key=drug)


def _uncovered(scene: Scene, item: Institution, place: int) -> None:
    """M27: what the fund does not pay, paid by the fund (丙类费用纳入支付)."""
    begins = scene.second(150 + place, 15)
    for covered, note in ((5_000, "自费项目纳入支付"), (0, "自费项目未纳入支付")):
        fee = Fee(
            code=scene.service(),
            second=begins + 300,
            price_fen=5_000,
            covered_fen=covered,
            level="03",
            category="05",
        )
        mdtrt_id = _see(scene, item, begins, [fee])
        if covered:
            scene.case("M27", note, item, mdtrt_id, amount_fen=5_000)
        else:
            scene.near_miss("M27", note, item, mdtrt_id)


def _twice_sold(scene: Scene, place: int) -> None:
    """M38: a trace code that is settled twice (追溯码重复结算)."""
    sites = scene.hospitals(inpatient=False)
    here, there = sites[place], sites[place + 5]
    code, begins = scene.drug(traced=True), scene.second(154 + place, 9)
    for item in (here, there):
        buy(scene, item, code, begins - 30 * DAY_S, count=20, price=4_000)

    def hand_out(item: Institution, second: int, trace: str) -> str:
        fee = Fee(code=code, second=second + 300, price_fen=4_000)
        told = Visit(begins_s=second, traces={0: [trace]})
        return visit(scene, item, scene.person(), told, [fee])

    shops = scene.pharmacies()
    shop = shops[place % len(shops)]
    buy(scene, shop, code, begins - 30 * DAY_S, count=20, price=4_000)

    def hand_over(second: int, trace: str) -> str:
        fee = Fee(code=code, second=second, price_fen=4_000)
        told = Visit(begins_s=second, traces={0: [trace]})
        return sell(scene, shop, scene.person(), told, [fee])

    trace, other = scene.trace(), scene.trace()
    hand_out(here, begins, trace)
    again = hand_over(begins + DAY_S, trace)
    scene.case("M38", "医院已结算的追溯码在药店售出", shop, again, key=trace, amount_fen=2_800)
    once = hand_over(begins + DAY_S, other)
    scene.near_miss("M38", "追溯码在药店只售出一次", shop, once, key=other)
    trace = scene.trace()
    hand_out(here, begins, trace)
    again = hand_out(there, begins + DAY_S, trace)
    scene.case("M38", "同一追溯码在另一机构再次结算", there, again, key=trace, amount_fen=2_800)
    for item in (here, there):
        other = scene.trace()
        once = hand_out(item, begins + 2 * DAY_S, other)
        scene.near_miss("M38", "追溯码只结算一次", item, once, key=other)


def _untraced(scene: Scene, item: Institution, place: int) -> None:
    """M39: a drug paid by the fund without a trace code (追溯码缺失)."""
    begins = scene.second(158 + place, 9)
    code = scene.drug(traced=True)
    buy(scene, item, code, begins - 20 * DAY_S, count=20, price=3_000)
    fee = Fee(code=code, second=begins + 300, price_fen=3_000)
    wrong = _see(scene, item, begins, [fee])
    scene.case("M39", "基金支付药品无追溯码", item, wrong, amount_fen=2_100)
    told = Visit(begins_s=begins, traces={0: [scene.trace()]})
    right = visit(scene, item, scene.person(), told, [fee])
    scene.near_miss("M39", "有追溯码", item, right)
    told = Visit(begins_s=begins, traces={0: [scene.trace()]})
    shops = scene.pharmacies()
    shop = shops[place % len(shops)]
    buy(scene, shop, code, begins - 20 * DAY_S, count=20, price=3_000)
    bought = [Fee(code=code, second=begins, price_fen=3_000)]
    wrong = sell(scene, shop, scene.person(), Visit(begins_s=begins), bought)
    scene.case("M39", "药店售出而未上传追溯码", shop, wrong, amount_fen=2_100)
    right = sell(scene, shop, scene.person(), told, bought)
    scene.near_miss("M39", "药店售出并上传追溯码", shop, right)
    exempt = Fee(code=scene.drug(), second=begins + 300, price_fen=3_000)
    free = _see(scene, item, begins, [exempt])
    scene.near_miss("M39", "无码库药品", item, free)
