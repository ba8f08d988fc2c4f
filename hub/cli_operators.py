"""Commands `yixin hub operators …` and `yixin hub operations`."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory, Limit
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer(no_args_is_help=True, help="Operators (操作员), their roles, approvals and log.")
key_app = typer.Typer(no_args_is_help=True, help="The key by which a person signs commands.")
app.add_typer(key_app, name="key")
log_app = typer.Typer()

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the person.")]


@app.command()
def add(
    *,
    name: Name,
    role: Annotated[
        str, typer.Option("--role", help="operator, officer, reviewer or auditor (reads only).")
    ],
    key: Annotated[
        str,
        typer.Option("--key", help="Public key: the line that `operators key new` printed."),
    ],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Register a person. The first one, an officer, ends the single-operator mode.

    Example: [bold]yixin hub operators add li --role officer --key yixin-operator-1.…[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"name": name, "role": role, "key": key}
        result = run_job(hub_directory(directory), "operator-add", arguments, out)
        out.done(result, f"{result['name']} is registered as {result['role']}.")


@app.command()
def retire(*, name: Name, directory: Directory = None, as_json: AsJson = False) -> None:
    """Let a person retire: what he or she signs is refused from now on.

    Example: [bold]yixin hub operators retire li[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "operator-retire", {"name": name}, out)
        out.done(result, f"{result['name']} has retired.")


@app.command("list")
def list_(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show everybody, with role and public key; also who retired.

    Example: [bold]yixin hub operators list[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "operators", {}, out, writes=False)
        out.done(result, "") if as_json else out.rows(f"Mode: {result['mode']}", result["rows"])


@app.command()
def approvals(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show what waits for a second person, with its arguments.

    Approve one by its id: [bold]yixin hub --as NAME --key FILE approve ID[/bold]

    Example: [bold]yixin hub operators approvals[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "approvals", {}, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        names = ("id", "job", "asked_by", "until")
        out.rows("Waiting", [{name: one[name] for name in names} for one in result["rows"]])
        for one in result["rows"]:
            out.say(f"{one['id']}: digest {one['digest']}\n  {one['arguments']}")


@key_app.command("new")
def key_new(
    *,
    file: Annotated[Path, typer.Option("--out", help="File to make, mode 0600.")],
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Ask for a passphrase that protects the file.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the key by which you sign commands, and print its public half for the officer.

    Keep the file with you; whoever has it (and its passphrase) gives commands in your name.

    Example: [bold]yixin hub operators key new --out ~/li.key --passphrase[/bold]
    """
    with start(as_json) as out:
        from security.operator.person_keys import (  # noqa: PLC0415 - keeps --help fast
            create_person_key,
            public_line,
        )

        word = (
            typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
            if passphrase
            else ""
        )
        line = public_line(create_person_key(file, word))
        out.done({"file": str(file), "key": line}, line)


@log_app.command("operations")
def operations(
    *,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Verify every entry against its chain and the transparency log."
        ),
    ] = False,
    limit: Limit = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what operators did, newest first (操作日志).

    Example: [bold]yixin hub operations --verify[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit, "verify": verify}
        result = run_job(hub_directory(directory), "operations", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        out.rows("Operations", [_operation(one) for one in result["rows"]])
        if verify:
            out.say(
                f"Verified: {result['size']} entries, {result['leaves']} of them in the "
                f"transparency log, head {result['head']}."
                + (
                    f" {result['lost']} more were lost with a database that was put back: the "
                    "transparency log has their hashes, nothing here their content."
                    if result["lost"]
                    else ""
                )
            )


def _operation(row: Result) -> Result:
    """What of a row fits a line; --json has all of it."""
    return {
        "number": row["number"],
        "at (UTC)": row["at"][:19].replace("T", " "),
        "who": f"{row['operator']} ({row['role']})",
        "job": row["job"],
        "outcome": row["outcome"],
        "about": row["about"],
        "leaf": row["leaf"],
    }
