"""Commands `yixin node presence …`: what terminals saw, reports, bed rounds, overrides."""

from typing import Annotated, Any

import typer

from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import NodeOutput, Result, run_job, start
from node.config import node_directory

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Presence (在场核验): events of face terminals, reports, bed rounds, overrides.",
)

Institution = Annotated[str, typer.Option("--institution", help="Institution code.")]
OnlyInstitution = Annotated[
    str | None, typer.Option("--institution", help="Only events of this institution.")
]
_SHOWN = ("events", "match", "mismatch", "spoof", "absent", "unjudged", "refused", "differs")


@app.command("list")
def list_events(
    *,
    days: Annotated[int, typer.Option("--days", min=1, max=400, help="Of the last days.")] = 1,
    institution: OnlyInstitution = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="Most rows to show.")
    ] = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List what devices delivered, newest first, without persons.

    Example: [bold]yixin node presence list --days 7[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"days": days, "institution": institution, "limit": limit}
        result = run_job(node_directory(directory), "presence", arguments, out, writes=False)
        if as_json:
            out.json(result)
        elif result["rows"]:
            out.rows("Presence", [_without(one, "record") for one in result["rows"]])
        else:
            out.say("No device delivered anything. See them with: yixin node device list")


@app.command()
def report(
    *,
    month: Annotated[int, typer.Option("--month", help="Month, yyyymm.")],
    institution: OnlyInstitution = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Report a month: verdicts by device, who let whom pass, what does not fit, who is silent.

    Example: [bold]yixin node presence report --month 202611[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"month": month, "institution": institution}
        home = node_directory(directory)
        result = run_job(home, "presence_report", arguments, out, writes=False)
        if as_json:
            out.json(result)
        else:
            _say_report(out, result)


@app.command("round")
def bed_round(
    *,
    institution: Institution,
    share: Annotated[
        str, typer.Option("--share", help="Of its inpatients, above 0 and at most 1.")
    ] = "0.2",
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Repeats a draw; else one is made and told."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Time of day it ends, HH:MM; else in two hours.")
    ] = None,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Draw inpatients by lot, and ask the ward's terminals to see them (查床).

    What nobody answers in time is no absence: nothing is recorded of it.

    Example: [bold]yixin node presence round --institution H33030200001 --share 0.2
    --until 22:00[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "institution": institution,
            "share": share,
            "seed": seed,
            "until": until,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "presence_round", arguments, out)
        out.done(
            result,
            f"{result['drawn']} of {result['inpatients']} inpatients are to be seen until "
            f"{result['until']} (seed {result['seed']}).",
        )


@app.command()
def override(
    *,
    institution: Institution,
    person: Annotated[str, typer.Option("--person", help="psn_no of the insured person.")],
    reason_code: Annotated[
        str, typer.Option("--reason-code", help="manual, child, voucher or emergency.")
    ] = "manual",
    reason: Annotated[
        str, typer.Option("--reason", help="Why, in words; needed with manual.")
    ] = "",
    visit: Annotated[str | None, typer.Option("--visit", help="Its mdtrt_id, if known.")] = None,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody pass who cannot be verified at a terminal (人工放行).

    For the next 30 minutes the warning W04 is silent about this person. It is logged with your
    name, and every report counts it.

    Example: [bold]yixin node presence override --institution H33030200001 --person 3303001
    --reason "终端故障，已核对身份证"[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "institution": institution,
            "person": person,
            "visit": visit,
            "reason_code": reason_code,
            "reason": reason,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "presence_override", arguments, out)
        out.done(result, f"Let pass, kept as {result['record']}.")


def _say_report(out: NodeOutput, result: dict[str, Any]) -> None:
    """Show a report."""
    if not result["devices"] and not result["let_pass"]:
        out.say(f"No device delivered anything in {result['month']}, and nobody was let pass.")
    if result["devices"]:
        rows = [{"device": one["device"], **_told(one)} for one in result["devices"]]
        out.rows(f"Devices {result['month']}", rows)
        causes = [
            {"device": one["device"], "verdict": word, "cause": cause, "count": count}
            for one in result["devices"]
            for word in ("unjudged", "refused")
            for cause, count in one[f"{word}_by"].items()
        ]
        if causes:
            out.rows("Neither for nor against", causes)
    if result["let_pass"]:
        rows = [one | {"share": f"{one['share_e4'] / 100:.2f} %"} for one in result["let_pass"]]
        out.rows("Let pass (放行)", [_without(one, "share_e4") for one in rows])
    if result["fitting"]:
        out.rows("Vouchers and emergencies against settlements", result["fitting"])
    if result["unanswered"]:
        out.counts("Asks that nobody answered", "device", result["unanswered"])
    if result["silent"]:
        out.rows("Silent for more than a day", result["silent"])


def _told(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in _SHOWN}


def _without(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != name}
