"""How a command shows a finding: its sentence, its table, what it was held against.

A chart is for a page; here its table stands for it, with all its columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from security.operator.output import CommandOutput, shown, told_once
from security.operator.wide_tables import lay_out

__all__ = ["say_finding", "say_indicators"]

SHOWN_ROWS: Final = 15
"""Rows on a screen; all of them with ``--json``."""
ABSENT: Final = shown(None)
"""What stands for no value."""
_DERIVATIONS: Final = {"value": "值", "yoy": "同比", "mom": "环比", "z": "偏离"}
_UNIT: Final = "unit"
_NAMED: Final = 4
"""Indicators that are named with the reason why they have no value."""


def say_finding(out: CommandOutput, told: Mapping[str, Any], rows: int = SHOWN_ROWS) -> None:
    """Show one finding.

    Args:
        out: Where to.
        told: Names, sentences, columns and rows, or why there are none.
        rows: Most rows to show.
    """
    out.say(f"\n{told['topic']} {told['name_zh']}  {told['question_zh']}")
    if "absent_zh" in told:
        out.say(f"  {told['absent_zh']} / {told['absent_en']}")
        return
    out.say(f"  {told['finding_zh']}")
    out.say(f"  {told['finding_en']}")
    if told["alert"] is not None and told["alerts"]:
        held = ", ".join(
            f"{one['name']} {one['value']} ({one['since']}, {one['basis']})"
            for one in told["thresholds"]
        )
        out.say(f"  预警 {told['alerts']}：{told['alert']['name_zh']}；{held}")
    if told["lacks"]:
        out.say(f"  未含：{'；'.join(told['lacks'])}")
    if told["rows"]:
        _say_rows(out, told, rows)
        if told["found"] > rows:
            out.say(f"  {rows} of {told['found']} rows; more with --json")


def say_indicators(out: CommandOutput, result: Mapping[str, Any], rows: int) -> None:
    """Show indicators, each with its value or why there is none.

    Args:
        out: Where to.
        result: Month, indicators and how many were found.
        rows: Most rows to show.
    """
    listed = result["indicators"][:rows]
    out.say(f"Indicators {result['month']}" + ("" if listed else ": nothing"))
    by_subject: dict[str, list[Mapping[str, Any]]] = {}
    for one in listed:
        by_subject.setdefault(one["subject"], []).append(one)
    for subject, own in by_subject.items():
        out.say(f"\n{subject}")
        _say_subject(out, own)
    if result["found"] > len(listed):
        out.say(f"\n{len(listed)} of {result['found']}; more with --rows or --json")


def _say_subject(out: CommandOutput, listed: Sequence[Mapping[str, Any]]) -> None:
    """Show the indicators of one subject, a line for each measure, and why some have no value."""
    lines: dict[str, dict[str, Any]] = {}
    reasons: dict[str, list[str]] = {}
    for one in listed:
        told = one["value"]
        blank = dict.fromkeys((_UNIT, *_DERIVATIONS), "")
        line = lines.setdefault(one["name_zh"], {"id": one["id"], "name": one["name_zh"], **blank})
        line[one["derivation"]] = told
        if one["derivation"] == "value":
            line[_UNIT] = one["unit_zh"]
        if told is None:
            reasons.setdefault(one["reason_zh"], []).append(one["id"])
    found = [*lines.values()]
    columns = {
        name: title
        for name, title in {"id": "编号", "name": "指标", **_DERIVATIONS, _UNIT: "单位"}.items()
        if any(line[name] != "" for line in found)
    }
    for part in lay_out(columns, found, texts=frozenset(("id", "name", _UNIT)), width=out.width):
        out.show(part)
    for reason, ids in reasons.items():
        more = f" 等 {len(ids)} 项" if len(ids) > _NAMED else ""
        out.say(f"  —  {'、'.join(ids[:_NAMED])}{more}：{reason}")


def _say_rows(out: CommandOutput, told: Mapping[str, Any], rows: int) -> None:
    """Show the rows, with what all of them share said once."""
    shown_rows = told["rows"][:rows]
    columns: Mapping[str, str] = told["columns"]
    shared = told_once(columns, shown_rows)
    absent = [columns[name] for name, value in shared.items() if value == ABSENT]
    same = [f"{columns[name]} {value}" for name, value in shared.items() if value != ABSENT]
    for title, names in (("无数据", absent), ("各行相同", same)):
        if names:
            out.say(f"  {title}：{'、'.join(names)}")
    kept = {name: title for name, title in columns.items() if name not in shared}
    for part in lay_out(kept, shown_rows, texts=frozenset(told["texts"]), width=out.width):
        out.say("")
        out.show(part)
