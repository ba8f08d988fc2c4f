"""Live forms of the rules on how often a service is charged: M09 to M11, M22, M23."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from scoring_kernel.rules.live.case import Case, Hit, HitLine, Used, day_text, divided, hour_of
from scoring_kernel.rules.live.encounter import DAY_S
from scoring_kernel.rules.rule import INVOLVED, VIOLATING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["daily_items", "exclusive_items", "hourly_items", "item_cycle", "item_frequency"]

_HOURS_6_S: Final = 21_600
_E4: Final = 10_000
_MUTEX: Final = "k_item_mutex"
_KINDS: Final = {"bed": "床位", "nursing": "护理", "consultation": "诊察"}


def exclusive_items(case: Case) -> Iterator[Hit]:
    """M09 医疗服务项目重复收费（互斥项目）."""
    knowledge, one = case.knowledge, case.encounter
    if not any(knowledge.has(_MUTEX, item) or item in _subs(case) for item in _items(case)):
        return
    charged = [used for used in case.used() if used.institution == one.institution]
    standing = _net(charged)
    subs: dict[str, list[Used]] = defaultdict(list)
    for used in standing:
        subs[used.line.item_code].append(used)
    clashes: dict[int, dict[tuple[int, int], HitLine]] = defaultdict(dict)
    for main in standing:
        for row in knowledge.rows(_MUTEX, main.line.item_code, main.line.at):
            if row["sub_code"] == row["code"]:
                continue
            for sub in subs.get(row["sub_code"], ()):
                if _clashes(row["scope"], main, sub):
                    found = clashes[sub.line.day]
                    found[INVOLVED, id(main.line)] = main.of_hit(INVOLVED)
                    found[VIOLATING, id(sub.line)] = sub.of_hit(VIOLATING, sub.line.inscp_fen)
    for day, lines in clashes.items():
        kept = [line for line in lines.values() if line.role == INVOLVED or line.amount_fen > 0]
        violating = [line for line in kept if line.role == VIOLATING]
        if violating and _is_current(kept):
            yield Hit(
                key=day_text(day),
                at=min(_at(line) for line in violating),
                amount_fen=sum(line.amount_fen for line in violating),
                lines=tuple(kept),
                words=f"同时收取互斥项目【{_name(violating)}】",
            )


def _subs(case: Case) -> frozenset[str]:
    return case.knowledge.values_of(_MUTEX, "sub_code")


def _items(case: Case) -> set[str]:
    return {order.item_code for order in case.orders}


def _net(charged: Iterable[Used]) -> list[Used]:
    """Lines whose item has a net quantity above nothing on their day and in their visit."""
    groups: dict[tuple[int, int, str], list[Used]] = defaultdict(list)
    for used in charged:
        groups[used.visit, used.line.day, used.line.item_code].append(used)
    return [
        used
        for group in groups.values()
        if sum(used.line.quantity_e4 for used in group) > 0
        for used in group
    ]


def _clashes(scope: str, main: Used, sub: Used) -> bool:
    if scope in ("day", "hour"):
        return sub.line.day == main.line.day and (
            scope == "day" or hour_of(sub.line.at) == hour_of(main.line.at)
        )
    if sub.visit != main.visit:
        return False
    return scope == "visit" or (
        scope == "hours_6" and abs(sub.line.at - main.line.at) <= _HOURS_6_S
    )


def item_frequency(case: Case) -> Iterator[Hit]:
    """M10 医疗服务项目超限定频次."""
    knowledge = case.knowledge
    for (item, day), lines in _days(case, "k_item_freq").items():
        for row in knowledge.rows("k_item_freq", item, day * DAY_S):
            found = _excess(case, lines, _E4 * row["day_limit"])
            if _is_current(found):
                yield _over(
                    item, day, found, f"【{_name(found)}】当日数量超过限定的{row['day_limit']}次"
                )


def _excess(case: Case, lines: Sequence[Used], limit_e4: int) -> list[HitLine]:
    """Own lines of a day with their parts of the money above the limit, of all institutions' lines.

    The excess of the day is rounded once and divided by differences of running amounts. None
    where the quantity is within the limit, or nothing of the day within scope.
    """
    quantity = sum(used.line.quantity_e4 for used in lines)
    if quantity <= limit_e4 or sum(used.line.inscp_fen for used in lines) <= 0:
        return []
    running, found = 0, []
    for used in sorted(lines, key=lambda used: (used.line.at, used.institution)):
        before, running = running, running + used.line.inscp_fen
        share = _part(running, quantity - limit_e4, quantity) - _part(
            before, quantity - limit_e4, quantity
        )
        if used.institution == case.encounter.institution:
            found.append(used.of_hit(VIOLATING, share))
    return found


def _over(item: str, day: int, found: Sequence[HitLine], words: str) -> Hit:
    return Hit(
        key=f"{item}|{day_text(day)}",
        at=min(_at(line) for line in found),
        amount_fen=sum(line.amount_fen for line in found),
        lines=tuple(found),
        words=words,
    )


def _part(amount: int, of: int, whole: int) -> int:
    """Share of an amount, half up to the fen, as the SQL rounds it."""
    return divided(2 * amount * of + whole, 2 * whole)


def _days(case: Case, table: str) -> dict[tuple[str, int], list[Used]]:
    """Lines by item and day, of the days and items that the encounter orders."""
    knowledge = case.knowledge
    wanted = {
        (order.item_code, order.day)
        for order in case.orders
        if order.is_current and knowledge.has(table, order.item_code)
    }
    groups: dict[tuple[str, int], list[Used]] = {}
    if wanted:
        for used in case.used():
            at = (used.line.item_code, used.line.day)
            if at in wanted:
                groups.setdefault(at, []).append(used)
    return groups


def item_cycle(case: Case) -> Iterator[Hit]:
    """M11 医疗服务项目超限定周期."""
    table, one = "k_item_cycle", case.encounter
    items = {
        order.item_code
        for order in case.orders
        if order.is_current and case.knowledge.has(table, order.item_code)
    }
    for item in items:
        days: dict[int, list[Used]] = defaultdict(list)
        limits: dict[int, tuple[int, int]] = {}
        for used in case.used():
            if used.line.item_code == item:
                rows = list(case.knowledge.rows(table, item, used.line.day * DAY_S))
                if rows:
                    days[used.line.day].append(used)
                    limits[used.line.day] = (
                        max(row["days"] for row in rows),
                        min(row["times"] for row in rows),
                    )
        counted = sorted(
            day for day, lines in days.items() if sum(one.line.quantity_e4 for one in lines) > 0
        )
        for place, day in enumerate(counted):
            span, times = limits[day]
            if place < times or day - counted[place - times] >= span:
                continue
            violating = [
                used.of_hit(VIOLATING, used.line.inscp_fen)
                for used in days[day]
                if used.institution == one.institution and used.line.inscp_fen > 0
            ]
            if violating and _is_current(violating):
                yield Hit(
                    key=f"{item}|{day_text(day)}",
                    at=min(_at(line) for line in violating),
                    amount_fen=sum(line.amount_fen for line in violating),
                    lines=(
                        *violating,
                        *(used.of_hit(INVOLVED) for used in days[counted[place - times]]),
                    ),
                    words=f"【{_name(violating)}】{span}日内超过{times}次",
                )


def daily_items(case: Case) -> Iterator[Hit]:
    """M22 床位/护理/诊察费数量超住院天数."""
    one = case.encounter
    if not one.inpatient or one.begins_at is None or one.ends_at is None:
        return
    days = max(1, one.ends_at // DAY_S - one.begins_at // DAY_S)
    allowed = _E4 * (days + case.whole("extra_days"))
    groups: dict[str, list[HitLine]] = defaultdict(list)
    for order in case.orders:
        for row in case.knowledge.rows("k_daily_items", order.item_code, order.at):
            groups[row["kind"]].append(HitLine(order, None, VIOLATING, 0))
    for kind, lines in groups.items():
        quantity = sum(line.order.quantity_e4 for line in lines if line.order)
        inscp = sum(line.order.inscp_fen for line in lines if line.order)
        if quantity > allowed and inscp > 0 and _is_current(lines):
            yield Hit(
                key=kind,
                at=min(_at(line) for line in lines),
                amount_fen=_part(inscp, quantity - allowed, quantity),
                lines=tuple(lines),
                words=f"{_KINDS.get(kind, kind)}费数量超过住院天数（{days}日）",
            )


def hourly_items(case: Case) -> Iterator[Hit]:
    """M23 按小时计费项目超24小时/日."""
    most = case.whole("max_hours")
    for (item, day), lines in _days(case, "k_hourly_items").items():
        hourly = [
            used
            for used in lines
            if any(True for _ in case.knowledge.rows("k_hourly_items", item, used.line.at))
        ]
        hours: dict[tuple[str, int], int] = {}
        for used in hourly:
            visit = (used.institution, used.visit)
            hours[visit] = min(hours.get(visit, 24), _hours(used, day))
        allowed = min(most, sum(hours.values()))
        found = _excess(case, hourly, _E4 * allowed)
        if _is_current(found):
            yield _over(item, day, found, f"【{_name(found)}】当日数量超过{allowed}小时")


def _hours(used: Used, day: int) -> int:
    """Hours of a day in which a visit can be charged for; a part of an hour counts as one."""
    if not used.inpatient or used.begins_at is None:
        return 24
    end = (day + 1) * DAY_S
    seconds = min(end if used.ends_at is None else used.ends_at, end) - max(
        used.begins_at, day * DAY_S
    )
    return (seconds + 3599) // 3600 if seconds > 0 else 24


def _is_current(lines: Iterable[HitLine]) -> bool:
    return any(line.order is not None and line.order.is_current for line in lines)


def _at(line: HitLine) -> int:
    if line.order is not None:
        return line.order.at
    return 0 if line.past is None else line.past.at


def _name(lines: Sequence[HitLine]) -> str:
    for line in lines:
        if line.order is not None:
            return line.order.name or line.order.item_code
    return ""
