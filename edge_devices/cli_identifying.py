"""``yixin device identify``: who, of all who are enrolled at the node, the person here may be."""

from typing import Annotated

import typer

from edge_devices.commands import start
from edge_devices.config import DEFAULT_DIRECTORY
from edge_devices.face_terminals.identifying import DEFAULT_COUNT, MAX_COUNT, Identifying
from edge_devices.options import AsJson, Directory, Models
from edge_devices.terminal_options import (
    Embedding,
    Gate,
    Node,
    Source,
    Upscale,
    given_settings,
)

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("identify")(identify)


def identify(
    *,
    purpose: Annotated[
        str, typer.Option("--purpose", help="What the search is for; the node logs it.")
    ],
    count: Annotated[
        int,
        typer.Option(
            "--count",
            min=1,
            max=MAX_COUNT,
            help="Most candidates; the node's identify_max may be lower.",
        ),
    ] = DEFAULT_COUNT,
    source: Source = None,
    node: Node = None,
    directory: Directory = DEFAULT_DIRECTORY,
    models: Models = None,
    embedding: Embedding = None,
    gate: Gate = None,
    upscale: Upscale = None,
    as_json: AsJson = False,
) -> None:
    """Search for whoever stands there among all who are enrolled (一对多检索, 1:N).

    Off until the node's operator sets identify in its node.toml and imports
    a calibration for searches; from windows and entrances alone. Before a
    camera only a living face is taken. What comes are candidates for somebody
    to look at, and every search is in the node's log with its purpose: write
    no name into it.

    Example: [bold]yixin device identify --source camera --purpose "no card, cannot speak"[/bold]

    Example: [bold]yixin device identify --source folder:photo --purpose "unknown patient"
    --count 3 --json[/bold]
    """
    with start(as_json) as out:
        from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast

        search = Identifying(purpose=purpose, count=count)
        search.verify()
        given = given_settings(source, node, models, embedding, gate, upscale)
        found = root.identify(directory, root.settings_with(directory, given), search, out.hint)
        if as_json:
            listed = [{"person": who, "score_e4": score} for who, score in found.candidates]
            out.json({"searched": found.searched, "candidates": listed})
        elif not found.candidates:
            out.say(f"Nobody was found; {found.searched} templates were searched.")
        else:
            out.rows(
                "Best first",
                [{"person": who, "score": f"{score / 1e4:.4f}"} for who, score in found.candidates],
            )
            out.say(
                f"{found.searched} templates were searched. Look at the candidates: a search is no "
                "verification."
            )
