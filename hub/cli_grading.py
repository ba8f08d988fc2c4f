"""Commands of the grading desk: import, grade, show, explain, publish, push."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli_options import AsJson, Directory, PeriodOption
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer()

REFUSED_EXIT: Final = 1
"""Exit code of a job that ended well but refused or quarantined rows."""


@app.command("import")
def import_items(
    *,
    path: Annotated[Path, typer.Argument(help="A department's CSV file, or a directory of them.")],
    item: Annotated[
        str | None, typer.Option("--item", help="Information item, 01 to 23; else by file name.")
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="Rating period; else by file name.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Import department items. Exit code 1 tells that lines were quarantined.

    Example: [bold]yixin hub import departments/[/bold]

    Example: [bold]yixin hub import desk.csv --item 05 --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"path": str(path.resolve()), "item": item, "period": period}
        result = run_job(hub_directory(directory), "import", arguments, out)
        if as_json:
            out.done(result, "")
        else:
            columns = ("file_name", "item", "period", "added", "corrected", "quarantined")
            files = [{key: file[key] for key in columns} for file in result["files"]]
            out.rows("Imported", files)
            if result["by_rule"]:
                out.table("Quarantined lines by rule", result["by_rule"])
                out.hint("List them with `yixin hub quarantine --items`.")
        if result["quarantined"]:
            raise typer.Exit(REFUSED_EXIT)


@app.command()
def grade(
    *,
    period: PeriodOption,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--day",
            formats=["%Y-%m-%d"],
            help="Day for which parameters are read; else the period's last.",
        ),
    ] = None,
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete",
            help="Grade although institutions stated nothing yet; no peer reference is frozen.",
        ),
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Grade every subject of the register for a period.

    The first complete grading freezes the period's peer reference.

    Example: [bold]yixin hub grade --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "period": period,
            "day": None if day is None else day.date().isoformat(),
            "incomplete": incomplete,
        }
        result = run_job(hub_directory(directory), "grade", arguments, out)
        if as_json:
            out.done(result, "")
            return
        out.say(
            f"Run {result['run_id']}, {result['period']}, model {result['model']} "
            f"(basis: {result['basis']}): {result['graded']} graded, {result['not_rated']} not "
            f"rated, {result['no_model']} without a model."
        )
        if result["incomplete"]:
            out.say(
                f"Incomplete: {result['silent']} institutions lack statements or a custodian; the "
                "peer reference is not frozen. Grade again when they have them."
            )
        if result["open_faults"]:
            out.say(
                f"{result['open_faults']} lines of department files stay refused; list them with "
                "`yixin hub quarantine --items`, mend them and import again."
            )
        out.rows("Distribution", _distribution(result))


@app.command()
def grades(*, period: PeriodOption, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show the grades that hold for a period, best first.

    Example: [bold]yixin hub grades --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"period": period}
        result = run_job(hub_directory(directory), "grades", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        rows = [
            {
                "institution": row["subject"],
                "name": row["name"],
                "level": row["level"],
                "type": row["type"],
                "points": _points(row["total_centi"]),
                "grade": row["grade"],
            }
            for row in result["subjects"]
        ]
        out.rows(f"{result['period']} (basis: {result['basis']})", rows)
        out.rows("Distribution", _distribution(result))


@app.command()
def explain(
    *,
    subject: Annotated[str, typer.Argument(help="Institution code.")],
    period: PeriodOption,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show where a subject lost points, and why, the largest loss first.

    Example: [bold]yixin hub explain H33030200001 --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"subject": subject, "period": period}
        result = run_job(hub_directory(directory), "explain", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        rows = [
            {
                "指标": row["name_zh"],
                "points": _points(row["points_centi"]),
                "of": _points(row["weight_centi"]),
                "lost": _points(row["lost_centi"]),
                "原因": row["reason_zh"],
                "reason": row["reason_en"],
            }
            for row in sorted(result["indicators"], key=lambda row: -row["lost_centi"])
        ]
        out.rows(
            f"{result['name']} {result['period']}: {_points(result['total_centi'])} points, "
            f"{result['grade_zh'] or result['grade']} (basis: {result['basis']})",
            rows,
        )


@app.command()
def publish(*, period: PeriodOption, directory: Directory = None, as_json: AsJson = False) -> None:
    """Publish the grades of a period: signed, logged, sent to the custodians.

    Publishing the same run twice changes nothing.

    Example: [bold]yixin hub publish --period 2026H1[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "publish", {"period": period}, out)
        out.done(
            result,
            f"Publication of {result['period']}: {result['statements']} statements, log index "
            f"{result['log_index']}, root {result['root'][:16]}…; "
            f"{'new' if result['is_new'] else 'nothing new'}. Basis of the model: "
            f"{result['basis']}.",
        )


@app.command()
def push(*, period: PeriodOption, directory: Directory = None, as_json: AsJson = False) -> None:
    """Push the publication of a period to the parent hub. Exit code 1: the parent refused some.

    Example: [bold]yixin hub push --period 2026H1[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "push", {"period": period}, out)
        out.done(
            result,
            f"Pushed {result['period']}: {result['parts']} parts, {result['appended']} new; "
            f"{result['sent']} envelopes sent, {result['receipts']} receipts.",
        )
        if result["quarantined"]:
            raise typer.Exit(REFUSED_EXIT)


def _points(centi: int) -> str:
    return f"{centi / 100:.2f}"


def _distribution(result: Result) -> list[Result]:
    return [
        {
            "grade": row["grade"],
            "等级": row["name_zh"],
            "count": row["count"],
            "share": f"{row['share_bp'] / 100:.2f} %",
        }
        for row in result["distribution"]
    ]
