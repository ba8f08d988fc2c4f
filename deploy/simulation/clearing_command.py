"""``yixin simulate clearing``: the bureau's files of a month of a simulated city."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.errors import SimulationError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to those of the simulation."""
    app.command("clearing")(clearing)


def clearing(
    city: Annotated[Path, typer.Argument(metavar="CITY", help="Directory of a simulated city.")],
    *,
    month: Annotated[int, typer.Option(min=200_001, max=999_912, help="Month, yyyymm.")],
    out: Annotated[Path, typer.Option(help="Directory to write to.")],
) -> None:
    """Write the bureau's clearing file and totals (3201) of a month, for a spot check.

    Exit codes: 0 written, 2 there is nothing to write or something is there.

    Example: [bold]yixin simulate clearing city --month 202603 --out bureau[/bold]
    """
    from deploy.simulation.clearing import write_clearing  # noqa: PLC0415  # keeps `--help` fast

    try:
        made = write_clearing(city, month, out)
    except SimulationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(
        f"{made.rows} settlements and reversals in {made.clearing}, "
        f"{made.messages} totals in {made.totals}"
    )
