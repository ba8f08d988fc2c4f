"""What the rules' commands say."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from node.commands import NodeOutput
from security.operator.words import VERDICTS, counted, yuan

__all__ = ["say_explained", "say_hits", "say_run"]

Shown = Mapping[str, Any]
_CLASSES: Final[Mapping[str, str]] = {
    "policy": "政策类",
    "management": "管理类",
    "medical": "医疗类",
    "warning": "提醒类",
}
_SEVERITIES: Final[Mapping[str, str]] = {"high": "高", "mid": "中", "low": "低"}


def say_run(out: NodeOutput, result: Shown) -> None:
    """Say what came of every rule, and which were stopped."""
    if out.as_json:
        out.json(result)
        return
    out.rows(
        f"Run {result['run']}",
        [
            {
                "rule": one["rule"],
                "名称": one["name_zh"],
                "结果": VERDICTS[one["verdict"]],
                "hits": one["hits"],
                "new": one["new"],
                "gone": one["gone"],
                "s": f"{one['ms'] / 1000:.1f}",
            }
            for one in result["rules"]
        ],
    )
    for one in result["rules"]:
        if one["error"]:
            out.say(f"{one['rule']} was stopped: {one['error']}")
    hits = sum(one["hits"] for one in result["rules"])
    new = sum(one["new"] for one in result["rules"])
    rules, found = counted(len(result["rules"]), "rule"), counted(hits, "hit")
    out.say(f"{rules}, {found}, {new} of them new.")
    if hits:
        out.hint("See them with: yixin node rules show")


def say_hits(out: NodeOutput, result: Shown) -> None:
    """List hits, and sums by rule."""
    if out.as_json:
        out.json(result)
        return
    run = result["run"]
    if run is None:
        out.say("No rules have run yet: yixin node rules run")
        return
    ended = run["ended_at"] or "not at its end: it was interrupted, or is at work"
    out.say(f"Last run: {run['run']}, {ended}; {counted(run['rules'], 'rule')}.")
    for rule, error in run["stopped"].items():
        out.say(f"{rule} was stopped: {error}")
    out.rows(
        "Hits by rule",
        [
            {
                "rule": one["rule"],
                "名称": one["name_zh"],
                "结果": VERDICTS[one["verdict"]],
                "hits": one["hits"],
                "元": yuan(one["amount_fen"]),
            }
            for one in result["totals"]
        ],
    )
    out.rows(
        "Hits, the largest amounts first",
        [
            {
                "id": one["id"],
                "rule": one["rule"],
                "institution": one["institution"],
                "at": one["at"].replace("T", " "),
                "元": yuan(one["amount_fen"]),
                "结果": VERDICTS[one["verdict"]] + ("（已消失）" if one["gone_run"] else ""),
            }
            for one in result["hits"]
        ],
    )
    if result["hits"]:
        out.hint("Explain one with: yixin node rules explain ID")


def say_explained(out: NodeOutput, result: Shown) -> None:
    """Lay a hit out for a supervisor: rule, force of law, knowledge, evidence."""
    if out.as_json:
        out.json(result)
        return
    says = result["says"]
    name = "（已不在规则库）" if says is None else says["name_zh"]
    verdict = VERDICTS[result["verdict"]]
    out.say(f"{result['rule']} {name}：{verdict}，{yuan(result['amount_fen'])} 元")
    out.say(f"机构 {result['institution']}，{result['at'].replace('T', ' ')}")
    out.say(f"命中 {result['id']}，首次见于第 {result['first_run']} 次运行{_state(result)}")
    if says is not None:
        _say_rule(out, says)
    if result["basis"]:
        out.say(f"依据：{_source(result['basis'])}")
    for one in result["parameters"]:
        unit = f" {one['unit_zh']}" if one["unit_zh"] else ""
        out.say(
            f"参数 {one['name_zh']}：{one['value']}{unit}，自 {one['begins']} 起，"
            f"依据{_source(one['basis'])}"
        )
    for one in result["knowledge"]:
        row = "，".join(f"{column} {value}" for column, value in one["row_zh"].items())
        out.say(f"知识 {one['name_zh']}：{row}（{one['source']}）")
    for title, key in (("参保人员", "persons"), ("医务人员", "staff"), ("就诊", "visits")):
        if result[key]:
            out.say(f"{title}：{_some(result[key])}")
    _say_evidence(out, result)


def _say_rule(out: NodeOutput, says: Shown) -> None:
    out.say(
        f"{_CLASSES[says['class']]}，程度{_SEVERITIES[says['severity']]}；金额：{says['amount']}"
    )
    if says["note"]:
        out.say(f"规则说明：{says['note']}")
    if says["exemptions"]:
        out.say(f"不计：{'、'.join(says['exemptions'])}")


def _say_evidence(out: NodeOutput, result: Shown) -> None:
    listed = result["evidence"]
    out.say(f"证据 {result['records']} 条" + _of(len(listed), result["records"]))
    for one in listed:
        role = "违规" if one["violates"] else "涉及"
        amount = f"，计 {yuan(one['amount_fen'])} 元" if one["amount_fen"] else ""
        out.say(
            f"  [{role}] {one['at'].replace('T', ' ')} {one['kind_zh']} {one['record']}{amount}"
        )
        for values in one["values_zh"]:
            out.say("    " + "，".join(f"{name} {value}" for name, value in values.items()))
        if not one["values"]:
            out.say("    记录已不在本节点（被更正、撤销或已到保存期限）")


def _source(basis: Shown) -> str:
    named = "".join(f" {basis[key]}" for key in ("number", "article") if basis[key])
    unchecked = "" if basis["checked_on"] else "（未核对）"
    return f"{basis['title']}{named}{unchecked}"


def _state(result: Shown) -> str:
    if result["gone_run"]:
        return f"，自第 {result['gone_run']} 次运行起不再命中"
    return f"，最近见于第 {result['last_run']} 次"


def _some(values: Sequence[str], most: int = 10) -> str:
    return "、".join(values[:most]) + _of(min(most, len(values)), len(values))


def _of(shown: int, total: int) -> str:
    return "" if shown == total else f"（列出 {shown}，共 {total}）"
