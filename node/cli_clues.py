"""Commands of clues at a node: `yixin node clues list|send|desks|key`."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli_options import AsJson, Directory
from node.commands import NodeOutput, Result, run_job, start
from node.config import node_directory
from security.operator.clue_table import say_clues
from security.operator.words import counted

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
        out.done(result, "") if as_json else _say_listed(out, result)


@clues_app.command("send")
def clues_send(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Send clues and join records that changed; the daemon does it by itself.

    Persons go as link tokens, made with both desks. A desk that does not answer stops this run
    alone: nothing is lost, and everything else of the node goes on.

    Example: [bold]yixin node clues send[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "clues_send", {}, out)
        parts = ", ".join(f"{count} {kind}" for kind, count in result["join_parts"].items())
        clues = counted(result["clues"], "clue")
        changed = counted(result["clue_parts"], "changed part")
        out.done(
            result,
            f"{clues} in {changed}; join records in changed parts: {parts}. "
            f"{counted(result['asked'], 'person')} asked for, "
            f"{counted(result['sent'], 'envelope')} sent, "
            f"{result['receipts_quarantined']} with refused content.",
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


def _say_listed(out: NodeOutput, result: Result) -> None:
    rows = result["rows"]
    more = len(rows) < result["total"]
    say_clues(out, f"Clues, {len(rows)} of {result['total']}" if more else "Clues", rows)
    names = {row["source"]: row["name_zh"] for row in rows}
    for source in sorted(names):
        out.say(f"  {source} {names[source]}")
    if rows:
        out.hint("Explain a rule's with: yixin node rules explain ID; all of each with --json")
