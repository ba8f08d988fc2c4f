"""Commands of the desk: `yixin node quarantine …`, `codes …`, `export` and `completeness`."""

from pathlib import Path
from typing import Annotated, Final

import typer

from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import Result, run_job, start
from node.config import node_directory
from node.desk_output import say_fixed, say_late, say_listed, say_replayed, say_shown

__all__ = ["register"]

STILL_REFUSED_EXIT: Final = 1
"""Exit code of a correction or replay after which something is still refused."""

quarantine_app = typer.Typer(no_args_is_help=True, help="Refused messages and rows, with reasons.")
codes_app = typer.Typer(no_args_is_help=True, help="Codes a province adds to the national lists.")

RuleOption = Annotated[str | None, typer.Option("--rule", help="Only lines this rule refused.")]
SourceOption = Annotated[str | None, typer.Option("--source", help="Only lines of this file.")]
InfnoOption = Annotated[
    str | None, typer.Option("--infno", help="Only messages of this transaction, e.g. 2207.")
]
RowId = Annotated[str, typer.Argument(metavar="ID", help="Id of a row, or its first digits.")]
ToFile = Annotated[Path, typer.Option("--to", help="New file; it gets mode 0600.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    app.add_typer(quarantine_app, name="quarantine")
    app.add_typer(codes_app, name="codes")
    app.command()(export)
    app.command()(completeness)
    app.command()(proof)


@quarantine_app.command("list")
def quarantine_list(
    *,
    directory: Directory = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows to show.")] = 50,
    offset: Annotated[
        int, typer.Option(min=0, max=1_000_000_000, help="Rows to pass over first.")
    ] = 0,
    rule: RuleOption = None,
    source: SourceOption = None,
    infno: InfnoOption = None,
    as_json: AsJson = False,
) -> None:
    """List refused messages and rows: where, which rule, the masked value, how to mend it.

    Example: [bold]yixin node quarantine list --rule code_unknown --limit 20[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit, "offset": offset, **_filter(rule, source, infno)}
        home = node_directory(directory)
        say_listed(out, run_job(home, "quarantine", arguments, out, writes=False))


@quarantine_app.command("show")
def quarantine_show(
    row: RowId,
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Print the line as it came, unmasked; this is logged.")
    ] = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show one refused line: the reason, every field masked, the faulty one marked.

    Example: [bold]yixin node quarantine show 3f9a1c0b77de[/bold]
    """
    with start(as_json) as out:
        home = node_directory(directory)
        if reveal:
            arguments: Result = {"id": row, "operator": login_name(operator)}
            result = run_job(home, "quarantine_reveal", arguments, out, writes=False)
            out.done(result, result["body"])
            return
        say_shown(out, run_job(home, "quarantine_show", {"id": row}, out, writes=False))


@quarantine_app.command("fix")
def quarantine_fix(
    row: RowId,
    *,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE",
            help="A field as `show` names it, or a column of a mapped row; repeatable.",
        ),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="File with the whole corrected message or row.")
    ] = None,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Correct one refused line and take it in; its neighbours are not touched.

    The line as it was refused is not changed. Exit code 1 tells that it was refused again.

    Example: [bold]yixin node quarantine fix 3f9a1c0b77de --set request.data.insutype=310[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "id": row,
            "changes": changes or [],
            "file": str(file.absolute()) if file else None,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "quarantine_fix", arguments, out)
        say_fixed(out, result)
        if not result["went_in"]:
            raise typer.Exit(STILL_REFUSED_EXIT)


@quarantine_app.command("replay")
def quarantine_replay(
    rows: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID", help="Ids of rows, or their first digits."),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every refused line.")] = False,
    period: Annotated[
        list[str] | None,
        typer.Option("--period", help="Accept only days of this rating period; repeatable."),
    ] = None,
    rule: RuleOption = None,
    source: SourceOption = None,
    infno: InfnoOption = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Take refused lines in again as they came, where the cause lay outside of them.

    Exit code 1 tells that some were refused again.

    Example: [bold]yixin node quarantine replay --rule institution_unknown[/bold]
    """
    wanted = _filter(rule, source, infno)
    any_of = every or any(wanted.values())
    if not rows and not any_of:
        raise typer.BadParameter("name rows, or --rule, --source, --infno or --all")
    with start(as_json) as out:
        arguments: Result = {
            "ids": rows or [],
            "any": any_of,
            "periods": period or [],
            **wanted,
        }
        result = run_job(node_directory(directory), "quarantine_replay", arguments, out)
        say_replayed(out, result)
        if result["still_refused"]:
            raise typer.Exit(STILL_REFUSED_EXIT)


@quarantine_app.command("export")
def quarantine_export(
    *,
    to: ToFile,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With the lines as they came, unmasked; logged.")
    ] = False,
    rule: RuleOption = None,
    source: SourceOption = None,
    infno: InfnoOption = None,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write refused lines into a file for the vendor: .csv or .jsonl, masked.

    Example: [bold]yixin node quarantine export --to refused.csv[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "file": str(to.resolve()),
            "reveal": reveal,
            "operator": login_name(operator),
            **_filter(rule, source, infno),
        }
        home = node_directory(directory)
        result = run_job(home, "quarantine_export", arguments, out, writes=False)
        what = "unmasked: keep it safe" if result["revealed"] else "masked"
        out.done(result, f"{result['rows']} rows written to {result['file']}, {what}.")


@codes_app.command("import")
def codes_import(
    file: Annotated[Path, typer.Argument(help="Answer of transaction 1901 (JSON), or a CSV.")],
    *,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Import codes a province adds to the national lists; the next messages are checked by them.

    Example: [bold]yixin node codes import 1901_med_type.json[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"file": str(file.absolute()), "operator": login_name(operator)}
        result = run_job(node_directory(directory), "codes_import", arguments, out)
        out.table(f"Codes of {file.name}", result)


@codes_app.command("list")
def codes_list(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """List the codes beyond the national lists: which, where from, since when.

    Example: [bold]yixin node codes list[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "codes", {}, out, writes=False)
        if as_json:
            out.json(result)
        else:
            out.rows("Codes beyond the national lists", result["codes"])


def export(
    kind: Annotated[str, typer.Argument(help="Kind of record, for example settlement.")],
    *,
    to: ToFile,
    month: Annotated[
        int | None,
        typer.Option("--month", min=190_001, max=999_912, help="Only this month, yyyymm."),
    ] = None,
    personal: Annotated[
        bool, typer.Option("--personal", help="With personal columns; this is logged.")
    ] = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write the records of a kind into a file, values as ingested: .csv, .parquet or .jsonl.

    Personal columns stay here unless --personal; the file is not encrypted.

    Example: [bold]yixin node export settlement --month 202603 --to settlements.parquet[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "kind": kind,
            "file": str(to.resolve()),
            "month": month,
            "personal": personal,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "export", arguments, out, writes=False)
        out.done(result, f"{result['rows']} records of {kind} written to {result['file']}.")
        if result["left_out"]:
            left_out = ", ".join(result["left_out"])
            out.hint(f"Left out as personal: {left_out}. With them: --personal, which is logged.")


def completeness(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show what institutions owe: silences, waiting responses, missing lists; late ones first.

    Example: [bold]yixin node completeness[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "completeness", {}, out, writes=False)
        if as_json:
            out.json(result)
        else:
            say_late(out, result["institutions"])


def _filter(rule: str | None, source: str | None, infno: str | None) -> Result:
    return {"rule": rule or "", "source": source or "", "infno": infno or ""}


def proof(
    kind: Annotated[str, typer.Argument(help="Kind of the record, for example settlement.")],
    record: Annotated[str, typer.Argument(help="Id of the record.")],
    *,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Prove to an inspector that a record stood in the node's tree at the end of a day.

    Prints place, salt and path of its leaf, and the day's checkpoint, which the hub holds signed.
    The inspector brings the record's values. Treat it as confidential as the record.

    Example: [bold]yixin node proof settlement H33030200001202603180950390001[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"kind": kind, "record": record}
        result = run_job(node_directory(directory), "proof", arguments, out, writes=False)
        point = result["checkpoint"]
        out.done(
            result,
            f"{kind} {record} is leaf {result['leaf']['seq']} of {point['size']} at the end of "
            f"{point['day']}, root {point['root']}.\nThe proof itself: add --json.",
        )
