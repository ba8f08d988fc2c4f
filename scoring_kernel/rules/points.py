"""The national knowledge points (国家“两库”知识点) become rows of knowledge tables, or a reason.

Rules:
- A point has the columns ``COLUMNS``; its rule type and object say which table it is for, its
  limit is read by the one form that the table knows. Nothing is guessed: a point whose limit or
  code has another form is unbound, with the reason.
- Every point is bound or unbound; the same row twice is one row of its table, and both bound.
- Where rules read one row of a code (``once`` of its table), a second one that says otherwise
  would count a line twice: a point is then unbound, a table's file refused.
- ``24次/小时`` is a charge by the hour, at most 24 a day: so rule M10 counts it.

Source: 国家医保局智能监管规则和知识点，第一至八批；columns as in the public compilation.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.errors import KernelInputError, RuleError
from scoring_kernel.rules.knowledge import DATES, read_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scoring_kernel.rules.knowledge import KnowledgeTable

COLUMNS: Final = (
    *("batch", "object", "rule_type", "code", "name", "limit", "other_code", "other_name"),
)
"""Columns of a file of points."""
MAX_POINTS: Final = 500_000
"""Most points of one file."""

PointRow: TypeAlias = "dict[str, str | int | bool | None]"
"""One row of a knowledge table, by column, without its days."""

_DRUG: Final = re.compile(r"X[A-Z][0-9]{2}[A-Z]{2}[A-Z][0-9]{3}[A-Z][0-9]{12}|Z[A-Z0-9]{19}")
_ITEM: Final = re.compile(r"[0-9]{15}")
_GENDERS: Final = {"男": "1", "女": "2"}
_STAGES: Final = {"儿童": "child", "婴幼儿": "infant", "新生儿": "newborn"}
_INSURANCES: Final = {"工伤": "work_injury", "生育": "maternity"}
_RANKS: Final = {"三级": 3, "二级": 2, "一级": 1}
_SETTINGS: Final = {"住院": "inpatient", "急诊": "emergency", "抢救": "emergency"}
_SCOPES: Final = {"单日": "day", "单次就诊": "visit", "6小时": "hours_6", "同一小时": "hour"}
_DAYS: Final = re.compile(r"([1-9][0-9]{0,3})天")
_PER_DAY: Final = re.compile(r"([1-9][0-9]{0,2})次/[日天]")
_PER_HOUR: Final = "24次/小时"
_CYCLE: Final = re.compile(r"([1-9][0-9]{0,2})次/([1-9][0-9]{0,3})[日天]")
_COURSES: Final = (
    re.compile(r"总时间不超过(?P<total>[0-9]+)天，评定间隔时间不短于(?P<gap>[0-9]+)天。?"),
    re.compile(r"(?P<disease>一个疾病过程)?支付不超过(?P<total>[0-9]+)天。?"),
    re.compile(r"支付不超过(?P<year>一年)，每周最多支付(?P<week>一)次。?"),
)
_YEAR_DAYS: Final = 365
_X_GENERIC: Final = 10
_Z_GENERIC: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """A file of points, read."""

    tables: Mapping[str, list[PointRow]] = field(repr=False)
    """Rows by knowledge table, each once."""
    bound: Mapping[str, int]
    """Number of points by knowledge table."""
    unbound: list[tuple[int, str]] = field(repr=False)
    """(number of the point, counted from 1, why no table takes it)."""

    @property
    def count(self) -> int:
        """Number of points of the file."""
        return sum(self.bound.values()) + len(self.unbound)

    @property
    def reasons(self) -> Mapping[str, int]:
        """Number of unbound points by reason."""
        return Counter(reason for _, reason in self.unbound)


class _UnboundError(Exception):
    """A point that no table takes; the message is the reason."""


def read_points(
    points: Iterable[Mapping[str, str | None]], tables: Mapping[str, KnowledgeTable]
) -> Points:
    """Read knowledge points.

    Args:
        points: Cells by column of ``COLUMNS``, at most ``MAX_POINTS``; None for an empty cell.
        tables: Knowledge tables by id.

    Returns:
        Rows by table, and the points that are bound to none, with reasons.

    Raises:
        KernelInputError: A column is missing, or there are too many points.

    >>> point = dict.fromkeys(COLUMNS, "") | {"object": "item", "rule_type": "限定性别对象"}
    >>> read_points([point | {"code": "002101030280000", "limit": "男"}], {}).tables
    {'k_item_gender': [{'code': '002101030280000', 'gender': '1'}]}
    """
    once = {name for name, table in tables.items() if table.once is not None}
    rows: dict[str, dict[tuple[object, ...], PointRow]] = {}
    bound: Counter[str] = Counter()
    unbound: list[tuple[int, str]] = []
    for number, point in enumerate(points, start=1):
        if number > MAX_POINTS:
            raise KernelInputError(f"more than {MAX_POINTS} points: split the file")
        if missing := [name for name in COLUMNS if name not in point]:
            raise KernelInputError(
                f"found no column {missing[0]}, expected {', '.join(COLUMNS)}: add it"
            )
        try:
            table, row = _bind({name: (point[name] or "").strip() for name in COLUMNS})
        except _UnboundError as reason:
            unbound.append((number, str(reason)))
            continue
        key = (row["code"],) if table in once else tuple(row.values())
        if rows.setdefault(table, {}).setdefault(key, row) != row:
            unbound.append((number, "an earlier point of the same code says otherwise"))
            continue
        bound[table] += 1
    return Points(
        tables={table: list(found.values()) for table, found in rows.items()},
        bound=dict(bound),
        unbound=unbound,
    )


def read_table_rows(
    table: KnowledgeTable, rows: Iterable[Mapping[str, str | None]], file: str
) -> Points:
    """Read rows of one knowledge table that nobody publishes, without their days.

    Args:
        table: The table.
        rows: Cells by column, at most ``MAX_POINTS``; what a row does not name is null.
        file: Where they come from, for messages.

    Returns:
        Every row, each once; none is unbound.

    Raises:
        KernelInputError: There are too many rows.
        RuleError: A cell is not of its column's type, or two rows of a code say different things,
            with the row.
    """
    columns = [name for name in table.columns if name not in DATES]
    found: dict[tuple[object, ...], PointRow] = {}
    count = 0
    for count, row in enumerate(rows, start=1):
        if count > MAX_POINTS:
            raise KernelInputError(f"more than {MAX_POINTS} rows: split the file")
        place = (file, count + 1)
        cells = {
            name: read_cell(table, name, (row.get(name) or "").strip(), place) for name in columns
        }
        one = {name: value for name, value in cells.items() if not isinstance(value, datetime)}
        found.setdefault(tuple(one.values()), one)
    listed = list(found.values())
    _refuse_twice(table, listed, file)
    return Points(tables={table.id: listed} if listed else {}, bound={table.id: count}, unbound=[])


def _refuse_twice(table: KnowledgeTable, rows: Iterable[PointRow], file: str) -> None:
    if table.once is None:
        return
    codes = sorted(str(row["code"]) for row in rows)
    for first, second in pairwise(codes):
        if first == second or (table.once == "prefix" and second.startswith(first)):
            problem = (
                f"the codes {first} and {second} stand for the same drug or item and say different"
                " things: keep one of them"
            )
            raise RuleError(file, 0, problem)


def generic_of(code: str) -> str:
    """Group of drugs with one generic name: the part of the national code before the form.

    >>> generic_of("XB01AXA223B004010180963"), generic_of("ZA04CAE0023010100166")
    ('XB01AXA223', 'ZA04CAE0023')
    """
    return code[:_X_GENERIC] if code.startswith("X") else code[:_Z_GENERIC]


def _bind(point: Mapping[str, str]) -> tuple[str, PointRow]:
    found = _TABLES.get((point["object"], point["rule_type"]))
    if found is None:
        raise _UnboundError(
            f"no rule takes {point['rule_type'][:40] or 'an empty rule type'} of "
            f"{point['object'][:20] or 'an empty object'}"
        )
    table, pattern, read = found
    if not point["code"]:
        raise _UnboundError("the code is empty")
    if not pattern.fullmatch(point["code"]):
        raise _UnboundError("the code is not of the national form")
    return table, {"code": point["code"], **read(point)}


def _word(column: str, words: Mapping[str, str | int]) -> Callable[[Mapping[str, str]], PointRow]:
    def read(point: Mapping[str, str]) -> PointRow:
        limit = point["limit"].removesuffix("及以上")
        if limit not in words:
            raise _unknown(point)
        return {column: words[limit]}

    return read


def _course(point: Mapping[str, str]) -> PointRow:
    days = _DAYS.fullmatch(point["limit"])
    if days is None:
        raise _unknown(point)
    return {"generic": generic_of(point["code"]), "limit_days": int(days[1])}


def _mutex(point: Mapping[str, str]) -> PointRow:
    if not _ITEM.fullmatch(point["other_code"]):
        raise _UnboundError("the other code is empty or not of the national form")
    if point["limit"] not in _SCOPES:
        raise _unknown(point)
    return {"sub_code": point["other_code"], "scope": _SCOPES[point["limit"]]}


def _frequency(point: Mapping[str, str]) -> PointRow:
    if point["limit"] == _PER_HOUR:
        return {"day_limit": 24, "hourly": True}
    per_day = _PER_DAY.fullmatch(point["limit"])
    if per_day is None:
        raise _unknown(point)
    return {"day_limit": int(per_day[1]), "hourly": False}


def _cycle(point: Mapping[str, str]) -> PointRow:
    found = _CYCLE.fullmatch(point["limit"])
    if found is None:
        raise _unknown(point)
    return {"days": int(found[2]), "times": int(found[1])}


def _item_course(point: Mapping[str, str]) -> PointRow:
    for form in _COURSES:
        if found := form.fullmatch(point["limit"]):
            said = found.groupdict()
            gap = said.get("gap")
            return {
                "total_days": int(said.get("total") or _YEAR_DAYS),
                "min_gap_days": None if gap is None else int(gap),
                "week_limit": 1 if said.get("week") else None,
                "per_disease": bool(said.get("disease")),
            }
    raise _unknown(point)


def _group(point: Mapping[str, str]) -> PointRow:
    if not point["limit"]:
        raise _unknown(point)
    # A hit's key is a code, and a group has only a name.
    code = hashlib.sha256(point["limit"].encode()).hexdigest()[:8]
    return {"group_code": f"g{code}", "full_price_e6": None}


def _unknown(point: Mapping[str, str]) -> _UnboundError:
    limit = point["limit"][:40]
    if point["rule_type"] == "限定年龄" and "就业年龄" in limit:
        return _UnboundError("an age beyond the working age: no rule states that age")
    return _UnboundError(f"the limit {limit} has no known form" if limit else "the limit is empty")


_TABLES: Final[
    Mapping[tuple[str, str], tuple[str, re.Pattern[str], Callable[[Mapping[str, str]], PointRow]]]
] = {
    ("drug", "限定性别对象"): ("k_drug_gender", _DRUG, _word("gender", _GENDERS)),
    ("item", "限定性别对象"): ("k_item_gender", _ITEM, _word("gender", _GENDERS)),
    ("drug", "限定年龄对象"): ("k_drug_child", _DRUG, _word("stage", _STAGES)),
    ("item", "限定年龄对象"): ("k_item_child", _ITEM, _word("stage", _STAGES)),
    ("item", "限定年龄"): ("k_item_child", _ITEM, _word("stage", _STAGES)),
    ("drug", "限定保险类型"): ("k_drug_insutype", _DRUG, _word("insurance", _INSURANCES)),
    ("drug", "限定机构等级"): ("k_drug_hosplevel", _DRUG, _word("min_rank", _RANKS)),
    ("drug", "限定就医方式"): ("k_drug_setting", _DRUG, _word("setting", _SETTINGS)),
    ("drug", "限定支付疗程"): ("k_drug_course", _DRUG, _course),
    ("item", "重复收费"): ("k_item_mutex", _ITEM, _mutex),
    ("item", "限定频次"): ("k_item_freq", _ITEM, _frequency),
    ("item", "限定周期"): ("k_item_cycle", _ITEM, _cycle),
    ("item", "限定疗程"): ("k_item_course", _ITEM, _item_course),
    ("item", "限定主次操作"): ("k_op_group", _ITEM, _group),
}
