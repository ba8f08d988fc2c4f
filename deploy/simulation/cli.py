"""``yixin simulate``: write a simulated city."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.errors import SimulationError
from deploy.simulation.clearing_command import register as register_clearing
from deploy.simulation.recall_command import register as register_recall
from deploy.simulation.simulate import DEFAULT_PERIODS, Order, simulate
from scoring_kernel.errors import PeriodError

app = typer.Typer(invoke_without_command=True)

USAGE_ERROR = 2


@app.callback()
def simulate_city(
    context: typer.Context,
    *,
    institutions: Annotated[
        int, typer.Option(help="Medical institutions; about a sixth as many pharmacies are added.")
    ] = 62,
    claims: Annotated[int, typer.Option(help="Claims over all periods, roughly.")] = 16_000,
    out: Annotated[
        Path | None, typer.Option(help="New or empty directory to write to; needed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed writes the same files.")] = 1,
    periods: Annotated[str, typer.Option(help="Rating periods, separated by commas.")] = ",".join(
        DEFAULT_PERIODS
    ),
    cases: Annotated[
        bool,
        typer.Option(
            "--cases",
            help="Add cases and near misses of every supervision rule to the last period; stock is"
            " told in full in no other, so M40 finds more there. From 20 institutions on.",
        ),
    ] = False,
    stock_table: Annotated[
        bool | None,
        typer.Option(help="One institution's stock as a table. Default: unless with --cases."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the manifest and nothing else.")
    ] = False,
) -> None:
    """Write a deterministic city: national-interface messages, department files, ground truth.

    Nobody in it exists: identity numbers are of an unassigned area. The same arguments write the
    same bytes. Exit codes: 0 written, 2 the arguments cannot be simulated.

    Example: [bold]yixin simulate --institutions 62 --claims 16000 --out city[/bold]

    Example: [bold]yixin simulate --cases --institutions 20 --periods 2026H1 --out city[/bold]
    """
    if context.invoked_subcommand is not None:
        return
    if out is None:
        typer.echo("name a new directory with --out", err=True)
        raise typer.Exit(USAGE_ERROR)
    order = Order(
        institutions=institutions,
        claims=claims,
        seed=seed,
        cases=cases,
        stock_table=stock_table,
        periods=tuple(name.strip() for name in periods.split(",")),
    )
    console = Console(stderr=True, quiet=as_json)
    try:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as bars:
            task = bars.add_task("city", total=None)
            manifest = simulate(
                order,
                out,
                lambda what, done, total: bars.update(
                    task, description=what, completed=done, total=total
                ),
            )
    except (SimulationError, PeriodError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE_ERROR) from error
    if as_json:
        typer.echo(orjson.dumps(manifest).decode())
        return
    typer.echo(
        f"{manifest['institutions']} institutions, {manifest['pharmacies']} pharmacies,"
        f" {manifest['messages']} messages, {manifest['detail_lines']} detail lines in {out}"
    )


@app.command("platform")
def platform(
    directory: Annotated[
        Path, typer.Argument(help="Directory of a simulated city, or of some of its messages.")
    ],
    *,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port; 0 for any free.")] = 0,
    delay_ms: Annotated[
        int, typer.Option(min=0, max=600_000, help="How long it thinks before it answers.")
    ] = 0,
) -> None:
    """Play the core platform on the loopback: answer a city's requests with its own responses.

    Ends on SIGTERM or Ctrl-C. Exit codes: 0 ended, 2 there is nothing to answer with.

    Example: [bold]yixin simulate platform city/messages --port 20001[/bold]
    """
    from deploy.simulation.platform import serve_platform  # noqa: PLC0415  # keeps `--help` fast

    try:
        serve_platform(directory, port=port, delay_s=delay_ms / 1000, say=typer.echo)
    except SimulationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE_ERROR) from error


register_recall(app)
register_clearing(app)
