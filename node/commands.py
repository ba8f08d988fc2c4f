"""How a command runs and speaks: daemon or own lock, progress bar, tables, JSON, exit codes."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from node.config import CONTROL_SOCKET
from node.errors import ConfigurationError

Result: TypeAlias = dict[str, Any]
"""Arguments and results of jobs: JSON objects, as they also travel over the command socket."""


class Output:
    """Speaks to the operator, or prints one JSON object for scripts."""

    def __init__(self, *, as_json: bool) -> None:
        """Progress and errors go to standard error, results to standard output."""
        self.as_json = as_json
        self._out = Console(highlight=False)
        self._err = Console(stderr=True, highlight=False)
        self._bar: Progress | None = None
        self._task: tuple[str, Any] | None = None

    def say(self, text: str) -> None:
        """One line for the operator."""
        self._out.print(text, markup=False, soft_wrap=True)

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
            if isinstance(value, dict):
                shown = ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
            else:
                shown = "—" if value is None else str(value)
            table.add_row(name.replace("_", " "), shown)
        self._out.print(table)

    def rows(self, title: str, result: Mapping[str, Any]) -> None:
        """Show `result["rows"]`, a list of equal objects, as a table."""
        rows: Sequence[Mapping[str, Any]] = result["rows"]
        if self.as_json:
            self.done(result, "")
            return
        if not rows:
            self.say(f"{title}: nothing")
            return
        table = Table(title=f"{title}: {len(rows)} of {result.get('total', len(rows))}")
        for name in rows[0]:
            table.add_column(name.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row.values()))
        self._out.print(table)

    def refusals(self, result: Mapping[str, Any]) -> None:
        """Show quarantined rows, two lines each: where and what, and how to mend it."""
        if self.as_json:
            self.done(result, "")
            return
        self.say(f"Quarantine: {len(result['rows'])} of {result['total']} rows")
        for row in result["rows"]:
            message = f", message {row['message']}" if row["message"] else ""
            self.say(f"{row['source']} line {row['line']}{message}: {row['rule']}")
            self.say(f"    {row['reason']}")
            self.say(f"    to mend: {row['mend']}")

    def ingested(self, result: Mapping[str, Any]) -> None:
        """Say what a run of `ingest` took in."""
        if self.as_json:
            self.done(result, "")
            return
        kinds = ", ".join(f"{kind} {count}" for kind, count in result["records_stored"].items())
        self.say(
            f"{result['messages_in']} messages: stored {kinds or 'nothing'}; "
            f"{result['already_seen']} already seen, {result['pending']} pending, "
            f"{result['not_accepted']} not accepted by the platform, "
            f"{result['quarantined']} quarantined."
        )
        if result["quarantined"]:
            self.table("Quarantined by rule", result["by_rule"])
            self.say("See them with: yixin node quarantine list")

    def prescored(self, result: Mapping[str, Any]) -> None:
        """Show pre-scores and the comparison."""
        if self.as_json:
            self.done(result, "")
            return
        self.rows(f"Pre-scores {result['period']}", {"rows": result["subjects"]})
        self.say(
            f"Basis of the model: {result['basis']}. Compared with the hub's final points: "
            f"{result['prescore_equal']} of {result['prescore_compared']} indicators equal."
        )

    def explained(self, result: Mapping[str, Any]) -> None:
        """Show an explanation, the largest loss first."""
        if self.as_json:
            self.done(result, "")
            return
        self.rows(
            f"{result['subject']} {result['period']}: {result['total']} points, {result['grade']} "
            f"(basis: {result['basis']})",
            {"rows": result["indicators"]},
        )


@contextmanager
def start(as_json: bool) -> Iterator[Output]:  # noqa: FBT001  # it is the flag `--json` itself
    """Run a command's body; errors become one message and their exit code."""
    output = Output(as_json=as_json)
    try:
        yield output
    except (typer.Exit, typer.Abort, KeyboardInterrupt):
        raise
    except Exception as error:
        from node.api.errors import describe  # noqa: PLC0415  # keeps commands fast

        code, message, exit_code = describe(error)
        if as_json:
            output.say(json.dumps({"error": code, "message": message}, ensure_ascii=False))
        else:
            Console(stderr=True, highlight=False).print(
                f"Error ({code}): {message}", markup=False, soft_wrap=True
            )
        if code == "unexpected":
            raise
        raise typer.Exit(exit_code) from error


def run_job(
    directory: Path, command: str, arguments: Result, output: Output, *, writes: bool = True
) -> Result:
    """Run a job in the daemon, or here when none runs.

    Raises:
        ConfigurationError: The directory holds no node.
        LockHeldError: A job that writes found another writer and no daemon.
    """
    from security.local_channel import (  # noqa: PLC0415  # keeps `--help` fast
        DaemonAbsentError,
        call_daemon,
    )

    if not (directory / "node.db").exists():
        raise ConfigurationError(
            f"{directory} holds no node; make one with: yixin node init --dir {directory}"
        )
    with output.bar():
        try:
            return call_daemon(directory / CONTROL_SOCKET, command, arguments, output.progress)
        except DaemonAbsentError:
            from node.app import run_here  # noqa: PLC0415  # keeps `--help` fast

            return run_here(directory, command, arguments, output.progress, writes=writes)
