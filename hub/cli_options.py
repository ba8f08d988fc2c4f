"""Options that many commands of a hub share."""

from pathlib import Path
from typing import Annotated, Final

import typer

Directory = Annotated[
    Path | None,
    typer.Option("--dir", help="State directory of the hub; else YIXIN_HUB_DIR, else ./yixin-hub."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
PeriodOption = Annotated[str, typer.Option("--period", help="Rating period, for example 2026H1.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most rows to show.")]
ClassOption = Annotated[
    str | None,
    typer.Option(
        "--class", help="One class of subjects, for example institution or physician; else all."
    ),
]
REFUSED_EXIT: Final = 1
"""Exit code of a job that ended well but refused or quarantined rows."""
