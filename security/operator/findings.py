"""How a command shows a finding: its sentence, its table, what it was held against.

A chart is for a page; here its table stands for it, with all its columns.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from rich.table import Table

from security.operator.output import CommandOutput, printable, shown

__all__ = ["say_finding", "say_indicators"]

SHOWN_ROWS: Final = 15
"""Rows on a screen; all of them with ``--json``."""


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
        out.show(_table(told, rows))
        if told["found"] > rows:
            out.say(f"  {rows} of {told['found']} rows; more with --json")


def say_indicators(out: CommandOutput, result: Mapping[str, Any], rows: int) -> None:
    """Show indicators, each with its value or why there is none.

    Args:
        out: Where to.
        result: Month, indicators and how many were found.
        rows: Most rows to show.
    """
    shown_rows = [
        {
            "id": one["id"],
            "subject": one["subject"],
            "指标": one["name_zh"],
            "derivation": one["derivation"],
            "value": one["value"],
            "unit": one["unit"],
            "无数据原因": one["reason_zh"],
        }
        for one in result["indicators"][:rows]
    ]
    out.rows(f"Indicators {result['month']}", shown_rows)
    if result["found"] > len(shown_rows):
        out.say(f"{len(shown_rows)} of {result['found']}; more with --rows or --json")


def _table(told: Mapping[str, Any], rows: int) -> Table:
    """Lay out a table: what it is about first and whole, numbers to the right."""
    table = Table(title=printable(f"{told['topic']} {told['name_zh']} {told['month']}"))
    texts = frozenset(told["texts"])
    for at, (name, title) in enumerate(told["columns"].items()):
        justify: Literal["left", "right"] = "left" if name in texts else "right"
        table.add_column(printable(title), no_wrap=at == 0, justify=justify, overflow="fold")
    for row in told["rows"][:rows]:
        table.add_row(*(shown(cell) for cell in row.values()))
    return table
