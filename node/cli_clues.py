"""Commands of clues at a node: `yixin node clues list|send|desks|key`."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli_options import AsJson, Directory
from node.commands import Result, run_job, start
from node.config import node_directory

__all__ = ["register"]

clues_app = typer.Typer(
    no_args_is_help=True,
    help="Clues (线索) and join records: what the hub needs to see what no single node sees.",
)


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    app.add_typer(clues_app, name="clues")


@clues_app.command("list")
def clues_list(
    *,
    source: Annotated[
        str | None, typer.Option("--source", help="Only of this rule or topic.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows to show.")] = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the clues that stand as they are sent: neither names nor tokens of persons.

    Example: [bold]yixin node clues list --source M33[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"source": source, "limit": limit}
        result = run_job(node_directory(directory), "clues", arguments, out, writes=False)
        out.done(result, "") if as_json else out.rows("Clues", result["rows"])


@clues_app.command("send")
def clues_send(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Send clues and join records that changed; the daemon does it by itself.

    Persons go as link tokens, made with both desks. A desk that does not answer stops this run
    alone: nothing is lost, and everything else of the node goes on.

    Example: [bold]yixin node clues send[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "clues_send", {}, out)
        records = ", ".join(f"{count} {kind}" for kind, count in result["join_parts"].items())
        out.done(
            result,
            f"{result['clues']} clues in {result['clue_parts']} changed parts; join records in "
            f"changed parts: {records}. {result['asked']} persons asked for, {result['sent']} "
            f"envelopes sent, {result['receipts_quarantined']} of them with refused content.",
        )
        if not as_json and not result["desks"]:
            out.hint("No desks are known: persons were left out. See: yixin node clues desks")
        if not as_json:
            for period, why in result["closed"].items():
                out.hint(f"{period}: clues went without persons, and no join records: {why}")


@clues_app.command("desks")
def clues_desks(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Cards of both desks: yixin hub desk card.")
    ] = None,
    *,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Take over the cards of both link desks, or show those that are known.

    Compare the keys with the desks' officers by a trusted way.

    Example: [bold]yixin node clues desks province.desk health.desk[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"files": [str(file.resolve()) for file in files or ()]}
        result = run_job(node_directory(directory), "clues_desks", arguments, out)
        out.done(result, "") if as_json else out.rows("Desks", result["rows"])


@clues_app.command("key")
def clues_key(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Print what the desks' officers have to enter of this node.

    Example: [bold]yixin node clues key[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "clues_key", {}, out, writes=False)
        out.done(result, f"{result['member']} --key {result['key']}")
