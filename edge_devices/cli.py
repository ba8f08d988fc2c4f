"""Command line of an edge device: parse arguments, build the parts, say what came of it."""

import typer

from edge_devices import (
    cli_calibration,
    cli_identifying,
    cli_models,
    cli_simulators,
    cli_terminal,
)

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="A face terminal (人脸终端): verifies people at the counter, offline too.",
)


@app.callback()
def _root() -> None:
    """Hold the options that belong to no command."""


cli_models.register(app)
cli_calibration.register(app)
cli_terminal.register(app)
cli_identifying.register(app)
cli_simulators.register(app)
