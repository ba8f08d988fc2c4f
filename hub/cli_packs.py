"""Commands ``yixin hub packs``: groups, orders and what became of them."""

from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import CommandOutput, Result, run_job, start
from hub.config import hub_directory
from security.errors import PackError
from security.moments import shanghai_day, to_ms

app = typer.Typer(no_args_is_help=True, help="Model packs (模型包): what is in force where.")
_LISTED: Final = 5


@app.command()
def groups(
    *,
    order: Annotated[
        str | None,
        typer.Option("--order", help="All groups, the first to be given a pack first: a,b,c."),
    ] = None,
    placed: Annotated[
        list[str] | None,
        typer.Option("--set", help="MEMBER=GROUP; repeat for each member."),
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Set or show the groups by which packs are rolled out.

    Example: [bold]yixin hub packs groups --order pilot,county,all
    --set yixin://330302/node/H33030200001=pilot[/bold]
    """
    with start(as_json) as out:
        pairs = [text.rpartition("=") for text in placed or []]
        for member, _, group in pairs:
            if not member or not group:
                raise PackError("--set: expected MEMBER=GROUP, as listed by yixin hub members")
        arguments: Result = {
            "order": [name.strip() for name in order.split(",")] if order else [],
            "set": {member: group for member, _, group in pairs},
        }
        result = run_job(hub_directory(directory), "packs-groups", arguments, out)
        if as_json:
            out.done(result, "")
            return
        _show_groups(out, result)


@app.command("order")
def order_pack(
    *,
    group: Annotated[str, typer.Option("--group", help="Group that is to use it.")],
    from_day: Annotated[
        str | None, typer.Option("--from", help="First day, yyyy-mm-dd; else today in Shanghai.")
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Version of the pack; else the newest.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Order a pack for a group. The next group follows when all of this one have passed.

    Example: [bold]yixin hub packs order --group county --from 2026-12-01[/bold]
    """
    with start(as_json) as out:
        from hub.clock import utc_now  # noqa: PLC0415 - keeps --help fast

        try:
            day = (
                shanghai_day(to_ms(utc_now())) if from_day is None else date.fromisoformat(from_day)
            )
        except ValueError as error:
            raise PackError(f"--from {from_day!r}: expected yyyy-mm-dd") from error
        result = run_job(
            hub_directory(directory),
            "packs-order",
            {"group": group, "from_day": day.isoformat(), "version": version},
            out,
        )
        out.done(
            result,
            f"Ordered {result['target']} for {group} from {result['from_day']}: "
            f"{result['members']} members, order {result['version']}, leaf {result['log_index']}."
            f"{_told_stale(result)}",
        )


@app.command("use")
def use_pack(
    *,
    version: Annotated[
        str | None, typer.Option("--version", help="Version of the pack; else the newest.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Grade with a pack from now on: its vectors are run here, then this hub works with it.

    The daemon starts again by itself. Earlier periods stay explained with what graded them.

    Example: [bold]yixin hub packs use --version 2026.12.1[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "packs-use", {"version": version}, out)
        tail = "Its daemon starts again with it." if result["restart"] else "Nothing else changes."
        out.done(
            result,
            f"This hub grades with {result['target']}: {result['vectors']} vectors passed, "
            f"leaf {result['log_index']}. {tail}{_told_stale(result)}",
        )


@app.command("withdraw")
def withdraw_pack(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for everybody to read.")],
    version: Annotated[
        str | None,
        typer.Option("--version", help="Version of the pack; else the one ordered last."),
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Stop a pack's roll-out for good, and order who was given it back to the pack before.

    After a stop by a failure too: a stop alone changes nothing at members that have the pack.

    Example: [bold]yixin hub packs withdraw --version 2026.12.1 --reason "fees counted twice"[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"version": version, "reason": reason}
        result = run_job(hub_directory(directory), "packs-withdraw", arguments, out)
        if as_json:
            out.done(result, "")
            return
        out.say(f"The roll-out of {result['target']} is stopped.{_told_stale(result)}")
        if result["back"]:
            out.rows("Ordered back", result["back"])
        for one in result["without"]:
            names = ", ".join(one["members"][:_LISTED])
            out.say(f"{len(one['members'])} members keep it ({names}): {one['why']}.")
        if result["grading"]["pack"] == result["target"]:
            out.say(
                "This hub still grades with it: yixin hub packs use --version, with an earlier one."
            )


@app.command()
def fetch(
    *,
    folder: Annotated[
        Path | None, typer.Option("--from", help="A repository on a stick.", file_okay=False)
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Bring this hub's copy of the packs' repository up to date.

    Example: [bold]yixin hub packs fetch[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"from": str(folder.absolute()) if folder else None}
        result = run_job(hub_directory(directory), "packs-fetch", arguments, out)
        found = result["repository"]
        text = (
            "This hub has no source of packs: set repository in [packs] of hub.toml, or join a "
            "parent hub that has one."
            if found is None
            else f"{len(found['packs'])} packs, metadata holds until {found['expires_at']}."
        )
        out.done(result, text)


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show which pack grades, groups, orders, what members reported and who uses another pack.

    Example: [bold]yixin hub packs status[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "packs-status", {}, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        _show_grading(out, result["grading"])
        _show_groups(out, result)
        if result["orders"]:
            shown = [
                {
                    "order": one["order"],
                    "pack": one["pack"].removeprefix("packs/").removesuffix(".zip"),
                    "group": one["group"],
                    "from": one["from_day"],
                    "passed": f"{one['passed']} of {one['members']}",
                    "in force": one["in_force"],
                    "stopped": "yes" if one["stopped"] else "no",
                }
                for one in result["orders"]
            ]
            out.rows("Orders", shown)
        _show_stops(out, result["stops"])
        held = result["repository"]
        if held is None:
            out.say("No copy of a packs' repository yet: yixin hub packs fetch")
        else:
            word = "EXPIRED on" if held["is_expired"] else "holds until"
            last = ", ".join(held["packs"][-_LISTED:]) or "no pack"
            out.say(
                f"Repository: {len(held['packs'])} packs ({last}); metadata {word} "
                f"{held['expires_at']}"
            )


def _told_stale(result: Result) -> str:
    if result["is_fresh"]:
        return ""
    return " The parent hub could not be reached: this is of the copy that was verified before."


def _show_grading(out: CommandOutput, grading: Result) -> None:
    named = grading["pack"] or "the packaged catalogue of the program"
    out.say(f"This hub grades with {named}: {grading['phase']}, catalogue {grading['catalog']}.")
    if grading["days_expired"]:
        out.say(
            f"Its metadata expired {grading['days_expired']} days ago; "
            f"{grading['grace_days']} are allowed."
        )
    if grading["restart"]:
        out.say("It was taken into use after the daemon began: restart yixin hub serve.")
    if grading["others"]:
        rows = [
            {"member": one["member"], "uses": one["pack"] or f"catalogue {one['catalog'][:16]}"}
            for one in grading["others"]
        ]
        out.rows("Members that work with another catalogue than this hub", rows)
    if grading["untold"]:
        out.say(f"{len(grading['untold'])} members have not said yet what they work with.")


def _show_stops(out: CommandOutput, stops: list[Result]) -> None:
    """Say which roll-outs stopped, where and why, and what is left to do."""
    for one in stops:
        where = f"in group {one['group']} at" if one["group"] else "by"
        out.say(
            f"Stopped for good: {one['pack']}, {where} {one['member']}, {one['at']}: "
            f"{one['reason']}. In force at {len(one['in_force'])} members, waiting for its day at "
            f"{len(one['waiting'])}, ordered back: {len(one['ordered_back'])}."
        )
        back = one["ordered_back"]
        left = [name for name in (*one["in_force"], *one["waiting"]) if name not in back]
        if left:
            version = one["pack"].removeprefix("packs/").removesuffix(".zip")
            out.say(
                f"{len(left)} members keep it, or take it in force on its day "
                f"({', '.join(left[:_LISTED])}). To bring them back: yixin hub packs withdraw "
                f"--version {version} --reason TEXT"
            )


def _show_groups(out: CommandOutput, result: Result) -> None:
    rows = [
        {"group": name, "members": len(rows), "first": ", ".join(rows[:3])}
        for name, rows in result["groups"].items()
    ]
    if rows:
        out.rows("Groups, in their order", rows)
    else:
        out.say("There are no groups yet: yixin hub packs groups --order pilot,all")
    if result["without_group"]:
        out.say(f"{len(result['without_group'])} nodes are in no group and are given no pack.")
