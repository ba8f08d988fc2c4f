"""``yixin bench``: measure this machine against the targets."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from deploy.benchmarks.measuring import Row, Skipped
from deploy.errors import BenchmarkError, DemoError

app = typer.Typer(help="Measure this machine against the targets.")

MISSED: Final = 1
USAGE_ERROR: Final = 2


def _kernel(_work: Path, scale: float, repeats: int) -> Sequence[Row | Skipped]:
    from deploy.benchmarks.kernel_rows import measure_p1  # noqa: PLC0415

    return measure_p1(subjects=round(1_000_000 * scale), repeats=repeats)


def _onnx(_work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.kernel_rows import measure_p2  # noqa: PLC0415

    return (measure_p2(subjects=round(1_000_000 * scale), repeats=repeats),)


def _grading(work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.kernel_grading import measure_grading  # noqa: PLC0415

    return (measure_grading(work, scale=scale, repeats=repeats),)


def _intake(work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.intake_rows import measure_csv, measure_json  # noqa: PLC0415

    json_work, csv_work = work / "json", work / "csv"
    json_work.mkdir()
    csv_work.mkdir()
    return (
        measure_json(json_work, lines=round(60_000 * scale), repeats=repeats),
        measure_csv(csv_work, rows=round(100_000 * scale), repeats=repeats),
    )


def _volume(work: Path, scale: float, _repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.volume_rows import BASE_ROWS, measure_volume  # noqa: PLC0415

    return measure_volume(work, base=max(1_000, round(BASE_ROWS * scale)))


def _prechecks(work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.precheck_rows import measure_prechecks  # noqa: PLC0415

    persons, count = round(1_000_000 * scale), max(500, round(10_000 * scale))
    return measure_prechecks(work, persons=persons, count=count, repeats=repeats)


def _rules(work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.rules_rows import LINES, measure_rules  # noqa: PLC0415

    return measure_rules(work, lines=max(20_000, round(LINES * scale)), repeats=repeats)


def _hub(work: Path, scale: float, repeats: int) -> Sequence[Row | Skipped]:
    from deploy.benchmarks.hub_rows import measure_hub  # noqa: PLC0415

    return measure_hub(work, envelopes=max(3, round(1_000 * scale)), repeats=repeats)


def _clues(work: Path, scale: float, _repeats: int) -> Sequence[Row | Skipped]:
    from deploy.benchmarks.clue_rows import measure_clues  # noqa: PLC0415

    return measure_clues(work, splits=max(20, round(200 * scale)))


def _audit(work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.audit_rows import measure_audit  # noqa: PLC0415

    return measure_audit(work, exchanges=round(10_000 * scale), repeats=repeats)


def _log(work: Path, scale: float, repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.log_rows import measure_log  # noqa: PLC0415

    return measure_log(work, leaves=round(10_000 * scale), repeats=repeats)


def _faces(_work: Path, scale: float, repeats: int) -> Sequence[Row | Skipped]:
    from deploy.benchmarks.face_rows import TEMPLATES, measure_faces  # noqa: PLC0415

    return measure_faces(templates=max(1_000, round(TEMPLATES * scale)), repeats=repeats)


def _demo(work: Path, _scale: float, _repeats: int) -> Sequence[Row]:
    from deploy.benchmarks.demo_rows import measure_demo  # noqa: PLC0415

    return (measure_demo(work),)


ROWS: Final[Mapping[str, Callable[[Path, float, int], Sequence[Row | Skipped]]]] = {
    "P1": _kernel,
    "P2": _onnx,
    "P3": _intake,
    "P4": _volume,
    "P6": _prechecks,
    "P5": _rules,
    "P7": _hub,
    "P9K": _grading,
    "P10": _faces,
    "P11": _demo,
    "LOG": _log,
    "P13": _audit,
    "CLUES": _clues,
}
"""Rows by id; each imports what it measures only when it runs."""


@app.command(name="bench")
def bench(
    *,
    only: Annotated[
        str, typer.Option(help="Rows to measure, separated by commas; all by default.")
    ] = ",".join(ROWS),
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the rows to this file as well.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, max=100, help="Runs of ours and of the reference, in turn.")
    ] = 5,
    scale: Annotated[
        float, typer.Option(min=0.01, max=1_000, help="Size of the inputs, 1 for the usual one.")
    ] = 1.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with 1 when a target is missed.")
    ] = False,
) -> None:
    """Measure rows of the performance targets: alternating runs, medians, ratios.

    Exit codes: 0 measured, 1 a run failed or, with --strict, a target is missed, 2 wrong usage.

    Example: [bold]yixin bench --only P3,P7[/bold]
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names:
        typer.echo(f"unknown rows {unknown}; expected some of {', '.join(ROWS)}", err=True)
        raise typer.Exit(USAGE_ERROR)
    console = Console()
    rows: list[Row | Skipped] = []
    try:
        for name in names:
            with (
                tempfile.TemporaryDirectory(prefix="yixin-") as work,
                Console(stderr=True).status(f"measuring {name}"),
            ):
                rows += ROWS[name](Path(work), scale, repeats)
    except (BenchmarkError, DemoError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(MISSED) from error
    console.print(table_of(rows))
    if json_file is not None:
        content = orjson.dumps([row.to_json() for row in rows], option=orjson.OPT_INDENT_2)
        json_file.write_bytes(content + b"\n")
    if strict and not all(row.passes for row in rows if isinstance(row, Row)):
        raise typer.Exit(MISSED)


def table_of(rows: Sequence[Row | Skipped]) -> Table:
    """Make the table of measured rows.

    Args:
        rows: The rows.

    Returns:
        A row: name and how the cost grows, ours, reference, ratio, target, pass; or why it
        was skipped.
    """
    table = Table(title="Benchmarks")
    for name in ("name", "ours", "reference", "ratio", "target", "pass"):
        table.add_column(name, justify="left" if name == "name" else "right")
    for row in rows:
        if isinstance(row, Skipped):
            table.add_row(f"{row.name}\nskipped: {row.reason}", *("-",) * 5)
            continue
        table.add_row(
            f"{row.name}\ncost: {row.growth}",
            f"{row.ours:,.4g} {row.unit}",
            f"{row.reference:,.4g}",
            f"{row.ratio:.3f}",
            f"{row.bound.value} {row.target:g}",
            "yes" if row.passes else "no",
        )
    return table
