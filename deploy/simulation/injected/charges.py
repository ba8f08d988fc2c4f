"""Cases about how often something is charged: courses, pairs, counts and cycles (M08 to M12)."""

from collections.abc import Sequence

from deploy.simulation.city import Institution
from deploy.simulation.injected.fees import Fee
from deploy.simulation.injected.scene import HOUR_S, Scene
from deploy.simulation.injected.stays import Stay, stay
from deploy.simulation.injected.visits import Visit, visit
from deploy.simulation.visits import DAY_S

__all__ = ["write_charges"]


def write_charges(scene: Scene) -> None:
    """Write the cases of M08 to M12."""
    _courses(scene)
    _pairs(scene)
    _counts(scene)
    _cycles(scene)
    _treatments(scene)


def _treated(scene: Scene, item: Institution, first: int, days: int, daily: Sequence[Fee]) -> str:
    """Write a stay of which every day has a bed, a treatment, and what is asked."""
    begins = scene.second(first, 8)
    bed, therapy = scene.service("11"), scene.service("31")
    told = Stay(admitted_s=begins, discharged_s=begins + days * DAY_S + HOUR_S)
    common = [
        fee
        for day in range(days)
        for fee in (
            Fee(code=bed, second=begins + day * DAY_S + HOUR_S, category="01", price_fen=4_500),
            Fee(code=therapy, second=begins + day * DAY_S + 7_200, category="05"),
        )
    ]
    return stay(scene, item, scene.person(), told, [*common, *daily])


def _daily(scene: Scene, code: str, first: int, days: Sequence[int], category: str) -> list[Fee]:
    return [
        Fee(
            code=code,
            second=scene.second(first + day, 10),
            price_fen=2_350,
            category=category,
        )
        for day in days
    ]


def _courses(scene: Scene) -> None:
    """M08: longer than the course the fund pays for (限定支付疗程), fourteen days here."""
    code = scene.drug()
    scene.point("六", "drug", "限定支付疗程", code, limit="14天")
    for place, item in enumerate(scene.hospitals()[:3]):
        first = 5 + place
        used = _daily(scene, code, first, range(16), "09")
        long = _treated(scene, item, first, 17, used)
        scene.case("M08", "连续用药16天，限14天", item, long)
        used = _daily(scene, code, first, range(14), "09")
        scene.near_miss("M08", "连续用药14天", item, _treated(scene, item, first, 15, used))
        # Eight days without the drug between two courses of ten.
        used = _daily(scene, code, first, [*range(10), *range(18, 28)], "09")
        twice = _treated(scene, item, first, 29, used)
        scene.near_miss("M08", "两个疗程各10天，间隔超过7天", item, twice)


def _pairs(scene: Scene) -> None:
    """M09: two items of which one includes the other, charged on one day (重复收费)."""
    main, sub = scene.service(), scene.service()
    scene.point("七", "item", "重复收费", main, limit="单日", other_code=sub)
    for place, item in enumerate(scene.hospitals(inpatient=False)[:3]):
        begins = scene.second(25 + place, 9)

        def fees(*moments: tuple[str, int]) -> list[Fee]:
            return [
                Fee(code=code, second=second, category="05", price_fen=3_300)
                for code, second in moments
            ]

        both = fees((main, begins + 300), (sub, begins + 600))
        wrong = visit(scene, item, scene.person(), Visit(begins_s=begins), both)
        scene.case("M09", "同日收取互斥项目", item, wrong, amount_fen=both[1].scope_fen)
        later = begins + DAY_S
        told = Visit(begins_s=begins + HOUR_S, settled_s=later + HOUR_S)
        right = visit(
            scene, item, scene.person(), told, fees((main, begins + HOUR_S + 300), (sub, later))
        )
        scene.near_miss("M09", "互斥项目在相邻两日", item, right)
        alone = fees((main, begins + 2 * HOUR_S + 300))
        told = Visit(begins_s=begins + 2 * HOUR_S)
        scene.near_miss("M09", "只收主项目", item, visit(scene, item, scene.person(), told, alone))


def _counts(scene: Scene) -> None:
    """M10: more often a day than the fund pays for (超限定频次), once here."""
    code = scene.service()
    scene.point("八", "item", "限定频次", code, limit="1次/日")
    for place, item in enumerate(scene.hospitals(inpatient=False)[:3]):
        begins = scene.second(33 + place, 9)
        for number, (count, note) in enumerate(((3, "一日三次，限一日一次"), (1, "一日一次"))):
            at = begins + number * HOUR_S
            fee = Fee(code=code, second=at + 300, count=count, price_fen=1_001, category="05")
            mdtrt_id = visit(scene, item, scene.person(), Visit(begins_s=at), [fee])
            if count > 1:
                scene.case("M10", note, item, mdtrt_id, amount_fen=2_002)
            else:
                scene.near_miss("M10", note, item, mdtrt_id)


def _cycles(scene: Scene) -> None:
    """M11: again before the cycle is over (超限定周期), seven days here, in any institution."""
    code = scene.service("25")
    scene.point("八", "item", "限定周期", code, limit="1次/7日")
    sites = scene.hospitals(inpatient=False)
    for place in range(3):
        here, there = sites[place], sites[place + 1]
        for days, person in ((6, scene.person()), (7, scene.person())):
            first = scene.second(50 + place, 9)
            again = first + days * DAY_S
            early = Fee(code=code, second=first + 300, category="04", price_fen=2_750)
            late = Fee(code=code, second=again + 300, category="04", price_fen=2_750)
            visit(scene, here, person, Visit(begins_s=first), [early])
            mdtrt_id = visit(scene, there, person, Visit(begins_s=again), [late])
            if days < 7:
                scene.case("M11", "7日内第二次", there, mdtrt_id, amount_fen=late.scope_fen)
            else:
                scene.near_miss("M11", "满7日后再次", there, mdtrt_id)


def _treatments(scene: Scene) -> None:
    """M12: more days of treatment than are paid for, or assessed too soon (超限定疗程)."""
    therapy, assessment = scene.service("34"), scene.service("34")
    scene.point("八", "item", "限定疗程", therapy, limit="支付不超过30天。")
    limit = "总时间不超过90天，评定间隔时间不短于14天。"
    scene.point("八", "item", "限定疗程", assessment, limit=limit)
    for place, item in enumerate(scene.hospitals()[:3]):
        first = 60 + place
        for days, note in ((32, "治疗32天，限30天"), (30, "治疗30天")):
            used = _daily(scene, therapy, first, range(days), "05")
            mdtrt_id = _treated(scene, item, first, days + 1, used)
            if days > 30:
                scene.case("M12", note, item, mdtrt_id, amount_fen=2_350)
            else:
                scene.near_miss("M12", note, item, mdtrt_id)
        for gap, note in ((13, "评定间隔13天，不短于14天"), (14, "评定间隔14天")):
            used = _daily(scene, assessment, first, (0, gap), "05")
            mdtrt_id = _treated(scene, item, first, 20, used)
            if gap < 14:
                scene.case("M12", note, item, mdtrt_id, amount_fen=2_350)
            else:
                scene.near_miss("M12", note, item, mdtrt_id)
