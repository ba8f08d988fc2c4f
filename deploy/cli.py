"""The ``yixin`` command: one entry, whose rooms are imported only when they are asked for.

Starting an interpreter costs a node in a hospital enough already: ``yixin --help`` imports
no gRPC, no pyarrow and no DuckDB, and ``yixin node status`` imports nothing of the hub.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Final

import typer
from typer._click import Command, Context
from typer.core import TyperCommand, TyperGroup

DISTRIBUTION: Final = "yixin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where a sub-command lives, and how ``--help`` names it before it is imported."""

    module: str
    """Module that defines the Typer application under the name ``app``."""
    summary: str
    """One line for the list of commands."""


MOUNTS: Final[Mapping[str, Mount]] = {
    "node": Mount(
        module="node.cli", summary="Run a node: take in messages, pre-score, send statements."
    ),
    "hub": Mount(
        module="hub.cli", summary="Run a hub: receive, import items, grade, publish, push."
    ),
    "department": Mount(
        module="deploy.department.cli",
        summary="Be a department: join a hub, ask for products, collect and verify them.",
    ),
    "device": Mount(
        module="edge_devices.cli",
        summary="Run a face terminal: models, calibration, enrolment, verification.",
    ),
    "model": Mount(
        module="deploy.model.cli",
        summary="Check, score, explain, compile and simulate rating models.",
    ),
    "rules": Mount(
        module="deploy.rules_commands",
        summary="List and check supervision rules; import knowledge.",
    ),
    "audit": Mount(
        module="deploy.audit_commands", summary="Export an exchange's evidence; verify it offline."
    ),
    "simulate": Mount(
        module="deploy.simulation.cli", summary="Write a simulated city's messages and files."
    ),
    "demo": Mount(
        module="deploy.demo.cli", summary="Show the whole way from a message to a proven grade."
    ),
    "bench": Mount(
        module="deploy.benchmarks.cli", summary="Measure this machine against the targets."
    ),
}


class LazyGroup(TyperGroup):
    """A group whose commands are placeholders until one of them is called."""

    def __init__(self, *, name: str | None = None, **settings: object) -> None:
        """Fill the group with placeholders that know their name and summary.

        Args:
            name: Name of the group.
            settings: What Typer hands to every group; ``commands`` is ours.
        """
        settings["commands"] = {
            command: TyperCommand(command, help=mount.summary) for command, mount in MOUNTS.items()
        }
        super().__init__(name=name, **settings)  # type: ignore[arg-type]  # Typer's own settings.

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, Command | None, list[str]]:
        """Import the room of the command that was called, then resolve as usual.

        Args:
            ctx: Context of the call.
            args: Arguments from the command's name on.

        Returns:
            Name, command and the arguments left for it.
        """
        if args and args[0] in MOUNTS:
            module = importlib.import_module(MOUNTS[args[0]].module)
            self.commands[args[0]] = typer.main.get_command(module.app)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name=DISTRIBUTION,
    cls=LazyGroup,
    no_args_is_help=True,
    help="Supervise a region's medical-insurance fund and rate everyone who touches it (医信).",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(*, wanted: bool) -> None:
    """Print the installed version and end, where ``--version`` was given."""
    if wanted:
        typer.echo(f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[  # Its callback does the work.
        bool,
        typer.Option(
            "--version",
            help="Show the version and end.",
            is_eager=True,
            callback=lambda value: _show_version(wanted=value),
        ),
    ] = False,
) -> None:
    """Hold the options that belong to no command."""


def main() -> None:
    """Run the ``yixin`` command on the arguments of this process."""
    app()


if __name__ == "__main__":
    main()
