"""Questions about what is ordered or charged: limits, amounts, repetition, trace codes.

Warnings W08 to W11.
"""

from collections.abc import Sequence
from datetime import date

from deploy.simulation.city import Institution, Person
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.goods import buy
from deploy.simulation.injected.questions import Order, Question, ask, verify
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.visits import Visit, sell, visit
from deploy.simulation.visits import DAY_S

__all__ = ["ask_about_orders"]

_PRESCRIBED, _CHARGED = "2", "4"
"""Scenes of 3101: 门诊处方, 住院收费登记."""
_SETTLED, _BILL, _DISCHARGE, _PURCHASE = "6", "7", "9", "10"
"""Scenes of 3102: 门诊结算, 门诊预结算, 出院预结算, 购药."""
_MAN, _WOMAN = "1", "2"
_CHRONIC, _STAY, _SALE = "14", "21", "41"


def ask_about_orders(scene: Scene) -> None:
    """Write the cases of W08 to W11."""
    women, children, beds = scene.drug(), scene.drug(), scene.drug()
    scene.point("一", "drug", "限定性别对象", women, limit="女")
    scene.point("一", "drug", "限定年龄对象", children, limit="儿童")
    scene.point("四", "drug", "限定就医方式", beds, limit="住院")
    main, sub, once, hourly = (scene.service() for _ in range(4))
    scene.point("七", "item", "重复收费", main, limit="单日", other_code=sub)
    scene.point("八", "item", "限定频次", once, limit="1次/日")
    scene.know("k_hourly_items", code=hourly)
    for place, item in enumerate(scene.hospitals()[3:6]):
        _limits(scene, item, place, (women, children, beds))
        _amounts(scene, item, place)
        _charges(scene, item, place, (main, sub, once, hourly))
        _traces(scene, item, place)


def _ask(
    scene: Scene, item: Institution, person: Person, scenes: str, second: int, *orders: Order,
    med_type: str = "11",
) -> str:  # fmt: skip
    infno = "3101" if scenes in {_PRESCRIBED, _CHARGED} else "3102"
    if infno == "3102" and scenes in {_SETTLED, _PURCHASE}:
        verify(scene, item, person, second)
    begins = second - DAY_S if med_type == _STAY else None
    one = Question(
        infno=infno,
        scene=scenes,
        second=second,
        orders=orders,
        med_type=med_type,
        begins_s=begins,
        ends_s=second if scenes == _DISCHARGE else None,
    )
    return ask(scene, item, person, one)


def _limits(scene: Scene, item: Institution, place: int, codes: Sequence[str]) -> None:
    """W08: orders outside of what the fund pays for (支付限定)."""
    women, children, beds = codes
    at = scene.second(150 + place, 10)
    today = date.fromisoformat(scene.day(at))
    born = today.replace(year=today.year - 18)
    minor = scene.born(date.fromordinal(born.toordinal() + 1))
    past = {"curr_drord_flag": "0"}
    for is_case, code, person, more, scenes, note in (
        (True, women, scene.person(sex=_MAN), {}, _PRESCRIBED, "限女性，开给男性"),
        (True, children, scene.born(born), {}, _PRESCRIBED, "限儿童，当日满十八周岁"),
        (True, beds, scene.person(), {}, _PRESCRIBED, "限住院，门诊开具"),
        (False, women, scene.person(sex=_WOMAN), {}, _PRESCRIBED, "限女性，开给女性"),
        (False, children, minor, {}, _PRESCRIBED, "限儿童，次日满十八周岁"),
        (False, beds, scene.person(), {}, _CHARGED, "限住院，住院开具"),
        (False, women, scene.person(sex=_MAN), past, _PRESCRIBED, "不是当前医嘱"),
    ):
        order = Order(code=code, count=2, price_fen=1_750, own_fen=300, more=more)
        med_type = _STAY if scenes == _CHARGED else "11"
        mdtrt_id = _ask(scene, item, person, scenes, at, order, med_type=med_type)
        if is_case:
            amount = order.scope_fen
            scene.case("W08", note, item, mdtrt_id, key=code, amount_fen=amount)
        else:
            scene.near_miss("W08", note, item, mdtrt_id)


def _amounts(scene: Scene, item: Institution, place: int) -> None:
    """W09: more than may be prescribed at once, or again too early (超量、重复开药)."""
    at = scene.second(154 + place, 10)
    for days, med_type, note in (
        (8, "11", "普通门诊开药8天"),
        (4, "13", "急诊开药4天"),
        (7, "11", "普通门诊开药7天"),
        (3, "13", "急诊开药3天"),
    ):
        order = Order(code=scene.drug(), more={"prd_days": days})
        mdtrt_id = _ask(scene, item, scene.person(), _PRESCRIBED, at, order, med_type=med_type)
        if days in {8, 4}:
            scene.case("W09", note, item, mdtrt_id)
        else:
            scene.near_miss("W09", note, item, mdtrt_id)
    for waited, note in ((22, "尚余8天再开药"), (23, "尚余7天再开药")):
        code, person, begins = scene.drug(), scene.person(age=66), at - waited * DAY_S
        fee = Fee(code=code, second=begins + 300, more={"prd_days": 30})
        visit(scene, item, person, Visit(begins_s=begins, med_type=_CHRONIC), [fee])
        order = Order(code=code, more={"prd_days": 30})
        mdtrt_id = _ask(scene, item, person, _PRESCRIBED, at, order, med_type=_CHRONIC)
        if waited == 22:
            scene.case("W09", note, item, mdtrt_id)
        else:
            scene.near_miss("W09", note, item, mdtrt_id)


def _charges(scene: Scene, item: Institution, place: int, codes: Sequence[str]) -> None:
    """W10: charged twice, or too often a day (重复收费、频次超限)."""
    main, sub, once, hourly = codes
    at = scene.second(158 + place, 10)
    pair = Order(code=sub, price_fen=3_300)
    for orders, scenes, med_type, amount, note in (
        ((Order(code=main), pair), _BILL, "11", 3_300, "同日收取互斥项目"),
        ((Order(code=once, count=3),), _BILL, "11", 4_000, "一日三次，限一日一次"),
        (
            (Order(code=hourly, count=25, price_fen=500, second=at - DAY_S),),
            _CHARGED, _STAY, 5_500, "入院当日14小时收25小时",
        ),
        ((Order(code=main), _yesterday(pair, at)), _BILL, "11", None, "互斥项目在相邻两日"),
        ((Order(code=once),), _BILL, "11", None, "一日一次"),
        (
            (Order(code=hourly, count=14, price_fen=500, second=at - DAY_S),),
            _CHARGED, _STAY, None, "入院当日14小时收14小时",
        ),
    ):  # fmt: skip
        mdtrt_id = _ask(scene, item, scene.person(), scenes, at, *orders, med_type=med_type)
        if amount is not None:
            scene.case("W10", note, item, mdtrt_id, amount_fen=amount)
        else:
            scene.near_miss("W10", note, item, mdtrt_id)


def _yesterday(order: Order, at: int) -> Order:
    return Order(code=order.code, price_fen=order.price_fen, second=at - DAY_S)


def _traces(scene: Scene, item: Institution, place: int) -> None:
    """W11: a trace code that was settled or sold, is missing, or was never bought (追溯码)."""
    at = scene.second(162 + place, 10)
    shops = scene.pharmacies()
    shop = shops[place % len(shops)]
    code, untraced = scene.drug(traced=True), scene.drug()
    settled, sold, unsold, strange = (scene.trace() for _ in range(4))
    for where in (item, shop):
        second = at - 40 * DAY_S
        bought = (settled, sold, unsold) if where is item else (scene.trace(),)
        buy(scene, where, code, second, count=20, price=4_000, traces=bought)
    begins = at - 20 * DAY_S
    fee = Fee(code=code, second=begins + 300, price_fen=4_000)
    visit(scene, item, scene.person(), Visit(begins_s=begins, traces={0: [settled]}), [fee])
    begins += HOUR_S
    taken = Visit(begins_s=begins, traces={0: [sold]})
    sell(scene, shop, scene.person(), taken, [Fee(code=code, second=begins, price_fen=4_000)])
    for is_case, drug, traces, note in (
        (True, code, (settled,), "追溯码在本机构已结算"),
        (True, code, (sold,), "追溯码在药店已售出"),
        (True, code, (), "没有追溯码"),
        (True, code, (strange,), "追溯码不在本机构采购记录中"),
        (False, code, (unsold,), "追溯码采购过、没有售出"),
        (False, untraced, (), "无码库药品"),
    ):
        rows = [{"drug_trac_codg": trace} for trace in traces]
        order = Order(code=drug, price_fen=4_000, more={"drug_trac_info": rows})
        mdtrt_id = _ask(scene, item, scene.person(), _SETTLED, at, order)
        if is_case:
            scene.case("W11", note, item, mdtrt_id)
        else:
            scene.near_miss("W11", note, item, mdtrt_id)
