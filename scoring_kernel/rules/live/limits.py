"""Live forms of the rules on what the fund pays for: M01 to M07, M14, M15."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scoring_kernel.rules.live.case import Case, Hit, item_hits, shown
from scoring_kernel.rules.live.encounter import DAY_S, date_of, day_of
from scoring_kernel.rules.live.known import find_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from scoring_kernel.rules.live.encounter import Order

__all__ = ["child_drug", "child_item", "drug_gender", "drug_insurance", "drug_level"]
__all__ += ["drug_setting", "indication", "item_gender", "rank_of", "second_line"]

_SEXES: Final = {"1": "男性", "2": "女性"}
_RANKS: Final = {
    **dict.fromkeys(("01", "02", "03", "04", "12"), 3),
    **dict.fromkeys(("05", "06", "07", "13"), 2),
    **dict.fromkeys(("08", "09", "10", "14"), 1),
    "11": 0,
}
_RANK_WORDS: Final = {3: "三级", 2: "二级", 1: "一级", 0: "无等级"}
_STAGES: Final = {"child": "儿童", "infant": "婴幼儿", "newborn": "新生儿"}
_WESTERN: Final = re.compile(r"[A-Z][0-9]{2}(?:[.][^.]*)?")
"""Codes of Chinese medicine (中医病证) have two points, as A04.01.02."""
_FIRST_LINE_CODE: Final = 6


def rank_of(level: str | None) -> int | None:
    """Rank of a level of institutions (医院等级); None where it has none.

    >>> rank_of("02"), rank_of("11"), rank_of(None)
    (3, 0, None)
    """
    return _RANKS.get(level or "")


def _told(orders: Iterable[Order], words: str) -> Iterator[Hit]:
    """Tell of orders, with their whole amount within scope."""
    return item_hits(
        ((order, order.inscp_fen) for order in orders), lambda order: f"{words}{shown(order)}"
    )


def _in_scope(case: Case) -> Iterator[Order]:
    return (order for order in case.orders if order.inscp_fen > 0)


def drug_gender(case: Case) -> Iterator[Hit]:
    """M01 药品区分性别使用."""
    return _gender(case, "k_drug_gender", "药品")


def item_gender(case: Case) -> Iterator[Hit]:
    """M02 医疗服务项目区分性别使用."""
    return _gender(case, "k_item_gender", "项目")


def _gender(case: Case, table: str, kind: str) -> Iterator[Hit]:
    gender, rows = case.encounter.gender or "", case.knowledge.rows
    if gender not in _SEXES:
        return iter(())
    is_item = table == "k_item_gender"
    found = [
        order
        for order in _in_scope(case)
        if not (is_item and order.maternity)
        and any(row["gender"] != gender for row in rows(table, order.item_code, order.at))
    ]
    other = _SEXES["2" if gender == "1" else "1"]
    return _told(found, f"{_SEXES[gender]}患者使用限{other}" + kind)


def years_at(born: date, day: date) -> int:
    """Full years of age on a day.

    >>> from datetime import date
    >>> years_at(date(2008, 2, 29), date(2026, 2, 28)), years_at(date(2008, 3, 1), date(2026, 3, 1))
    (17, 18)
    """
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def child_drug(case: Case) -> Iterator[Hit]:
    """M03 药品限儿童使用."""
    born, limit = case.encounter.born, case.whole("child_age_years")
    if born is None:
        return iter(())
    found = [
        order
        for order in _in_scope(case)
        if not order.maternity
        and any(True for _ in case.knowledge.rows("k_drug_child", order.item_code, order.at))
        and years_at(born, date_of(order.day)) >= limit
    ]
    return _told(found, "非儿童患者使用限儿童药品")


def child_item(case: Case) -> Iterator[Hit]:
    """M04 医疗服务项目儿童专用."""
    one = case.encounter
    born = one.born
    if born is None:
        return iter(())
    begun = one.now if one.begins_at is None else one.begins_at
    begun_days = begun // DAY_S - day_of(born)
    limits = {
        "child": case.whole("child_age_years"),
        "infant": case.whole("infant_age_years"),
    }

    def is_beyond(stage: str, order: Order) -> bool:
        if stage == "newborn":
            return begun_days >= case.whole("newborn_age_days")
        return stage in limits and years_at(born, date_of(order.day)) >= limits[stage]

    found = [
        order
        for order in _in_scope(case)
        if not order.maternity
        and any(
            is_beyond(row["stage"], order)
            for row in case.knowledge.rows("k_item_child", order.item_code, order.at)
        )
    ]
    return _told(found, "超过年龄的患者使用儿童专用项目")


def drug_insurance(case: Case) -> Iterator[Hit]:
    """M05 药品限工伤、生育保险."""
    one = case.encounter
    if one.insutype not in case.codes("basic_insutypes"):
        return iter(())
    is_maternity = one.med_type in case.codes("maternity_types")
    found = []
    for order in _in_scope(case):
        kinds = {
            row["insurance"]
            for row in case.knowledge.rows("k_drug_insutype", order.item_code, order.at)
        }
        if kinds and not (is_maternity and "maternity" in kinds):
            found.append(order)
    return _told(found, "基本医疗保险支付限工伤、生育保险药品")


def drug_level(case: Case) -> Iterator[Hit]:
    """M06 药品限医疗机构等级."""
    one, rows = case.encounter, case.knowledge.rows
    limited = [
        (order, [row["min_rank"] for row in rows("k_drug_hosplevel", order.item_code, order.at)])
        for order in _in_scope(case)
    ]
    limited = [(order, ranks) for order, ranks in limited if ranks]
    if not limited:
        return iter(())
    profiles = case.need().profiles(one.institution)
    found = []
    for order, ranks in limited:
        profile = find_at(profiles, order.at)
        rank = None if profile is None else rank_of(profile.level)
        if rank is not None and max(ranks) > rank:
            found.append(order)
    return _told(found, "机构等级低于限定等级使用药品")


def drug_setting(case: Case) -> Iterator[Hit]:
    """M07 药品限就医方式."""
    med_type = case.encounter.med_type
    if med_type is None:
        return iter(())
    allowed = {
        "inpatient": med_type in case.codes("inpatient_types"),
        "emergency": med_type in case.codes("emergency_types"),
    }
    found = []
    for order in _in_scope(case):
        settings = [
            row["setting"]
            for row in case.knowledge.rows("k_drug_setting", order.item_code, order.at)
        ]
        if settings and not any(allowed.get(setting, False) for setting in settings):
            found.append(order)
    return _told(found, "非住院（急诊）就医使用限定就医方式的药品")


def indication(case: Case) -> Iterator[Hit]:
    """M14 限适应症用药."""
    diagnoses = [code for code in case.encounter.diagnoses if _WESTERN.fullmatch(code)]
    if not diagnoses:
        return iter(())
    found = []
    for order in _in_scope(case):
        prefixes = [
            row["icd_prefix"]
            for row in case.knowledge.prefixed("k_drug_indication", order.item_code, order.at)
        ]
        if prefixes and not any(code.startswith(tuple(prefixes)) for code in diagnoses):
            found.append(order)
    return _told(found, "诊断不在适应症内使用限适应症药品")


def second_line(case: Case) -> Iterator[Hit]:
    """M15 限二线用药无一线用药史."""
    lookback, prefixed = case.whole("lookback_days"), case.knowledge.prefixed
    found = []
    for order in _in_scope(case):
        firsts = tuple(
            row["first_code"] for row in prefixed("k_second_line", order.item_code, order.at)
        )
        if firsts and not any(
            one.line.quantity_e4 > 0
            and 0 <= order.day - one.line.day <= lookback
            and any(_begins(one.line.item_code, first) for first in firsts)
            for one in case.used()
        ):
            found.append(order)
    return _told(found, "追溯期内无一线用药史使用限二线药品")


def _begins(item_code: str, first_code: str) -> bool:
    return item_code[:_FIRST_LINE_CODE] == first_code[:_FIRST_LINE_CODE] and item_code.startswith(
        first_code
    )
