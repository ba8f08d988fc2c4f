"""Commands of the import desk: import files, propose a mapping, tell what is owed and late."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import REFUSED_EXIT, AsJson, Directory
from hub.commands import CommandOutput, Result, run_job, start
from hub.config import hub_directory

app = typer.Typer()


@app.command("import")
def import_items(
    *,
    path: Annotated[
        Path,
        typer.Argument(
            help="A department's file (CSV, xlsx, Parquet, JSON), or a directory of them."
        ),
    ],
    item: Annotated[
        str | None,
        typer.Option("--item", help="Information item, such as 05 or s02; else by file name."),
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", help="Rating period; else by file name.")
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="Mapping file: what the file's own columns mean."),
    ] = None,
    suggest: Annotated[
        bool,
        typer.Option("--suggest-mapping", help="Print a proposed mapping; nothing is imported."),
    ] = False,
    sheet: Annotated[
        str | None, typer.Option("--sheet", help="With --suggest-mapping: sheet of a workbook.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Import department items. Exit code 1 tells that lines were quarantined.

    Example: [bold]yixin hub import departments/[/bold]

    Example: [bold]yixin hub import desk.xlsx --item 05 --period 2026H1[/bold]

    Example: [bold]yixin hub import court.csv --suggest-mapping --item 18 > court.yaml[/bold]

    Example: [bold]yixin hub import court.csv --mapping court.yaml --period 2026H1[/bold]
    """
    with start(as_json) as out:
        if suggest:
            _suggest(out, path, item, sheet)
            return
        arguments: Result = {
            "path": str(path.absolute()),
            "item": item,
            "period": period,
            "mapping": None if mapping is None else str(mapping.absolute()),
        }
        result = run_job(hub_directory(directory), "import", arguments, out)
        if as_json:
            out.done(result, "")
        else:
            columns = ("file_name", "item", "period", "added", "corrected", "quarantined")
            files = [{key: file[key] for key in columns} for file in result["files"]]
            out.rows("Imported", files)
            if result["by_rule"]:
                out.counts("Quarantined lines", "rule", result["by_rule"])
                out.hint("List them with `yixin hub quarantine --items`.")
        if result["quarantined"]:
            raise typer.Exit(REFUSED_EXIT)


def _suggest(out: CommandOutput, path: Path, item: str | None, sheet: str | None) -> None:
    """Print a proposed mapping; it needs no hub, only the catalogue."""
    from hub.departments.mapping_files import (  # noqa: PLC0415 - keeps --help fast
        propose_mapping,
    )
    from scoring_kernel import load_catalog  # noqa: PLC0415 - keeps --help fast

    found = propose_mapping(path, load_catalog(), item=item, sheet=sheet)
    result: Result = {"mapping": found.text, "item": found.targets[0], "problem": found.problem}
    out.done(result, found.text.rstrip("\n"))
    if found.problem:
        out.hint(f"Not ready for use: {found.problem}.")


@app.command()
def completeness(
    *,
    period: Annotated[
        str | None, typer.Option("--period", help="Half-year; else the last one that ended.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Tell which department owes which item by when, what came and what is late.

    Example: [bold]yixin hub completeness --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"period": period}
        result = run_job(hub_directory(directory), "completeness", arguments, out, writes=False)
        if as_json:
            out.done(result, "")
        else:
            out.table("Items", result["figures"])
            out.rows("Owed", [_owed(row) for row in result["rows"]])


def _owed(row: Result) -> Result:
    """What a screen has room for; the rest is in the JSON."""
    shown = ("item", "name", "owed_by", "deadline", "days_late")
    return {"standing": row["standing"].replace("_", " ")} | {key: row[key] for key in shown}
