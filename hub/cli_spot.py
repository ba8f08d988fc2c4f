"""The command that makes an inspector's spot file."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer()


@app.command("spot-file")
def spot_file(
    *,
    member: Annotated[str, typer.Argument(help="Member id of the node.")],
    month: Annotated[int, typer.Option("--month", min=200_001, max=999_912, help="Month, yyyymm.")],
    out: Annotated[Path, typer.Option("--out", help="New file to write.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write what a node committed to and stated of a month, for `yixin audit spot-check`.

    Example: [bold]yixin hub spot-file yixin://330302/node/H33030200001 --month 202603
    --out 202603.spot[/bold]
    """
    with start(as_json) as out_put:
        arguments: Result = {"member": member, "month": month, "out": str(out.resolve())}
        result = run_job(hub_directory(directory), "spot-file", arguments, out_put, writes=False)
        out_put.done(
            result,
            f"Wrote {result['file']}: {result['statements']} statements of {month}, "
            f"{result['checkpoints']} checkpoints, the last of {result['last_day']} with "
            f"{result['leaves']} records.\nNext, at the node: yixin audit spot-check {out.name} "
            "--node DIR --trust HUB.trust",
        )
