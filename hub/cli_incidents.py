"""Commands `yixin hub incident` and `yixin hub incidents`."""

from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import Result, run_job, start
from hub.config import hub_directory
from hub.errors import IncidentError

app = typer.Typer()


@app.command()
def incident(
    *,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Member id.")],
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="From when on it is not trusted, Beijing time: 2026-11-20.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the register.")] = "incident",
    show: Annotated[
        bool, typer.Option("--show", help="Only show what was exposed; nothing is frozen.")
    ] = False,
    lift: Annotated[
        bool,
        typer.Option("--lift", help="Let its statements count again; needs a second person."),
    ] = False,
    mark: Annotated[
        bool,
        typer.Option(
            "--mark",
            help="Do not revoke it: only what it sent up to now is suspect; its correction counts.",
        ),
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Freeze a member (安全事件): revoke it, distrust what it sent since then, compute without it.

    Prints from the log what it received and sent since then, and what others received that may
    hold its data. Nothing is deleted.

    Example: [bold]yixin hub incident yixin://330302/node/H33030200001 --since 2026-11-20[/bold]

    Example: [bold]yixin hub incident yixin://330300/hub/city --since 2026-11-20 --mark[/bold]

    Example: [bold]yixin hub incident yixin://330302/node/H33030200001 --lift[/bold]
    """
    with start(as_json) as out:
        where = hub_directory(directory)
        if lift:
            result = run_job(where, "incident-lift", {"member": member}, out)
            out.done(
                result,
                f"Lifted: the statements of {member} count again, {result['suspect']} of others "
                "stay suspect. The member stays revoked: invite it anew with yixin hub token.",
            )
            return
        if since is None:
            raise IncidentError("Name the moment from which it is not trusted: --since 2026-11-20.")
        arguments: Result = {"member": member, "since": since}
        if show:
            result = run_job(where, "exposure", arguments, out, writes=False)
        else:
            result = run_job(where, "incident", arguments | {"reason": reason, "mark": mark}, out)
        if as_json:
            out.done(result, "")
            return
        for title, received in (("Received", True), ("Sent", False)):
            rows = [_line(one) for one in result["flows"] if one["received"] is received]
            out.rows(f"{title} since {result['since']}", rows)
        rows = [{"by": one["recipient"]} | _line(one) for one in result["passed_on"]]
        out.rows("Received by others, and may hold what it stated", rows)
        if result["passed_on"] and result["pushed"]:
            out.say(
                f"Pushed to the parent hub since then: {', '.join(result['pushed'])}. Its officer "
                "has to mark that: yixin hub incident <this hub> --since … --mark"
            )
        if not show:
            out.say(_told(result))


@app.command()
def incidents(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show all incidents, newest first, and how much is suspect.

    Example: [bold]yixin hub incidents[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "incidents", {}, out, writes=False)
        title = f"Incidents; {result['suspect']} statements are suspect, {_others(result)}"
        out.done(result, "") if as_json else out.rows(title, result["rows"])


def _line(flow: Result) -> Result:
    return {
        "what": flow["payload_type"],
        "purpose": flow["purpose"],
        "period": flow["period"],
        "agreement": flow["agreement"],
        "count": flow["count"],
        "log": f"{flow['first_index']} to {flow['last_index']}",
        "last": flow["last_at"],
    }


def _told(result: Result) -> str:
    grades = [_graded(one) for one in result["graded_anew"]] or ["Nothing was graded yet."]
    done = (
        f"{result['member']} is marked, and goes on"
        if result["is_mark"]
        else f"{result['member']} is frozen: {result['certificates']} certificates revoked just now"
    )
    return "\n".join(
        (
            f"{done}, {result['suspect']} statements suspect.",
            f"Suspect as well: {_others(result)}.",
            f"Joined anew without them: {result['findings_left']} findings stand.",
            *grades,
        )
    )


def _graded(graded: Result) -> str:
    period = graded["period"]
    if "failed" in graded:
        return f"{period} could not be graded anew: {graded['failed']}"
    return (
        f"{period} is graded anew without them; look at it, then publish it: "
        f"yixin hub publish --period {period}. Until then nothing of it is handed out that rests "
        "on them."
    )


def _others(result: Result) -> str:
    return (
        f"{result['suspect_clues']} clues, {result['suspect_findings']} findings of joins, "
        f"{result['suspect_pushed']} pushed grades"
    )
