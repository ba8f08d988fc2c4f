"""The audit on a terminal: progress, counts and failures.

Rule: details quote the bundle, so they are printed without markup and without control characters.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from security.audit import AuditReport, Failure
from security.progress import ProgressReporter, no_progress

MOST_SHOWN: Final = 50
"""Failures shown as a table; all of them are in the JSON."""

UNCONFIRMED: Final = (
    "nobody but the hub confirmed this log: the trust files ask for no quorum of witnesses"
)


@contextmanager
def show_progress() -> Iterator[ProgressReporter]:
    """A progress bar on standard error; nothing when that is no terminal."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("verify", total=None)

        def report(stage: str, done: int, total: int = 0, unit: str = "") -> None:
            bar.update(
                task, description=f"{stage} {unit}".strip(), completed=done, total=total or None
            )

        yield report


def show_report(report: AuditReport) -> None:
    """Print what was examined, what was counted, what failed and the verdict."""
    console = Console(highlight=False)
    limited = f", period {report.period}" if report.period else ""
    console.print(
        f"{report.hub}, log {report.from_index} to {report.to_index}{limited}, "
        f"made {printable(report.created)} as the bundle says, which nothing proves",
        markup=False,
    )
    counts = Table(show_header=False)
    for name, count in report.counts.items():
        if count:
            counts.add_row(name.replace("_", " "), str(count))
    counts.add_row("confirmed by", ", ".join(report.cosigned_by) or "no trusted witness")
    console.print(counts)
    if report.is_unconfirmed:
        console.print(UNCONFIRMED, markup=False)
    if report.unknown_files:
        console.print(
            f"not part of a bundle, and not read: {printable(', '.join(report.unknown_files))}",
            markup=False,
        )
    found = list(islice(report.all_failures(), MOST_SHOWN))
    if found:
        console.print(_failures(found))
    more = sum(1 for _ in report.all_failures()) - len(found)
    if more:
        console.print(f"{more} more failures: see --json", markup=False)
    console.print(f"verdict: {report.verdict}", markup=False)


def printable(text: str) -> str:
    """A text of a bundle without control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _failures(found: list[tuple[int | None, Failure]]) -> Table:
    table = Table(title="Failures")
    for heading in ("log index", "check", "verdict", "detail"):
        table.add_column(heading, overflow="fold")
    for index, failure in found:
        place = "bundle" if index is None else str(index)
        detail = printable(failure.detail).replace("[", "(")
        table.add_row(place, failure.check, failure.verdict.value, detail)
    return table
