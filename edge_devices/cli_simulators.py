"""``yixin device simulate-fleet``: many terminals with drawn faces, at one real node."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from edge_devices.commands import start
from edge_devices.errors import DeviceConfigurationError
from edge_devices.options import AsJson

__all__ = ["register"]

_MAX_TOKENS_BYTES: Final = 16 * 1024 * 1024
_MOST_EVENTS: Final = 1_000_000
_MOST_PERSONS: Final = 10_000


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("simulate-fleet")(simulate_fleet)


def simulate_fleet(
    *,
    tokens: Annotated[
        Path, typer.Option("--tokens", help="File of tokens, one a line and a terminal.")
    ],
    directory: Annotated[
        Path, typer.Option("--dir", help="Directory of the terminals' directories.")
    ],
    events: Annotated[
        int, typer.Option(min=1, max=_MOST_EVENTS, help="Verifications, over all terminals.")
    ] = 1_000,
    persons: Annotated[int, typer.Option(min=1, max=_MOST_PERSONS, help="People.")] = 50,
    impostors: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share at which somebody else stands there.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Of faces and of who comes.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Simulate a fleet of face terminals (终端机群): real queues, lines and signatures.

    Faces are drawn numbers, so no model and no camera is needed. The tokens
    come from `yixin node device token`, at least one for a window or a
    pharmacy, where people are enrolled; run again with the same seed, all go
    on as who they are. People and events go into the node's register: for a node
    that is no hospital's own. A node without a threshold for drawn faces
    holds every comparison unjudged.

    Example: [bold]yixin device simulate-fleet --tokens tokens.txt --dir fleet
    --events 1000[/bold]
    """
    with start(as_json) as out:
        from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast
        from edge_devices.simulators.fleet import (  # noqa: PLC0415  # keeps `--help` fast
            FleetOrder,
            FleetResult,
            join_fleet,
            run_fleet,
        )

        order = FleetOrder(events=events, persons=persons, impostors=impostors, seed=seed)
        lines = _tokens(tokens)

        async def run() -> FleetResult:
            identities = await join_fleet(lines, directory, root.utc_now)
            return await run_fleet(
                identities,
                order,
                now=root.utc_now,
                steady=root.steady_now,
                say=out.hint,
                progress=out.progress,
            )

        with out.bar():
            found = asyncio.run(run())
        told = ", ".join(f"{count} {word}" for word, count in sorted(found.verdicts.items()))
        out.done(
            {
                "terminals": found.terminals,
                "events": found.events,
                "impostors": found.impostors,
                "refused": found.refused,
                "verdicts": dict(sorted(found.verdicts.items())),
                "seconds": round(found.seconds, 3),
            },
            f"{found.terminals} terminals, {found.events} events in {found.seconds:.1f} s, all "
            f"answered by the node ({found.refused} refused); {found.impostors} impostors; told "
            f"at the counter: {told}.",
        )


def _tokens(path: Path) -> list[str]:
    """Read the tokens of a file.

    Raises:
        DeviceConfigurationError: It cannot be read, or is no text of this size.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_TOKENS_BYTES + 1)
        text = content.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceConfigurationError(
            f"{path} is no file of tokens: write one a line, as `yixin node device token` prints it"
        ) from error
    if len(content) > _MAX_TOKENS_BYTES:
        raise DeviceConfigurationError(f"{path} is longer than {_MAX_TOKENS_BYTES} bytes")
    return [line.strip() for line in text.splitlines() if line.strip()]
