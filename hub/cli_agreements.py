"""Commands `yixin hub agreements …` and `yixin hub query`."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory, Limit, PeriodOption
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Sharing agreements (共享协议): what may be shared, and what was.",
)
query_app = typer.Typer()

Officer = Annotated[
    str | None,
    typer.Option("--officer", help="Who does it, for the record; else the login name."),
]
Terms = Annotated[
    str, typer.Argument(metavar="TERMS", help="A .yaml file of terms, or the id of shipped ones.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Id of the agreement.")]


@app.command("list")
def list_agreements(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """List agreements in force and shipped terms that nobody has signed.

    Example: [bold]yixin hub agreements list[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "agreements", {}, out, writes=False)
        lines = [
            f"{one['agreement']}  {one['name']}: {one['state']}"
            f"{' until ' + one['valid_to'][:10] if one['valid_to'] else ''}\n"
            f"  for {one['recipient']}{' through ' + one['via'] if one['via'] else ''}, "
            f"{one['frequency'].replace('_', ' ')}; {one['status']} on {one['basis']}"
            for one in result["rows"]
        ]
        out.done(result, "\n".join(lines))


@app.command()
def show(*, name: Id, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show one agreement in full: the newest version, or ID@VERSION.

    Example: [bold]yixin hub agreements show bank[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"id": name}
        result = run_job(hub_directory(directory), "agreement", arguments, out, writes=False)
        out.done(result, "") if as_json else out.table("Agreement", result)


@app.command()
def check(*, terms: Terms, directory: Directory = None, as_json: AsJson = False) -> None:
    """Check terms without signing them; mistakes come with file and line.

    Example: [bold]yixin hub agreements check bank_of_wenzhou.yaml[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"terms": _resolved(terms)}
        result = run_job(hub_directory(directory), "agreement-check", arguments, out, writes=False)
        out.done(result, f"{terms}: sound; a {result['status']} on {result['basis']}.")
        for one in result["warnings"]:
            out.hint(f"Warning: {one}.")


@app.command()
def sign(
    *,
    terms: Terms,
    recipient: Annotated[
        str | None, typer.Option("--recipient", help="Another recipient than the terms name.")
    ] = None,
    new_id: Annotated[
        str | None, typer.Option("--id", help="Another id, for a second agreement on the terms.")
    ] = None,
    officer: Officer = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Sign terms as the hub: a new version is in force at once, the one before ends.

    While officers are registered, a second one has to approve.

    Example: [bold]yixin hub agreements sign bank --id bank_wz --recipient
    yixin://330300/department/bank-wz[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "terms": _resolved(terms),
            "recipient": recipient,
            "new_id": new_id,
            "officer": officer or _login_name(),
        }
        result = run_job(hub_directory(directory), "agreement-sign", arguments, out)
        out.done(
            result,
            f"{result['agreement']} with {result['recipient']} is in force until "
            f"{result['valid_to']}; leaf {result['log_index']}.",
        )


@app.command()
def retire(*, name: Id, directory: Directory = None, as_json: AsJson = False) -> None:
    """End an agreement at once; what it has queued and not sealed is withdrawn.

    Example: [bold]yixin hub agreements retire bank_wz[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"id": name}
        result = run_job(hub_directory(directory), "agreement-retire", arguments, out)
        out.done(result, f"{result['agreement']} has ended.")


@app.command()
def deliver(
    *,
    name: Id,
    period: PeriodOption,
    correct: Annotated[
        bool,
        typer.Option("--correct", help="Deliver a corrected product within the same stretch."),
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="Deliver the very same product once more: it was lost."),
    ] = False,
    officer: Officer = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Build the product of an agreement for a period and queue it for its recipient.

    The very same product is delivered a second time only with --again, or after its recipient has
    joined anew.

    Example: [bold]yixin hub agreements deliver bank --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "id": name,
            "period": period,
            "correct": correct,
            "again": again,
            "officer": officer or _login_name(),
        }
        result = run_job(hub_directory(directory), "deliver", arguments, out)
        what = (
            "queued once more"
            if result["repeated"]
            else "queued"
            if result["is_new"]
            else "was delivered before and waits to be collected, nothing was queued"
            if result["waiting"]
            else "was delivered before, nothing was queued (--again sends it once more)"
        )
        out.done(
            result,
            f"{result['agreement']}, {result['period']}: {result['rows']} rows for "
            f"{result['recipient']} {what}; {result['suppressed']} cells suppressed, SHA-256 "
            f"{result['sha256']}.",
        )


@app.command()
def deliveries(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One agreement; else all.")
    ] = None,
    limit: Limit = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List products that were delivered, newest first.

    Example: [bold]yixin hub agreements deliveries --limit 20[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit, "id": name}
        result = run_job(hub_directory(directory), "deliveries", arguments, out, writes=False)
        lines = [
            f"{one['at']}  {one['agreement']}, {one['period']}: {one['rows']} rows for "
            f"{one['recipient']}{' (correction)' if one['correction'] else ''}, by "
            f"{one['officer']}\n  SHA-256 {one['sha256']}, {one['suppressed']} cells suppressed"
            for one in result["rows"]
        ]
        out.done(result, "\n".join((*lines, f"{len(lines)} of {result['total']} deliveries.")))


@app.command()
def queries(*, limit: Limit = 50, directory: Directory = None, as_json: AsJson = False) -> None:
    """List questions and requests with the rule that refused them, newest first.

    Example: [bold]yixin hub agreements queries[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit}
        result = run_job(hub_directory(directory), "sharing-queries", arguments, out, writes=False)
        lines = [
            f"{one['at']}  {one['agreement']}, {one['period']}, asked by {one['asker']}: "
            f"{'refused by the rule ' + one['refused_by'] if one['refused_by'] else 'answered'}; "
            f"leaf {one['leaf']}"
            for one in result["rows"]
        ]
        out.done(result, "\n".join(lines) or "Nobody has asked yet.")


@app.command()
def sync(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Exchange with the parent hub: collect its directory, send what waits.

    Example: [bold]yixin hub agreements sync[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "sharing-sync", {}, out)
        out.done(result, f"{result['envelopes']} envelopes exchanged with the parent hub.")


@query_app.command()
def query(
    *,
    subject: Annotated[str, typer.Argument(help="Subject that is asked for.")],
    agreement: Annotated[
        str, typer.Option("--agreement", help="Agreement that answers questions.")
    ] = "public_query",
    period: PeriodOption,
    officer: Officer = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Answer one question under an agreement; it is logged like a delivery.

    Example: [bold]yixin hub query H33030200001 --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "subject": subject,
            "agreement": agreement,
            "period": period,
            "officer": officer or _login_name(),
        }
        result = run_job(hub_directory(directory), "query", arguments, out)
        if as_json:
            out.done(result, "")
            return
        for row in result["rows"]:
            out.say(", ".join(f"{name} {value}" for name, value in row.items()))
        out.say(f"Answered under {result['agreement']}; logged as leaf {result['log_index']}.")


def _resolved(terms: str) -> str:
    """A file by its absolute path, as the daemon has another working directory."""
    return str(Path(terms).resolve()) if Path(terms).suffix in {".yaml", ".yml"} else terms


def _login_name() -> str:
    """Login name of the operator; empty where the system knows none, and the job then asks."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
