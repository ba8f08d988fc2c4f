"""Command line of a hub: parse arguments, run one job, say what came of it.

A command asks the daemon over its socket; where none runs, a writing one takes the writer lock
and does the job itself. Progress goes to standard error, results to standard output.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub import (
    cli_agreements,
    cli_ca,
    cli_clues,
    cli_desk,
    cli_grading,
    cli_identity,
    cli_import,
    cli_incidents,
    cli_keys,
    cli_log,
    cli_operators,
    cli_packs,
    cli_proofs,
    cli_spot,
    cli_topics,
)
from hub.cli_options import AsJson, Directory, Limit
from hub.cli_signing import SigningGroup, signing_options
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer(
    cls=SigningGroup,
    callback=signing_options,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="A hub (市级、省级平台): receives statements, imports items, grades, publishes, pushes.",
)

MAX_LIST_BYTES: Final = 64 * 1024 * 1024


@app.command()
def init(
    *,
    place: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="State directory to make.")
    ] = None,
    level: Annotated[str, typer.Option("--level", help="city or province.")],
    division: Annotated[
        str, typer.Option("--division", help="Division code (GB/T 2260), six digits.")
    ],
    name: Annotated[str, typer.Option("--name", help="Name for screens and documents.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Make a hub: settings, keys, certificate authority, database.

    Example: [bold]yixin hub init /var/lib/yixin --level city --division 330300 --name 温州市[/bold]
    """
    with start(as_json) as out:
        from hub.app import init_hub  # noqa: PLC0415 - keeps --help fast

        made = hub_directory(place or directory)
        parts = init_hub(made, level=level, division=division, name=name)
        out.done(
            {"directory": str(made), "hub": parts.identity.hub},
            f"Made {parts.identity.hub} in {made}.\nNext: yixin hub serve --dir {made}",
        )


@app.command()
def serve(*, directory: Directory = None) -> None:
    """Run the daemon: members join, submit and collect; commands come over its socket.

    Writes serve.json with addresses and process id into the directory. Ends on SIGTERM or Ctrl-C.

    Example: [bold]yixin hub serve --dir /var/lib/yixin[/bold]
    """
    with start(as_json=False) as out:
        from hub.app import serve_hub  # noqa: PLC0415 - keeps --help fast

        serve_hub(hub_directory(directory), out.say)


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show what the hub holds, owes and refused.

    Example: [bold]yixin hub status --json[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "status", {}, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        classes = result.pop("classes")
        out.table("Hub", result)
        for one in classes:
            out.say(
                f"{one['subject_class']} {one['period']}: {one['graded']} graded, {one['capped']} "
                f"of them capped, {one['not_rated']} not rated, "
                f"{'published' if one['published'] else 'not published'} (basis: {one['basis']})."
            )


@app.command()
def refusals(*, limit: Limit = 50, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show refused attempts with their causes, newest first; for the security officer.

    Example: [bold]yixin hub refusals --limit 20[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit}
        result = run_job(hub_directory(directory), "refusals", arguments, out, writes=False)
        out.done(result, "") if as_json else out.rows("Refused", result["rows"])


@app.command()
def quarantine(
    *,
    items: Annotated[
        bool,
        typer.Option("--items", help="Show lines of department files instead, with their remedy."),
    ] = False,
    limit: Limit = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show statements that were refused although their envelope counts, newest first.

    With --items: lines of department files that stay refused until a mended file is imported.

    Example: [bold]yixin hub quarantine --limit 20[/bold]

    Example: [bold]yixin hub quarantine --items[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit, "items": items}
        result = run_job(hub_directory(directory), "quarantine", arguments, out, writes=False)
        out.done(result, "") if as_json else out.rows("Quarantined", result["rows"])


@app.command("export-trust")
def export_trust(
    *,
    file: Annotated[Path, typer.Argument(help="File to write.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write the hub's trust anchor to a file, for auditors; it is public.

    Example: [bold]yixin hub export-trust city.trust[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"file": str(file.resolve())}
        result = run_job(hub_directory(directory), "export-trust", arguments, out, writes=False)
        out.done(result, f"Wrote the anchor of {result['hub']}, SHA-256 {result['sha256']}.")


app.registered_commands.extend(cli_identity.app.registered_commands)
app.registered_commands.extend(cli_proofs.app.registered_commands)
app.registered_commands.extend(cli_spot.app.registered_commands)
app.registered_commands.extend(cli_operators.log_app.registered_commands)
app.registered_commands.extend(cli_incidents.app.registered_commands)
app.registered_commands.extend(cli_import.app.registered_commands)
app.registered_commands.extend(cli_grading.app.registered_commands)
app.registered_commands.extend(cli_agreements.query_app.registered_commands)
app.add_typer(cli_desk.app, name="desk")
app.add_typer(cli_ca.app, name="ca")
app.add_typer(cli_clues.app, name="clues")
app.add_typer(cli_topics.app, name="topics")
app.add_typer(cli_log.app, name="log")
app.add_typer(cli_packs.app, name="packs")
app.add_typer(cli_agreements.app, name="agreements")
app.add_typer(cli_operators.app, name="operators")
app.add_typer(cli_keys.app, name="keys")
