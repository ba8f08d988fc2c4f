"""Commands `yixin hub log …`."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import Result, run_job, start
from hub.config import hub_directory
from hub.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="The transparency log (透明日志): status, witnesses.")
witness = typer.Typer(no_args_is_help=True, help="Witnesses (见证方) of the log.")
app.add_typer(witness, name="witness")


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show the log, who confirms it, and what stands against it.

    Example: [bold]yixin hub log status[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "log-status", {}, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        lists = {name: result.pop(name) for name in ("witnesses", "witnessed", "evidence")}
        warnings = result.pop("warnings")
        out.table("Transparency log", result)
        for name, rows in lists.items():
            if rows:
                out.rows(name.capitalize(), rows)
        for warning in warnings:
            out.say(f"Warning: {warning}")


@app.command()
def verify(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Write the tiles anew from the database first.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Read every leaf and every tile, and compare them with what was published and cosigned.

    Example: [bold]yixin hub log verify[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"repair": repair}
        result = run_job(hub_directory(directory), "log-verify", arguments, out)
        closed = f" in itself, but read-only: {result['reason']}" if result["reason"] else "."
        out.done(result, f"The log of {result['leaves']} leaves is whole{closed}")


@app.command()
def recover(
    *,
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", help="A witness's mirror of this log: a directory or URL."),
    ] = None,
    revoked_again: Annotated[
        bool,
        typer.Option(
            "--revoked-again", help="Whom a lost revocation list revoked is revoked anew."
        ),
    ] = False,
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--lists", help="What a member wrote with `node receipts --export`; repeatable."
        ),
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Fetch leaves that the database lost, from the hub's own tiles or a witness.

    Envelopes come again from the members that sent them, when they next synchronise. Members that
    were revoked since the copy was made are revoked again by the list that any other member holds;
    where nobody has it, they have to be revoked again before.

    Example: [bold]yixin hub log recover --mirror /mnt/province/log-mirrors/3f0c…[/bold]

    Example: [bold]yixin hub log recover --lists receipts.jsonl[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "mirror": mirror and _absolute(mirror),
            "revoked_again": revoked_again,
            "lists": [str(one.resolve()) for one in lists or ()],
        }
        result = run_job(hub_directory(directory), "log-recover", arguments, out)
        out.done(
            result,
            f"The log has {result['size']} leaves again, {result['before']} were left; "
            f"{result['envelopes']} envelopes will come again from their senders. "
            f"Lost with the database: {result['operations']} entries of the operator log, "
            f"{result['certificates']} certificates (a member that is "
            f"refused from now on needs a new token), {result['policies']} suite policies "
            "(state them anew with `yixin hub suites`; members take no older one) and "
            f"{result['agreements']} sharing agreements (sign them anew with `yixin hub agreements "
            f"sign`); {result['retired']} that had ended hold no more.\n"
            f"Found again by their leaves: {result['policies_again']} suite policies.\n"
            f"By the lists of members: {len(result['revoked_again'])} members revoked again, "
            f"{result['policies_restated']} policies stated again.",
        )


@app.command("new-origin")
def new_origin(
    *,
    lost: Annotated[
        str, typer.Option("--lost", metavar="FROM:TO", help="Lost leaves, for example 900:1000.")
    ],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Say for good that leaves are lost, and go on in a log of the next number.

    Members, witnesses and auditors see it: the lost places are named in the new log. Only when no
    witness, no tile and no backup has the leaves any more.

    Example: [bold]yixin hub log new-origin --lost 900:1000[/bold]
    """
    with start(as_json) as out:
        first, _, end = lost.partition(":")
        if not (first.isdecimal() and end.isdecimal() and len(lost) <= 40):
            raise ConfigurationError(
                f"The lost range is {lost[:40]!r}; expected two numbers such as 900:1000."
            )
        arguments: Result = {"first": int(first), "end": int(end)}
        result = run_job(hub_directory(directory), "log-new-origin", arguments, out)
        out.done(result, f"The log goes on as {result['origin']} with {result['leaves']} leaves.")


@witness.command("add")
def add(
    *,
    file: Annotated[Path, typer.Argument(help="Trust file of the other hub.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Name the parent hub, or a hub that is a member here, as a witness; its log is witnessed too.

    Both officers exchange what `yixin hub export-trust` writes, and both run this.

    Example: [bold]yixin hub log witness add province.trust[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"file": str(file.resolve())}
        result = run_job(hub_directory(directory), "log-witness-add", arguments, out)
        out.done(result, f"{result['hub']} is a witness of this log: {result['way']}.")


@witness.command("remove")
def remove(
    *,
    hub: Annotated[str, typer.Argument(help="Member id of the witness.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Name a hub as a witness no more; what it cosigned stays.

    Example: [bold]yixin hub log witness remove yixin://330000/hub/province[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"hub": hub}
        result = run_job(hub_directory(directory), "log-witness-remove", arguments, out)
        out.done(result, f"{result['hub']} is no witness of this log any more.")


@witness.command("list")
def listing(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show the witnesses of the log, what they cosigned, and when they answered.

    Example: [bold]yixin hub log witness list[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "log-status", {}, out, writes=False)
        rows = {"witnesses": result["witnesses"]}
        out.done(rows, "") if as_json else out.rows("Witnesses", rows["witnesses"])


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).resolve())
