"""Options that many commands of a node share."""

import getpass
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "Directory", "Operator", "Reason", "login_name"]

Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir", help="State directory of the node; else YIXIN_NODE_DIR, else ./yixin-node."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Operator = Annotated[
    str | None,
    typer.Option("--operator", help="Who does this, for the log of operators; else your login."),
]

Reason = Annotated[str, typer.Option("--reason", help="Why, for the log of operators.")]


def login_name(named: str | None) -> str:
    """Name of the operator; empty where the system knows none, and the job then asks."""
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
