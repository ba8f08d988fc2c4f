"""Live forms of the rules on how much of a drug is ordered: M16 to M19."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from scoring_kernel.rules.live.case import (
    Case,
    Hit,
    HitLine,
    Used,
    day_text,
    divided,
    item_hits,
    shown,
)
from scoring_kernel.rules.rule import INVOLVED, VIOLATING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scoring_kernel.rules.live.encounter import Order
    from scoring_kernel.rules.rule import Value

__all__ = ["dose", "overlap", "quantity", "same_class"]

_E4: Final = 10_000
_MAX_DAYS: Final = 999
_MICRO: Final = 1_000_000
_NUMBER: Final = re.compile(r"([0-9]{1,7})(?:[.]([0-9]{1,4}))?")
_MICROGRAM: Final = ("ug", "μg", "µg", "mcg")
_TWO: Final = ("mg", "ug", "μg", "µg", "ml", "iu")
_DAY: Final = ("每日", "一日", "每天", "一天")


def _written(*digits: str) -> frozenset[str]:
    """Ways to write "so often a day" in Chinese."""
    chinese, number = digits[:-1], digits[-1]
    return frozenset(
        (
            *(f"{day}{one}次" for day in _DAY for one in chinese),
            *(f"{day}{number}次" for day in ("每日", "一日", "1日")),
            f"{number}次/日",
            f"{number}次/天",
        )
    )


_TWICE: Final = _written("两", "2") | {"每日二次", "一日二次"}
_TIMES: Final[dict[str, int]] = {
    **dict.fromkeys(
        ("qd", "qn", "qm", "q24h", "st", "once", "qod", "qw", "biw", "tiw", "每晚一次"), 1
    ),
    **dict.fromkeys(("每晨一次", "隔日一次", "每周一次", *_written("一", "1")), 1),
    **dict.fromkeys(("bid", "q12h", *_TWICE), 2),
    **dict.fromkeys(("tid", "q8h", *_written("三", "3")), 3),
    **dict.fromkeys(("qid", "q6h", *_written("四", "4")), 4),
    **dict.fromkeys(("q4h",), 6),
    **dict.fromkeys(("q3h",), 8),
    **dict.fromkeys(("q2h",), 12),
    **dict.fromkeys(("qh", "q1h"), 24),
}


def supply_days(case: Case, line: Used) -> int | None:
    """Days that a line's supply lasts; None where nobody can tell."""
    stated = line.line.days
    if stated is not None and stated > 0:
        return stated
    for row in case.knowledge.prefixed("k_pack_units", line.line.item_code, line.line.at):
        if row["daily_units_e4"]:
            return divided(
                line.line.quantity_e4 * row["units_per_pack_e4"], _E4 * row["daily_units_e4"]
            )
    return None


def _is_drug(item_code: str) -> bool:
    return item_code[:1] in ("X", "Z")


def quantity(case: Case) -> Iterator[Hit]:
    """M16 超量开药."""
    one = case.encounter
    if one.inpatient:
        return
    found: list[tuple[Order, int]] = []
    for used in case.own():
        order = used.order
        if (
            order is None
            or order.inscp_fen <= 0
            or order.is_refunded
            or not _is_drug(order.item_code)
        ):
            continue
        days = supply_days(case, used)
        limit = None if days is None else _limit_days(case, used)
        if limit is not None and days is not None and days > limit:
            amount = divided(2 * order.inscp_fen * (days - limit) + days, 2 * days)
            found.append((order, amount))
    yield from item_hits(found, lambda order: f"{shown(order)}用药天数超过处方限量")


def _limit_days(case: Case, used: Used) -> int | None:
    med_type, line = case.encounter.med_type, used.line
    if med_type in case.codes("emergency_types"):
        return case.whole("emergency_days")
    held = case.knowledge.prefixed("k_long_term", line.item_code, line.at)
    stated: int = next((row["limit_days"] for row in held), 0)
    if med_type in case.codes("chronic_types"):
        return min(max(stated, case.whole("chronic_days")), case.whole("long_term_days"))
    if med_type in case.codes("ordinary_types"):
        return min(max(stated, case.whole("ordinary_days")), case.whole("chronic_days"))
    return None


class _Supply(NamedTuple):
    """What one visit dispensed of a generic on one day."""

    day: int
    at: int
    institution: str
    is_own: bool
    visit: int
    days: int
    lines: tuple[Used, ...]

    @property
    def ends(self) -> int:
        return self.day + self.days


def overlap(case: Case) -> Iterator[Hit]:
    """M17 重复开药（持有量重叠）."""
    one, allowed = case.encounter, case.whole("overlap_days")
    if one.inpatient:
        return
    wanted = {
        _generic(case, used)
        for used in case.own()
        if _is_drug(used.line.item_code) and supply_days(case, used)
    }
    if not wanted:
        return
    for generic, supplies in _supplies(case, wanted).items():
        for place, later in enumerate(supplies):
            if not later.is_own:
                continue
            earlier = [before for before in supplies[:place] if before.ends > later.day]
            left = sum(before.ends - later.day for before in earlier)
            if left > allowed:
                hit = _overlapping(generic, later, earlier, min(left, later.days))
                if hit is not None:
                    yield hit


def _supplies(case: Case, wanted: set[str]) -> dict[str, list[_Supply]]:
    """Supplies of some generics in the order they were dispensed."""
    groups: dict[tuple[str, int, int], list[tuple[Used, int]]] = defaultdict(list)
    for used in case.used():
        line = used.line
        if not _is_drug(line.item_code) or used.inpatient or line.quantity_e4 <= 0:
            continue
        if line.is_refunded:
            continue
        generic = _generic(case, used)
        if generic in wanted and _is_supply(case, used):
            days = min(supply_days(case, used) or 0, _MAX_DAYS)
            groups[generic, used.visit, line.day].append((used, days))
    found: dict[str, list[_Supply]] = defaultdict(list)
    for (generic, visit, day), lines in groups.items():
        lasting = [used.line.at for used, days in lines if days > 0]
        if not lasting:
            continue
        found[generic].append(
            _Supply(
                day=day,
                at=min(lasting),
                institution=lines[0][0].institution,
                is_own=lines[0][0].order is not None,
                visit=visit,
                days=max(days for _, days in lines),
                lines=tuple(used for used, _ in lines),
            )
        )
    for supplies in found.values():
        supplies.sort(key=lambda supply: supply[:4])
    return found


def _is_supply(case: Case, used: Used) -> bool:
    line = used.line
    if line.days is not None and line.days > 0:
        return True
    return any(True for _ in case.knowledge.prefixed("k_pack_units", line.item_code, line.at))


def _overlapping(generic: str, later: _Supply, earlier: Sequence[_Supply], over: int) -> Hit | None:
    ordered = sorted(
        (used for used in later.lines if used.line.inscp_fen > 0), key=lambda used: used.line.at
    )
    running, lines = 0, list[HitLine]()
    for used in ordered:
        before, running = running, running + used.line.inscp_fen
        share = divided(2 * running * over + later.days, 2 * later.days) - divided(
            2 * before * over + later.days, 2 * later.days
        )
        lines.append(used.of_hit(VIOLATING, share))
    if not any(used.order is not None and used.order.is_current for used in ordered):
        return None
    first = ordered[0]
    return Hit(
        key=f"{generic}|{day_text(later.day)}",
        at=min(used.line.at for used in ordered),
        amount_fen=sum(line.amount_fen for line in lines),
        lines=(*lines, *(used.of_hit(INVOLVED) for one in earlier for used in one.lines)),
        words=f"【{_name(first)}】尚有持有量，又开{later.days}日",
    )


def _generic(case: Case, used: Used) -> str:
    item = used.line.item_code
    for row in case.knowledge.prefixed("k_generic_map", item, used.line.at):
        found: str = row["generic"]
        return found
    return item[: 10 if item.startswith("X") else 11]


def _name(used: Used) -> str:
    return (used.order.name if used.order is not None else "") or used.line.item_code


def same_class(case: Case) -> Iterator[Hit]:
    """M18 同类药物重复使用."""
    least = case.whole("min_same_class")
    groups: dict[tuple[str, int], dict[str, list[Order]]] = defaultdict(lambda: defaultdict(list))
    for order in case.orders:
        if order.quantity_e4 > 0:
            for row in case.knowledge.prefixed("k_atc", order.item_code, order.at):
                if row["no_combine"]:
                    groups[row["drug_class"], order.day][row["generic"]].append(order)
    for (drug_class, day), generics in groups.items():
        if len(generics) < least:
            continue
        dearest = min(
            generics, key=lambda generic: (-max(one.price_e6 for one in generics[generic]), generic)
        )
        lines = [
            HitLine(order, None, INVOLVED if generic == dearest else VIOLATING, 0)
            for generic, orders in generics.items()
            for order in orders
            if generic == dearest or order.inscp_fen > 0
        ]
        lines = [
            line._replace(amount_fen=line.order.inscp_fen)
            if line.role == VIOLATING and line.order
            else line
            for line in lines
        ]
        violating = [line.order for line in lines if line.role == VIOLATING and line.order]
        if violating and any(line.order and line.order.is_current for line in lines):
            yield Hit(
                key=f"{drug_class}|{day_text(day)}",
                at=min(order.at for order in violating),
                amount_fen=sum(line.amount_fen for line in lines),
                lines=tuple(lines),
                words=f"同类药物重复使用【{violating[0].name or violating[0].item_code}】",
            )


def dose(case: Case) -> Iterator[Hit]:
    """M19 药品超最大日剂量."""
    tolerance = case.values["tolerance"]
    found: list[tuple[Order, int]] = []
    for order in case.orders:
        if order.inscp_fen <= 0 or not order.dose or not order.frequency:
            continue
        for row in case.knowledge.prefixed("k_max_dose", order.item_code, order.at):
            most = row["max_daily_e4"]
            daily = _daily_e4(order.dose, order.frequency, row["unit"])
            if daily is not None and daily > most and _exceeds(daily, most, tolerance):
                amount = divided(2 * order.inscp_fen * (daily - most) + daily, 2 * daily)
                found.append((order, amount))
    yield from item_hits(found, lambda order: f"{shown(order)}超过最大日剂量")


def _exceeds(daily: int, most: int, tolerance: Value) -> bool:
    micro = 0 if isinstance(tolerance, tuple) else int(tolerance * _MICRO)
    return daily * _MICRO > most * micro


def _daily_e4(text: str, frequency: str, unit: str) -> int | None:
    """A day's dose in ten-thousandths of a unit; None where it cannot be read."""
    words, unit = text.strip(" ").lower(), unit.strip(" ").lower()
    times = _TIMES.get(frequency.strip(" ").lower())
    if times is None or len(words) < 2:
        return None
    cut = 3 if words.endswith("mcg") else 2 if words.endswith(_TWO) else 1
    found = _NUMBER.fullmatch(words[:-cut].strip(" "))
    scale = _scale(words[-cut:], unit)
    if found is None or scale is None:
        return None
    dose_e4 = int(found[1]) * _E4 + int((found[2] or "").ljust(4, "0"))
    by, over = scale
    return times * (dose_e4 * by // over)


def _scale(found: str, unit: str) -> tuple[int, int] | None:
    """How a unit becomes another: by, over; None where it cannot."""
    if found == unit or (found in _MICROGRAM and unit in _MICROGRAM):
        return 1, 1
    up = (found == "g" and unit == "mg") or (found == "mg" and unit in _MICROGRAM)
    down = (found == "mg" and unit == "g") or (found in _MICROGRAM and unit == "mg")
    return (1000, 1) if up else (1, 1000) if down else None
