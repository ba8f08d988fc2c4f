"""Commands for clues: `yixin hub clues list`, `show` and `join`."""

from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory, Limit
from hub.clue_output import say_clue, say_joined
from hub.commands import Result, run_job, start
from hub.config import hub_directory
from security.operator.clue_table import say_clues

app = typer.Typer(
    no_args_is_help=True,
    help="Clues (线索): what nodes reported, and what only joining several nodes' records shows.",
)


@app.command("list")
def clues_list(
    *,
    source: Annotated[
        str | None, typer.Option("--source", help="Rule, topic or join: M33, T04, J01.")
    ] = None,
    institution: Annotated[
        str | None, typer.Option("--institution", help="Subject institution.")
    ] = None,
    person: Annotated[
        str | None, typer.Option("--person", help="Pseudonym: R and 32 hexadecimal digits.")
    ] = None,
    staff: Annotated[str | None, typer.Option("--staff", help="National code of staff.")] = None,
    score: Annotated[int, typer.Option("--score", min=0, max=1000, help="Least score.")] = 0,
    gone: Annotated[bool, typer.Option("--gone", help="Those that no longer hold too.")] = False,
    limit: Limit = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List clues, the highest score first.

    Example: [bold]yixin hub clues list --source J01[/bold]

    Example: [bold]yixin hub clues list --staff D330302000001 --score 500[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "source": source,
            "institution": institution,
            "person": person,
            "staff": staff,
            "score": score,
            "gone": gone,
            "limit": limit,
        }
        result = run_job(hub_directory(directory), "clues", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        say_clues(out, "Clues", result["rows"])
        if result["rows"]:
            out.hint("Show one with: yixin hub clues show ID")
        if len(result["rows"]) == limit:
            out.hint(f"At most {limit} are listed; for more: --limit")


@app.command("show")
def clues_show(
    clue: Annotated[str, typer.Argument(metavar="ID", help="Id of a clue, or its first digits.")],
    *,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show one clue: what it rests on, and what else is known of the same person or staff.

    Evidence is named by the node and the number of a leaf in its tree: the node alone can open it,
    and prove that it was not changed since.

    Example: [bold]yixin hub clues show 3f9a1c0b[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"id": clue}
        result = run_job(hub_directory(directory), "clue", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        say_clue(out, result)


@app.command("join")
def clues_join(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Join all nodes' records: overlapping stays, impossible travel, shared trace codes, shopping.

    Staff too: one physician at two places at one time, clues about the same staff from several
    nodes. Deletes first what is kept too long. Running it again changes nothing that still holds.

    Example: [bold]yixin hub clues join[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "clues-join", {}, out)
        if as_json:
            out.done(result, "")
            return
        say_joined(out, result)
