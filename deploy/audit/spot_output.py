"""What a spot check prints."""

from typing import Final

from rich.console import Console
from rich.table import Table

from node.inspection.findings import SpotReport

MOST_SHOWN: Final = 30
"""Findings shown one by one; the JSON holds all."""


def show_spot_report(report: SpotReport) -> None:
    """Print a report: what was looked at, what was found, how sure it is, what it cannot show."""
    console = Console()
    table = Table(title=f"{report.member} {report.month}", show_header=False)
    for name, value in (*_records(report), *_outside(report)):
        table.add_row(name, value)
    console.print(table)
    if report.findings:
        found = Table(title=f"{len(report.findings)} findings")
        for name in ("check", "subject", "detail"):
            found.add_column(name, overflow="fold")
        for one in report.findings[:MOST_SHOWN]:
            found.add_row(str(one.check), one.subject, one.detail)
        console.print(found)
        if len(report.findings) > MOST_SHOWN:
            console.print(f"{len(report.findings) - MOST_SHOWN} more; --json lists them.")
    for what, certainties in (
        ("records been changed or removed", report.certainties),
        ("cleared settlements been hidden", report.cleared_certainties),
    ):
        if certainties:
            console.print(f"Had {what}, this sample would catch one with the probability:")
        for sure in certainties:
            line = f"  {sure.share:>6.1%} of all ({sure.bad:,}): {sure.probability:.2%}"
            console.print(line, highlight=False)
    console.print("Not shown by this check:")
    for text in report.cannot_show:
        console.print(f"  - {text}", highlight=False)


def _records(report: SpotReport) -> list[tuple[str, str]]:
    rows = [
        ("verdict", str(report.verdict)),
        ("committed records", f"{report.size:,}, root {report.root[:16]}…"),
        ("seed", f"{report.seed[:16]}…, after {report.log_size:,} leaves of the hub's log"),
        ("confirmed by", ", ".join(report.cosigned_by) or "no witness that you trust"),
    ]
    if (leaves := report.leaves) is not None:
        rows += [
            ("drawn", f"{leaves.sampled:,}, of them {leaves.proved:,} proved"),
            ("replaced before", f"{leaves.replaced_before:,} of the proved"),
            ("replaced since", f"{leaves.replaced_since:,} of the proved"),
            ("deleted by retention", f"{leaves.forgotten:,} of the drawn"),
            ("came since", f"{leaves.came_since:,}"),
        ]
    if (stated := report.statements) is not None:
        rows.append(("statements", f"{stated.counted} counted again, {stated.agreed} agree"))
        rows += [
            ("not counted again", f"{count}: {reason}")
            for reason, count in sorted(stated.not_counted.items())
        ]
    return rows


def _outside(report: SpotReport) -> list[tuple[str, str]]:
    rows = []
    if (cleared := report.clearing) is not None:
        rows += [
            ("clearing file", f"{cleared.cleared_sampled:,} of {cleared.cleared:,} looked for"),
            ("records in it", f"{cleared.recorded_sampled:,} of {cleared.recorded:,} looked for"),
            ("rows of others", f"{cleared.foreign:,}"),
            ("clearing type not judged", f"{cleared.untyped:,} of those found"),
        ]
    if report.totals:
        equal = sum(one.platform == one.recorded for one in report.totals)
        rows.append(("totals", f"{len(report.totals)} of the platform, {equal} equal"))
    if report.foreign_totals:
        rows.append(("totals of others", f"{report.foreign_totals:,}"))
    return rows
