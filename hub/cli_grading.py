"""Commands of the grading desk: grade, show, explain, publish, push, exchange scores."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import REFUSED_EXIT, AsJson, ClassOption, Directory, Limit, PeriodOption
from hub.commands import CommandOutput, Result, run_job, start
from hub.config import hub_directory

app = typer.Typer()


@app.command()
def grade(
    *,
    period: PeriodOption,
    subject_class: ClassOption = None,
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
    """Grade every class of subjects for a period, each subject of its register.

    The first complete grading of a class freezes the period's peer reference.

    Example: [bold]yixin hub grade --period 2026H1[/bold]

    Example: [bold]yixin hub grade --period 2026H1 --class physician[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "period": period,
            "class": subject_class,
            "day": None if day is None else day.date().isoformat(),
            "incomplete": incomplete,
        }
        result = run_job(hub_directory(directory), "grade", arguments, out)
        if as_json:
            out.done(result, "")
            return
        for one in result["classes"]:
            _say_run(out, one)
        out.rows("Distribution", _distributions(result["classes"]))
        for one in result["skipped"]:
            out.say(f"{one['subject_class']} was skipped: {one['reason']}.")
        _say_suspect(out, result["suspect_statements"])
        if faults := max(one["open_faults"] for one in result["classes"]):
            out.say(
                f"{faults} lines of department files stay refused; list them with "
                "`yixin hub quarantine --items`, mend them and import again."
            )


@app.command()
def grades(
    *,
    period: PeriodOption,
    subject_class: ClassOption = None,
    limit: Limit = 500,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show the grades that hold for a period class by class, best first.

    Staff and insured persons are shown by their ids alone.

    Example: [bold]yixin hub grades --period 2026H1 --class institution[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"period": period, "class": subject_class, "limit": limit}
        result = run_job(hub_directory(directory), "grades", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        for one in result["classes"]:
            out.rows(
                f"{one['subject_class']} {one['period']} (basis: {one['basis']}), "
                f"{len(one['subjects'])} of {one['graded'] + one['not_rated']}",
                _listed(one["subjects"]),
            )
        out.rows("Distribution", _distributions(result["classes"]))
        _say_suspect(out, result["suspect_statements"])


@app.command()
def explain(
    *,
    subject: Annotated[str, typer.Argument(help="Subject id: a code, or a pseudonym.")],
    period: PeriodOption,
    subject_class: ClassOption = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what caps a subject's grade, and where it lost points, the largest loss first.

    Example: [bold]yixin hub explain H33030200001 --period 2026H1[/bold]

    Example: [bold]yixin hub explain 91330300MA0000000N --period 2026H1 --class supplier[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"subject": subject, "period": period, "class": subject_class}
        result = run_job(hub_directory(directory), "explain", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        for one in (*result["overrides"], *result["undetermined"]):
            out.say(f"{one['reason_zh']}\n{one['reason_en']} (basis: {', '.join(one['sources'])})")
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
            if row["lost_centi"]
        ]
        kept = [row["name_zh"] for row in result["indicators"] if not row["lost_centi"]]
        out.rows(
            f"{result['name'] or result['subject']} {result['period']}: "
            f"{_points(result['total_centi'])} points, "
            f"{result['grade_zh'] or result['grade']} (basis: {result['basis']})",
            rows,
        )
        out.say(f"Without loss (未失分) {len(kept)}: {'、'.join(kept) or '—'}")
        out.advice(result["advice"])


@app.command()
def inputs(
    *,
    period: PeriodOption,
    subject_class: Annotated[
        str, typer.Option("--class", help="Class of subjects, for example institution.")
    ],
    out_file: Annotated[Path, typer.Option("--out", help="CSV file to make.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Export what a class was graded from, and the peer reference beside it.

    The files are for `yixin model simulate`, `score` and `explain`: scoring them with the
    reference gives the very points of the run.

    Example: [bold]yixin hub inputs --period 2026H1 --class institution --out 2026H1.csv[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "period": period,
            "class": subject_class,
            "out": str(out_file.resolve()),
        }
        result = run_job(hub_directory(directory), "inputs", arguments, out, writes=False)
        out.done(
            result,
            f"{result['subjects']} subjects of {result['subject_class']} {result['period']} "
            f"(run {result['run_id']}, parameters of {result['day']}) in {result['file']}; peer "
            f"reference in {result['reference']}.",
        )


@app.command()
def publish(
    *,
    period: PeriodOption,
    subject_class: ClassOption = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Publish the grades of a period: signed, logged, sent to the custodians.

    Statements of staff go to the custodian of their institution. Publishing the same run twice
    changes nothing.

    Example: [bold]yixin hub publish --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"period": period, "class": subject_class}
        result = run_job(hub_directory(directory), "publish", arguments, out)
        if as_json:
            out.done(result, "")
            return
        for one in result["classes"]:
            out.say(
                f"{one['subject_class']} {one['period']}: {one['statements']} statements, log "
                f"index {one['log_index']}, root {one['root'][:16]}…; "
                f"{'new' if one['is_new'] else 'nothing new'}. Basis of the model: {one['basis']}."
            )


@app.command()
def push(*, period: PeriodOption, directory: Directory = None, as_json: AsJson = False) -> None:
    """Push the publication of a period to the parent hub. Exit code 1: the parent refused some.

    Grades of insured persons stay with this hub.

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


def _say_suspect(out: CommandOutput, suspect: int) -> None:
    if suspect:
        out.say(
            f"{suspect} statements are suspect and count for nobody while an incident is open; "
            "see: yixin hub incidents"
        )


def _say_run(out: CommandOutput, run: Result) -> None:
    """One line about a class, and what is to be done about it."""
    out.say(
        f"{run['subject_class']}, run {run['run_id']}, {run['period']} (basis: {run['basis']}): "
        f"{run['graded']} graded, {run['capped']} of them capped, {run['not_rated']} not rated, "
        f"{run['no_model']} of a level or type that the model does not know."
    )
    if run["unknown"]:
        named = ", ".join(
            f"{one['subject']} ({one['level'] or '—'}/{one['type'] or '—'})"
            for one in run["unknown"]
        )
        more = f" and {run['no_model'] - len(run['unknown'])} more"
        out.say(
            f"Not graded: {named}{more if run['no_model'] > len(run['unknown']) else ''}. Correct "
            "their level or type in the register."
        )
    if run["undetermined"]:
        named = ", ".join(f"{one['item']} {one['name_zh']}" for one in run["not_imported"])
        mend = (
            f"Not imported for {run['period']}: {named}. Import them, also empty, and grade again."
            if named
            else "See `yixin hub explain` for what is missing about each."
        )
        out.say(f"Whether an override caps {run['undetermined']} of them cannot be judged. {mend}")
    if run["incomplete"]:
        out.say(
            f"Incomplete: {run['silent']} institutions lack statements or a custodian; the "
            "peer reference is not frozen. Grade again when they have them."
        )


def _listed(rows: list[Result]) -> list[Result]:
    """Rows as a screen shows them; columns that are empty for everybody are left out."""
    shown = [
        {
            "subject": row["subject"],
            "name": row["name"],
            "level": row["level"],
            "type": row["type"],
            "points": _points(row["total_centi"]),
            "grade": row["grade"],
            "by points": row["earned_grade"] if row["earned_grade"] != row["grade"] else "",
        }
        for row in rows
    ]
    used = {name for row in shown for name, value in row.items() if value}
    return [{name: value for name, value in row.items() if name in used} for row in shown]


def _points(centi: int) -> str:
    return f"{centi / 100:.2f}"


def _distributions(classes: list[Result]) -> list[Result]:
    """A line a class and a column a grade, in the order of the first class that has it."""
    names = dict.fromkeys(_band(band) for one in classes for band in one["distribution"])
    lines: list[Result] = []
    for one in classes:
        shares = {
            _band(band): f"{band['count']} ({band['share_bp'] / 100:.2f} %)"
            for band in one["distribution"]
        }
        lines.append(
            {"class": one["subject_class"]}
            | {name: shares.get(name) for name in names}
            | {"not rated": one["not_rated"], "capped": one["capped"]}
        )
    return lines


def _band(band: Result) -> str:
    return f"{band['name_zh']} {band['grade']}"
