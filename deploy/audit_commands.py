"""``yixin audit``: export the evidence of a hub's log, and verify it offline.

Exit codes of ``verify``: 0 valid, 1 invalid, 2 indeterminate, or unreadable. ``export`` runs on
the hub's machine and shares the exit codes of ``yixin hub``.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from security.audit import AuditReport, Failure, Verdict, load_anchor, verify_bundle
from security.errors import AuditInputError
from security.progress import ProgressReporter, no_progress

EXIT_CODES: Final = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.INDETERMINATE: 2}
EXIT_UNREADABLE: Final = 2
MOST_SHOWN: Final = 50
"""Failures shown as a table; all of them are in the JSON."""

app = typer.Typer(
    name="audit",
    no_args_is_help=True,
    help="Export the evidence of a hub's log; verify it offline, without decryption keys.",
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")]


@app.command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(help="Directory or .zip file to verify.")],
    *,
    trust: Annotated[
        Path,
        typer.Option(
            "--trust", help="Trust file of the hub, received from its officer, not with the bundle."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Verify a bundle: signatures, chains, receipts, publications and the log itself.

    Exit codes: 0 valid, 1 invalid, 2 indeterminate or unreadable.

    Example: [bold]yixin audit verify 2026H1.zip --trust hub.trust[/bold]
    """
    try:
        anchor = load_anchor(trust)
        with _progress() as progress:
            report = verify_bundle(bundle, anchor, progress)
    except AuditInputError as error:
        typer.echo(f"unreadable: {error}", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from error
    if as_json:
        typer.echo(report.to_json())
    else:
        _show(report)
    raise typer.Exit(EXIT_CODES[report.verdict])


@app.command("export")
def export(
    *,
    out: Annotated[Path, typer.Option("--out", help="New directory, or file ending in .zip.")],
    directory: Annotated[
        Path | None,
        typer.Option("--dir", help="State directory of the hub; else YIXIN_HUB_DIR."),
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="Only the envelopes of this rating period.")
    ] = None,
    from_index: Annotated[
        int | None, typer.Option("--from", min=0, help="First log index.")
    ] = None,
    to_index: Annotated[
        int | None, typer.Option("--to", min=0, help="Log index after the last.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the evidence of a hub's log, the whole of it by default, for an auditor.

    Example: [bold]yixin audit export --dir /var/lib/yixin --out 2026H1.zip --period 2026H1[/bold]
    """
    from hub.commands import run_job, start  # noqa: PLC0415 - an auditor has no hub to import
    from hub.config import hub_directory  # noqa: PLC0415 - an auditor has no hub to import

    with start(as_json) as output:
        arguments = {
            "out": str(out.absolute()),
            "period": period,
            "from_index": from_index,
            "to_index": to_index,
        }
        result = run_job(hub_directory(directory), "audit-export", arguments, output)
        output.done(
            result,
            f"Wrote {result['file']}: log {result['from_index']} to {result['to_index']}, "
            f"{result['envelopes']} envelopes, {result['receipts']} receipts.\n"
            "Hand the trust file over separately: yixin hub export-trust FILE",
        )


@contextmanager
def _progress() -> Iterator[ProgressReporter]:
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


def _show(report: AuditReport) -> None:
    console = Console(highlight=False)
    limited = f", period {report.period}" if report.period else ""
    console.print(
        f"{report.hub}, log {report.from_index} to {report.to_index}{limited}, "
        f"made {report.created}",
        markup=False,
    )
    counts = Table(show_header=False)
    for name, count in report.counts.items():
        counts.add_row(name.replace("_", " "), str(count))
    console.print(counts)
    found = [("bundle", failure) for failure in report.failures]
    found += [
        (str(exchange.index), failure)
        for exchange in report.exchanges
        for failure in exchange.failures
    ]
    if found:
        console.print(_failures(found))
    if len(found) > MOST_SHOWN:
        console.print(f"{len(found) - MOST_SHOWN} more failures: see --json", markup=False)
    console.print(f"verdict: {report.verdict}", markup=False)


def _failures(found: list[tuple[str, Failure]]) -> Table:
    table = Table(title="Failures")
    for heading in ("log index", "check", "verdict", "detail"):
        table.add_column(heading, overflow="fold")
    for index, failure in found[:MOST_SHOWN]:
        # Details quote the bundle: no markup, no control characters.
        detail = "".join(char if char.isprintable() else "?" for char in failure.detail)
        table.add_row(index, failure.check, failure.verdict.value, detail.replace("[", "("))
    return table
