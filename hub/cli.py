"""Command line of a hub: parse arguments, run one job, say what came of it.

A command asks the daemon over its socket; where none runs, a writing one takes the writer lock
and does the job itself. Progress goes to standard error, results to standard output.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub import cli_clues, cli_desk, cli_grading, cli_import, cli_topics
from hub.cli_options import AsJson, Directory, Limit
from hub.commands import Result, run_job, start
from hub.config import hub_directory
from hub.errors import CustodyError

app = typer.Typer(
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
def token(
    *,
    kind: Annotated[str, typer.Option("--kind", help="node, hub or department.")],
    division: Annotated[
        str, typer.Option("--division", help="Division code of the member, six digits.")
    ],
    code: Annotated[
        str, typer.Option("--code", help="Code of the member; unique in division and kind.")
    ],
    institutions: Annotated[
        str | None,
        typer.Option(
            "--institutions",
            help="Institutions the node has custody of: a CSV file with the columns institution, "
            "name, level, type, division, or codes separated by commas.",
        ),
    ] = None,
    from_month: Annotated[
        int, typer.Option("--from-month", help="First month of the custody, yyyymm.")
    ] = 200001,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Invite a member: print a join token for one use, valid for ten minutes.

    The custody of its institutions counts from the moment it joins.

    Example: [bold]yixin hub token --kind node --division 330302 --code H33030200001
    --institutions H33030200001[/bold]

    Example: [bold]yixin hub token --kind hub --division 330300 --code city[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "kind": kind,
            "division": division,
            "code": code,
            "from_month": from_month,
        }
        result = run_job(
            hub_directory(directory), "token", arguments | _institutions(institutions), out
        )
        out.done(result, result["token"])
        if not as_json:
            out.hint(
                f"For {result['member']} with {result['institutions']} institutions, "
                f"until {result['expires_at']}. Hand it over by a trusted way."
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
def join(
    *,
    token: Annotated[str, typer.Option("--token", help="Token of the parent hub.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Join the parent hub, so that grades can be pushed to it.

    Example: [bold]yixin hub join --token yixin1.…[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "join", {"token": token}, out)
        out.done(result, f"{result['member']} joined {result['hub']}.")


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
def members(
    *,
    revoke: Annotated[
        str | None, typer.Option("--revoke", help="Member id to revoke, with --reason.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why it is revoked.")] = "",
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the members, or revoke one: it is refused from the next commit group on.

    Example: [bold]yixin hub members[/bold]

    Example: [bold]yixin hub members --revoke yixin://330302/node/H33030200001 --reason theft[/bold]
    """
    with start(as_json) as out:
        where = hub_directory(directory)
        if revoke is not None:
            arguments: Result = {"member": revoke, "reason": reason}
            result = run_job(where, "revoke", arguments, out)
            out.done(result, f"{result['member']} is revoked.")
            return
        result = run_job(where, "members", {}, out, writes=False)
        out.done(result, "") if as_json else out.rows("Members", result["rows"])


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


app.registered_commands.extend(cli_import.app.registered_commands)
app.registered_commands.extend(cli_grading.app.registered_commands)
app.add_typer(cli_desk.app, name="desk")
app.add_typer(cli_clues.app, name="clues")
app.add_typer(cli_topics.app, name="topics")


def _institutions(text: str | None) -> Result:
    """What --institutions names: codes, or the text of a file."""
    from hub.domain.institution_list import is_code_list  # noqa: PLC0415 - keeps --help fast

    if text is None:
        return {}
    if is_code_list(text):
        return {"codes": text}
    path = Path(text)
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise CustodyError(f"{path} is larger than {MAX_LIST_BYTES} bytes; cut the list.")
        return {"csv": path.read_text("utf-8-sig")}
    except (OSError, UnicodeDecodeError) as error:
        raise CustodyError(
            f"--institutions names neither codes nor a readable CSV file in UTF-8: {text[:120]!r}."
        ) from error
