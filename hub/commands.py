"""How a command runs and speaks: daemon or own lock, progress bar, tables, JSON, exit codes."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from hub.config import load_settings

Result: TypeAlias = dict[str, Any]
"""Arguments and results of jobs: JSON objects, as they also travel over the command socket."""

UNEXPECTED: Final = "unexpected"


class Output:
    """Speaks to the operator, or prints one JSON object for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        """Progress, hints and errors go to standard error, results to standard output."""
        self.as_json = as_json
        self._out = Console(highlight=False)
        self._err = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task: tuple[str, Any] | None = None

    def say(self, text: str) -> None:
        """One line of result."""
        self._out.print(text, markup=False, soft_wrap=True)

    def hint(self, text: str) -> None:
        """One line for the operator that is no result."""
        self._err.print(text, markup=False, soft_wrap=True)

    def progress(self, stage: str, done: int, total: int = 0, unit: str = "") -> None:
        """Move the progress bar; stages follow each other on lines of their own."""
        if self._bar is None:
            return
        if self._task is None or self._task[0] != stage:
            name = f"{stage} ({unit})" if unit else stage
            self._task = (stage, self._bar.add_task(name, total=total or None))
        self._bar.update(self._task[1], completed=done, total=total or None)

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Show progress while the body runs, on a terminal only."""
        if not sys.stderr.isatty():
            yield
            return
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._err,
            transient=True,
        ) as bar:
            self._bar = bar
            try:
                yield
            finally:
                self._bar = None
                self._task = None

    def done(self, result: Mapping[str, Any], text: str) -> None:
        """Say a result in words, or print it as JSON."""
        self.say(json.dumps(result, ensure_ascii=False) if self.as_json else text)

    def table(self, title: str, result: Mapping[str, Any]) -> None:
        """Show a flat result as two columns."""
        if self.as_json:
            self.done(result, "")
            return
        table = Table(title=title, show_header=False)
        for name, value in result.items():
            table.add_row(name.replace("_", " "), _shown(value))
        self._out.print(table)

    def rows(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show equal objects as a table."""
        if not rows:
            self.say(f"{title}: nothing")
            return
        table = Table(title=title)
        for name in rows[0]:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(_shown(value) for value in row.values()))
        self._out.print(table)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items()) or "none"
    return "—" if value is None else str(value)


@contextmanager
def start(as_json: bool) -> Iterator[Output]:  # noqa: FBT001 - it is the flag --json itself
    """Run a command's body; errors become one message and their exit code."""
    output = Output(as_json=as_json)
    try:
        yield output
    except (typer.Exit, typer.Abort, KeyboardInterrupt):
        raise
    except Exception as error:
        from hub.api.errors import describe  # noqa: PLC0415 - keeps --help fast

        code, message, exit_code = describe(error)
        if as_json:
            output.say(json.dumps({"error": code, "message": message}, ensure_ascii=False))
        else:
            output.hint(f"Error ({code}): {message}")
        if code == UNEXPECTED:
            raise
        raise typer.Exit(exit_code) from error


def run_job(
    directory: Path, command: str, arguments: Result, output: Output, *, writes: bool = True
) -> Result:
    """Run a job in the daemon, or here when none runs.

    Raises:
        NotInitialisedError: The directory holds no hub.
        LockHeldError: A job that writes found another writer and no daemon.
    """
    from hub.parts import CONTROL_SOCKET  # noqa: PLC0415 - keeps --help fast
    from security.local_channel import (  # noqa: PLC0415 - keeps --help fast
        DaemonAbsentError,
        call_daemon,
    )

    load_settings(directory)
    with output.bar():
        try:
            return call_daemon(directory / CONTROL_SOCKET, command, arguments, output.progress)
        except DaemonAbsentError:
            from hub.app import run_here  # noqa: PLC0415 - keeps --help fast

            return run_here(directory, command, arguments, output.progress, writes=writes)
