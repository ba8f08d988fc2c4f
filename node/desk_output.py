"""What the desk's commands say."""

from collections.abc import Mapping
from typing import Any

from node.commands import NodeOutput

__all__ = ["say_fixed", "say_late", "say_listed", "say_replayed", "say_shown"]

Shown = Mapping[str, Any]
_MARK = "  ◀ here"


def say_listed(out: NodeOutput, result: Shown) -> None:
    """List refused lines, two lines each: where and what, and how to mend it."""
    if out.as_json:
        out.json(result)
        return
    out.say(f"Quarantine: {len(result['rows'])} of {result['total']} rows")
    for row in result["rows"]:
        out.say(f"{row['id']}  {_where(row)}: {row['rule']}")
        out.say(f"    {row['reason']}")
        out.say(f"    to mend: {row['mend']}")
    if result["rows"]:
        out.hint("See one with: yixin node quarantine show ID")


def say_shown(out: NodeOutput, result: Shown) -> None:
    """Show one refused line: its reason, its fields, what was done to it."""
    if out.as_json:
        out.json(result)
        return
    size = "too long to keep" if result["bytes"] is None else f"{result['bytes']} bytes"
    out.say(f"{result['id']}  {_where(result)}, {size}, first refused {result['seen_at']}")
    out.say(f"{result['rule']}: {result['reason']}")
    out.say(f"to mend: {result['mend']}")
    width = max((len(row["place"]) for row in result["outline"]), default=0)
    for row in result["outline"]:
        mark = _MARK if row["faulty"] else ""
        out.say(f"    {row['place']:<{width}}  {row['value']}{mark}")
    for entry in result["log"]:
        out.say(f"{entry['at']} {entry['operator']}: {entry['action']} {entry['detail']}")


def say_fixed(out: NodeOutput, result: Shown) -> None:
    """Say what a correction changed and what came of it."""
    if out.as_json:
        out.json(result)
        return
    for change in result["changes"]:
        out.say(f"{change['place']}: {change['before']} → {change['after']}")
    if result["went_in"]:
        out.say(f"{result['id']} is in: {result['standing']}.")
        return
    out.say(f"{result['id']} was refused again, its row stays as it was.")
    out.say(f"    {result['rule']}: {result['reason']}")
    out.say(f"    to mend: {result['mend']}")


def say_replayed(out: NodeOutput, result: Shown) -> None:
    """Say what came of a replay."""
    if out.as_json:
        out.json(result)
        return
    went_in = sum(result["went_in"].values())
    out.say(f"Replayed {result['replayed']} lines: {went_in} went in.")
    if result["went_in"]:
        out.counts("Went in", "as", result["went_in"])
    if result["still_refused"]:
        out.counts("Refused again", "rule", result["still_refused"])
    for row in result["first_refused"]:
        out.say(f"{row['id']}  {row['rule']}: {row['reason']}")
        out.say(f"    to mend: {row['mend']}")
    if result["not_kept"]:
        out.say(
            f"{result['not_kept']} lines were too long to keep: correct them in their files and"
            " ingest those again."
        )


def say_late(out: NodeOutput, institutions: list[dict[str, Any]], *, limit: int = 20) -> None:
    """Show what institutions owe, the late ones first; never called for JSON."""
    late = [one for one in institutions if one["late"]]
    out.say(f"Late: {len(late)} of {len(institutions)} institutions")
    for one in late[:limit]:
        out.say(f"{one['institution']}, newest message {one['last_message'] or 'never'}")
        for each in one["late"]:
            out.say(f"    {each['text']}")
        if one["missing_count"]:
            days = ", ".join(one["missing_days"])
            out.say(f"    {one['missing_count']} days without a message, the newest: {days}")
    if len(late) > limit:
        out.hint(f"{len(late) - limit} more; all with: yixin node completeness --json")


def _where(row: Shown) -> str:
    message = f", message {row['message']}" if row["message"] else ""
    return f"{row['source']} line {row['line']}{message}"
