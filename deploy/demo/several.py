"""Runs several ``yixin`` commands one after the other in one process: it starts only once.

Each argument is the JSON list of one command's arguments. Printed is one JSON list: what each wrote
to standard output. The first command that ends with another exit code than 0 or 1 ends the rest.
"""

import contextlib
import io
import json
import sys
from collections.abc import Sequence
from typing import Final

import typer

from deploy.cli import app

_ACCEPTED: Final = (0, 1)
"""Exit codes of a run that went well; 1 says that something was quarantined or stopped."""


def run_several(commands: Sequence[Sequence[str]]) -> tuple[int, list[str]]:
    """Run commands.

    Args:
        commands: Arguments after ``yixin``, by command.

    Returns:
        Exit code, and what each command wrote.
    """
    written = []
    for command in commands:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = _run(command)
        written.append(out.getvalue())
        if code not in _ACCEPTED:
            return code, written
    return 0, written


def _run(command: Sequence[str]) -> int:
    try:
        app(list(command))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def main() -> None:
    """Run the commands of this process's arguments."""
    code, written = run_several([json.loads(one) for one in sys.argv[1:]])
    typer.echo(json.dumps(written))
    raise SystemExit(code)


if __name__ == "__main__":
    main()
