"""Options that several commands of ``yixin model`` share, and how their errors are said."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from deploy.errors import InputFileError, ModelChoiceError
from scoring_kernel.errors import KernelError
from security.errors import KeyFileError, PackError
from security.operator.output import SYSTEM_EXIT, UNEXPECTED, ErrorText

EXIT_USAGE: Final = 2
EXIT_INPUT_FILE: Final = 6
EXIT_UNSOUND: Final = 18
EXIT_PACK: Final = 46
EXIT_UNEXPECTED: Final = 70

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model id or short name (institution, physician …), or a .yaml file of your own.",
    ),
]
InputsOption = Annotated[
    Path,
    typer.Option("--inputs", help="Inputs, one row per subject: .csv, .parquet or .arrow."),
]
DayOption = Annotated[
    str | None,
    typer.Option(
        "--day",
        help="Day or period whose parameters apply, as 2026-06-30 or 2026H1; else the "
        "reference's, else today.",
    ),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        "--reference", help="Peer reference of a hub (JSON); else the subjects of the file."
    ),
]
MeasuresOption = Annotated[
    Path | None,
    typer.Option("--measures", help="Composite models only: the measure table, a .csv file."),
]
SubjectColumnOption = Annotated[
    str | None,
    typer.Option(
        "--subject-column", help="Composite models only: column of the subject ids; else subject."
    ),
]


def today() -> date:
    """Day of the command, Asia/Shanghai."""
    return datetime.now(tz=UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()


def describe(error: Exception) -> ErrorText:
    """Say an error of a model command: stable code, message, exit code."""
    if isinstance(error, KernelError):
        return "kernel", str(error), EXIT_UNSOUND
    if isinstance(error, InputFileError):
        return "import_file", str(error), EXIT_INPUT_FILE
    if isinstance(error, ModelChoiceError):
        return "usage", str(error), EXIT_USAGE
    if isinstance(error, PackError):
        return "pack", str(error), EXIT_PACK
    if isinstance(error, KeyFileError):
        return "configuration", str(error), SYSTEM_EXIT
    return UNEXPECTED, f"unexpected {type(error).__name__}", EXIT_UNEXPECTED
