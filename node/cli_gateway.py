"""Command `yixin node gateway`: the proxy before the core platform, a process of its own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from node.commands import existing, start
from node.config import load_settings, node_directory

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the node's."""
    app.command()(gateway)


def gateway(
    *,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="State directory of the node; else YIXIN_NODE_DIR, else ./yixin-node."
        ),
    ] = None,
) -> None:
    """Pass the HIS's calls on to the core platform, and keep copies for the daemon.

    Runs beside `yixin node serve` and does not need it: calls pass when daemon, store or disk fail.
    Settings: table `gateway` of node.toml; upstream is needed. Ends on SIGTERM or Ctrl-C.

    Example: [bold]yixin node gateway --dir /var/lib/yixin[/bold]
    """
    with start(as_json=False) as out:
        # Not through `node.app`: the gateway starts where store and ledger cannot be opened.
        from node.gateway_process import run_gateway  # noqa: PLC0415  # keeps `--help` fast

        home = existing(node_directory(directory))
        run_gateway(home, load_settings(home), now=_utc_now, say=out.say)


def _utc_now() -> datetime:
    """The clock of this process."""
    return datetime.now(tz=UTC)  # noqa: TID251  # a process of its own, without `app.py`
