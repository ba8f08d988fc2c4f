"""Command line of a node: parse arguments, run one job, say what came of it.

A writing command asks the daemon over its socket; where none runs it takes the writer lock and
does the job itself. Progress goes to standard error, results to standard output.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from node import (
    cli_backup,
    cli_clues,
    cli_desk,
    cli_devices,
    cli_faces,
    cli_gateway,
    cli_identity,
    cli_keys,
    cli_mapping,
    cli_operations,
    cli_packs,
    cli_presence,
    cli_rules,
    cli_topics,
)
from node.cli_options import AsJson, Directory, login_name
from node.commands import Result, run_job, start
from node.config import node_directory
from node.desk_output import say_late

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="A node (节点): takes in claims where they arise, pre-scores, reports aggregates.",
)

PeriodOption = Annotated[str, typer.Option("--period", help="Rating period, for example 2026H1.")]

DayOption = Annotated[
    datetime | None,
    typer.Option(
        "--day",
        formats=["%Y-%m-%d"],
        help="Read the model's parameters as of this day; else the hub's, or the period's last.",
    ),
]

QUARANTINED_EXIT: Final = 1
"""Exit code of a run that went well but quarantined rows."""


@app.command()
def init(
    *,
    directory: Directory = None,
    institution: Annotated[
        list[str] | None,
        typer.Option(
            "--institution",
            help="Institution code to accept before the hub's register is known; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make the state directory: keys, ledger, settings.

    Example: [bold]yixin node init --dir /var/lib/yixin --institution H33030200001[/bold]
    """
    with start(as_json) as out:
        from node.app import init_node  # noqa: PLC0415  # keeps `--help` fast

        made = init_node(node_directory(directory), institution or [])
        out.done(
            {"directory": str(made), "institutions": len(institution or [])},
            f"Node made in {made}.\nNext: yixin node join --dir {made} --token TOKEN",
        )


cli_identity.register(app)


@app.command()
def ingest(
    *,
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Messages (.jsonl, .json, a directory), FHIR, a table of a register, or with "
            "--mapping any table: .csv, .xlsx, .parquet, .jsonl; also .gz and .zip."
        ),
    ],
    directory: Directory = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", help="Mapping file: what the columns of a table mean."),
    ] = None,
    suggest: Annotated[
        bool,
        typer.Option("--suggest-mapping", help="Print a proposed mapping; nothing is taken in."),
    ] = False,
    sheet: Annotated[
        str | None, typer.Option("--sheet", help="With --suggest-mapping: sheet of a workbook.")
    ] = None,
    period: Annotated[
        list[str] | None,
        typer.Option(
            "--period",
            help="Accept only days of this rating period; repeatable. Default: any.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in messages of the national interface, FHIR, or any table through a mapping file.

    A table whose header is exactly the columns of a register needs no mapping:
    deaths, agreement status, qualification of staff, institutions' profiles,
    identity events, frozen benefits, approved purchases. Columns of each:
    yixin node mapping registers

    Exit code 1 tells that something was quarantined; everything else went in.

    Example: [bold]yixin node ingest 2026H1.jsonl[/bold]

    Example: [bold]yixin node ingest deaths.csv[/bold] (header: institution,person,died_at)

    Example: [bold]yixin node ingest fees.xlsx --suggest-mapping > fees.mapping.yaml[/bold]

    Example: [bold]yixin node ingest fees.xlsx --mapping fees.mapping.yaml[/bold]
    """
    with start(as_json) as out:
        if suggest:
            cli_mapping.suggest(out, files, sheet)
            return
        result = run_job(
            node_directory(directory),
            "ingest",
            {
                "files": [str(path.absolute()) for path in files],
                "mapping": str(mapping.absolute()) if mapping else None,
                "periods": period or [],
            },
            out,
        )
        out.ingested(result)
        if result["quarantined"]:
            raise typer.Exit(QUARANTINED_EXIT)


@app.command()
def prescore(
    *,
    period: PeriodOption,
    day: DayOption = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Score this node's hospitals and pharmacies with the hub's kernel; compare with final points.

    Example: [bold]yixin node prescore --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"period": period, "day": day.date().isoformat() if day else None}
        out.prescored(run_job(node_directory(directory), "prescore", arguments, out))


@app.command()
def explain(
    *,
    subject: Annotated[str, typer.Argument(help="Institution code.")],
    period: PeriodOption,
    day: DayOption = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show what caps an institution's pre-score, where it lost points, and why.

    Example: [bold]yixin node explain H33030200001 --period 2026H1[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "subject": subject,
            "period": period,
            "day": day.date().isoformat() if day else None,
        }
        out.explained(run_job(node_directory(directory), "explain", arguments, out))


@app.command()
def sync(
    *,
    again: Annotated[
        bool,
        typer.Option("--restate", help="State everything again, also what has not changed."),
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """State what changed, send it, keep receipts, collect what the hub has for this node.

    Exit code 1 tells that the hub refused some content; when its officer has settled why, send
    it again with --restate.

    Example: [bold]yixin node sync[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "sync", {"restate": again}, out)
        out.done(
            result,
            f"Stated {result['slots_stated']} slots; sent {result['envelopes_sent']} envelopes, "
            f"{result['receipts']} receipts ({result['receipts_quarantined']} with refused "
            f"content); collected {result['collected']}, "
            f"{result['grade_statements']} new grade statements.",
        )
        if result["receipts_quarantined"]:
            out.hint(
                "The hub kept these envelopes but refused some of their content: ask its officer "
                "(yixin hub quarantine). When that is settled: yixin node sync --restate"
            )
            raise typer.Exit(QUARANTINED_EXIT)


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show what the node holds, owes and has heard, and which institutions are late.

    Example: [bold]yixin node status --json[/bold]
    """
    with start(as_json) as out:
        home = node_directory(directory)
        result = run_job(home, "status", {}, out, writes=False)
        owed = run_job(home, "completeness", {}, out, writes=False)["institutions"]
        if as_json:
            out.json(result | {"completeness": owed})
            return
        supervision = result.pop("supervision")
        packs, presence = result.pop("packs"), result.pop("presence")
        if not packs["is_scored"]:
            out.say("NOT SCORED; records are stored. See and mend it: yixin node packs status")
        out.table("Node", result)
        out.table("Supervision", supervision)
        if presence is not None:
            out.table("Presence", presence)
        out.table("Packs", packs)
        say_late(out, owed)


@app.command()
def retain(
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Delete them; without it they are only shown.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show the records whose time of retention (保存期限) is over, and delete them with --apply.

    Whole months go, with their salts and keys; the tree keeps their leaves. What was stated of
    them stays stated and is never stated again.

    Example: [bold]yixin node retain[/bold]

    Example: [bold]yixin node retain --apply[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"apply": apply, "operator": login_name(None)}
        out.retained(run_job(node_directory(directory), "retain", arguments, out))


@app.command()
def serve(*, directory: Directory = None) -> None:
    """Run the daemon: takes commands on its socket and synchronises by itself.

    Ends on SIGTERM or Ctrl-C after the running job has come to a safe point.

    Example: [bold]yixin node serve --dir /var/lib/yixin[/bold]
    """
    with start(as_json=False) as out:
        from node.app import serve_node  # noqa: PLC0415  # keeps `--help` fast

        serve_node(node_directory(directory), out.say)


cli_gateway.register(app)
cli_desk.register(app)
cli_backup.register(app)
cli_mapping.register(app)
cli_rules.register(app)
cli_clues.register(app)
cli_topics.register(app)
app.registered_commands.extend(cli_operations.app.registered_commands)
app.add_typer(cli_packs.app, name="packs")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_devices.app, name="device")
app.add_typer(cli_faces.app, name="faces")
app.add_typer(cli_presence.app, name="presence")
