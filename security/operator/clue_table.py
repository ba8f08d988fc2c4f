"""How a command lists clues (线索): what they are of, where, how heavy, and about whom.

The same at a node and at a hub: the columns fit 80 columns of a terminal, and everything else of
a clue is told when that one is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from security.operator.output import CommandOutput
from security.operator.wide_tables import lay_out
from security.operator.words import VERDICTS, yuan

__all__ = ["ID_DIGITS", "say_clues"]

ID_DIGITS: Final = 12
"""First digits of an id, by which a clue is asked for."""
_GONE: Final = "已消失"
"""In the place of the result, of what holds no longer."""
_SUSPECT: Final = "存疑"
"""Likewise, of what an incident makes suspect."""
_TEXTS: Final = frozenset(("id", "source", "institution", "verdict", "person"))
_TITLES: Final[Mapping[str, str]] = {
    "id": "编号",
    "source": "来源",
    "institution": "机构",
    "month": "月份",
    "score": "评分",
    "verdict": "结果",
    "amount": "金额（元）",
    "person": "人员",
}


def say_clues(out: CommandOutput, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """List clues.

    Args:
        out: Where to.
        title: What they are, in front of the table.
        rows: ``id``, ``source``, ``institution``, ``month``, ``score``, ``verdict``,
            ``amount_fen`` (fen, None where there is none), ``person`` (anything that is true where
            somebody is named) of each; ``gone`` where it may hold no longer, ``suspect`` where it
            may come from a member that is not trusted.
    """
    if not rows:
        out.say(f"{title}: nothing")
        return
    out.say(title)
    lines = [_line(row) for row in rows]
    for part in lay_out(_TITLES, lines, texts=_TEXTS, width=out.width):
        out.say("")
        out.show(part)
    out.say("")


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"][:ID_DIGITS],
        "source": row["source"],
        "institution": row["institution"],
        "month": row["month"],
        "score": row["score"],
        "verdict": _verdict(row),
        "amount": None if row["amount_fen"] is None else yuan(row["amount_fen"]),
        "person": "有" if row["person"] else "无",
    }


def _verdict(row: Mapping[str, Any]) -> str:
    if row.get("suspect"):
        return _SUSPECT
    return _GONE if row.get("gone") else VERDICTS[row["verdict"]]
