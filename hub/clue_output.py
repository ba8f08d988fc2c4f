"""What the commands of clues say: one clue in words, and what the joins came to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hub.commands import CommandOutput
from security.operator.clue_table import say_clues
from security.operator.wide_tables import lay_out
from security.operator.words import VERDICTS, counted, yuan

__all__ = ["say_clue", "say_joined"]

Shown = Mapping[str, Any]
_NUMBERS: Final[Mapping[str, str]] = {
    "overlap_hours": "重叠 {} 小时",
    "overlap_minutes": "重叠 {} 分钟",
    "gap_minutes": "相隔 {} 分钟",
    "distance_km": "相距 {} 公里",
    "institutions": "涉及 {} 家机构",
    "members": "涉及 {} 个节点",
}
"""What a join measured (``hub.domain.joins``, ``hub.domain.staff_joins``), in words."""
_SOURCES: Final[Mapping[str, str]] = {
    "institution": "机构",
    "begins": "起",
    "ends": "止",
    "drug_class": "药品类别",
    "leaf": "叶号",
    "month": "月份",
    "source": "来源",
    "clue": "线索",
    "member": "节点",
}
_EVIDENCE: Final[Mapping[str, str]] = {"leaf": "叶号", "kind": "记录", "role": "作用"}
_MEASURES: Final[Mapping[str, str]] = {
    "measure_set": "量表",
    "month": "末月",
    "months": "月数",
    "digest": "摘要",
}
_TEXTS: Final = frozenset(  # ids and digests are none: they are never folded
    (
        *("institution", "begins", "ends", "drug_class", "source"),
        *("kind", "role", "measure_set"),
    )
)


def say_clue(out: CommandOutput, result: Shown) -> None:
    """Say everything of one clue, and list what else is known of the same person or staff."""
    detail = result["detail"]
    name = f" {result['name_zh']}" if "name_zh" in result else ""
    amount = "" if result["amount_fen"] is None else f"，{yuan(result['amount_fen'])} 元"
    state = "；已不再成立" if result["gone"] else ""
    state += "；存疑（安全事件）" if result["suspect"] else ""
    verdict = VERDICTS[result["verdict"]]
    out.say(f"{result['source']}{name}：{verdict}{amount}，评分 {result['score']}{state}")
    out.say(f"编号 {result['id']}")
    found_by = "平台关联" if result["found_by"] == "hub" else result["found_by"]
    out.say(f"机构 {result['institution']}，月份 {result['month']}，发现者：{found_by}")
    out.say(f"人员：{result['person'] or '无'}")
    out.say(f"医务人员：{'、'.join(result['staff']) or '无'}")
    if result.get("like"):
        out.say(f"单节点的同类规则：{result['like']}")
    if detail.get("numbers"):
        measured = (_NUMBERS[key].format(value) for key, value in detail["numbers"].items())
        out.say("，".join(measured))
    if detail.get("trace_digest"):
        out.say(f"追溯码摘要 {detail['trace_digest']}")
    if "first_at" in detail:
        out.say(f"首次发现 {_moment(detail['first_at'])}，最近 {_moment(detail['last_at'])}")
    if "version" in detail:
        out.say(f"参数版本 {detail['version']}")
        first, last = detail["first_log_index"], detail["last_log_index"]
        out.say(f"首次报送于日志第 {first} 条，最近第 {last} 条")
    _say_ground(out, detail, result["kinds"])
    if result["related"]:
        out.say("")
        say_clues(out, "同一人员或医务人员的其他线索：", result["related"])
    else:
        out.say("同一人员或医务人员的其他线索：无")


def say_joined(out: CommandOutput, result: Shown) -> None:
    """Say what a run of the joins found, and what it could not join."""
    names = result["joins"]
    rows = [
        {"id": names[join]["id"], "name": names[join]["name_zh"], "join": join, "found": found}
        for join, found in result["found"].items()
    ]
    titles = {"id": "编号", "name": "关联", "join": "join", "found": "发现"}
    _lay_out(out, titles, rows, frozenset(("id", "name", "join")))
    out.say("")
    out.say(
        f"{result['new']} new, {result['updated']} updated, {result['unchanged']} unchanged; "
        f"{result['gone']} no longer hold. {counted(result['records'], 'record')} held, "
        f"{result['expired']} deleted after their retention."
    )
    for kind, count in result["crowded"].items():
        marks = "1 mark" if count == 1 else f"{count} marks"
        out.hint(f"{marks} of kind {kind}: too many records to be one's; not joined.")
    for period, count in result["key_faults"].items():
        out.hint(f"Tokens of {period} were made under {count} keys: ask the desks' officers.")


def _say_ground(out: CommandOutput, detail: Shown, kinds: Mapping[str, str]) -> None:
    """Show what a clue rests on: records of several nodes, leaves of one, measures."""
    sources = [
        {
            name: _moment(value) if name in {"begins", "ends"} else value
            for name, value in one.items()
        }
        for one in detail.get("sources", ())
    ]
    if sources:
        out.say("依据：")
        titles = {name: title for name, title in _SOURCES.items() if name in sources[0]}
        _lay_out(out, titles, sources, _TEXTS)
    if "evidence" in detail:
        listed, total = len(detail["evidence"]), detail["evidence_count"]
        out.say(f"证据 {total} 条" + ("" if listed == total else f"，列出 {listed} 条"))
    if detail.get("evidence"):
        evidence = [
            {
                "leaf": one["leaf"],
                "kind": kinds.get(one["kind"], one["kind"]),
                "role": "涉及" if one["involved"] else "违规",
            }
            for one in detail["evidence"]
        ]
        _lay_out(out, _EVIDENCE, evidence, _TEXTS)
    if detail.get("measures"):
        out.say("所依据的指标量：")
        _lay_out(out, _MEASURES, detail["measures"], _TEXTS)


def _lay_out(
    out: CommandOutput, titles: Shown, rows: Sequence[Shown], texts: frozenset[str]
) -> None:
    for part in lay_out(titles, rows, texts=texts, width=out.width):
        out.say("")
        out.show(part)


def _moment(text: str) -> str:
    """A moment, or a minute of the wall clock, as people read it."""
    return text.replace("T", " ").replace("+00:00", " UTC")
