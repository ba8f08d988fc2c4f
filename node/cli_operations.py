"""Command `yixin node operations`: the log of operators."""

from typing import Annotated

import typer

from node.cli_options import AsJson, Directory
from node.commands import run_job, start
from node.config import node_directory

app = typer.Typer()


@app.command()
def operations(
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Follow the chain of hashes from the first entry.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="Most rows to show.")
    ] = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what operators did to single records, newest first (操作日志).

    The hub knows the last hash from the node's heartbeats: compare the one that is printed here.

    Example: [bold]yixin node operations --verify[/bold]
    """
    with start(as_json) as out:
        arguments = {"verify": verify, "limit": limit}
        result = run_job(node_directory(directory), "operations", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        out.rows("Operations", result["rows"])
        if verify:
            out.say(f"Verified: {result['size']} entries, head {result['head']}.")
