"""``yixin audit spot-check``: an inspector's check of a node's records, at the node.

Exit codes: 0 agrees, 1 differs, 2 incomplete or impossible. Nothing of the node is changed, and
nothing leaves it but what the inspector is shown.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer

from deploy.audit.output import show_progress
from security.audit.trust import load_trust
from security.errors import SecurityError, SpotCheckError
from security.spot.sampling import MAX_SAMPLE
from security.spot.spot_file import MAX_FILE_BYTES, SpotFile, open_spot_file

if TYPE_CHECKING:
    from node.inspection.findings import SpotReport
    from node.inspection.inspecting import Outside

EXIT_CODES: Final = {"agrees": 0, "differs": 1, "incomplete": 2}
EXIT_IMPOSSIBLE: Final = 2
MAX_PACK_BYTES: Final = 256 * 1024 * 1024

app = typer.Typer()


@app.command("spot-check")
def spot_check(
    *,
    file: Annotated[Path, typer.Argument(help="Spot file of the hub: yixin hub spot-file.")],
    node: Annotated[Path, typer.Option("--node", help="State directory of the node; only read.")],
    trust: Annotated[
        list[Path],
        typer.Option("--trust", help="Trust file of the hub, from its officer; repeatable."),
    ],
    sample: Annotated[
        int,
        typer.Option("--sample", min=1, max=MAX_SAMPLE, help="Records to draw; more is surer."),
    ] = 300,
    clearing: Annotated[
        Path | None,
        typer.Option(
            "--clearing",
            help="The bureau's clearing file of the month: fixmedins_code, setl_id, "
            "medfee_sumamt, fund_pay_sumamt, refd_setl_flag, clr_type; CSV, workbook, Parquet or "
            "JSON lines.",
        ),
    ] = None,
    totals: Annotated[
        Path | None,
        typer.Option("--totals", help="Messages of 3201 or 3202 of the platform, one a line."),
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option("--pack", help="Model pack the month was counted with, when it was another."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole report as JSON.")
    ] = False,
) -> None:
    """Check a node's records against what it committed to, stated and was paid for.

    Draws records by a seed that did not exist when the node committed, proves each against the
    committed tree, accounts for every leaf, counts the month's statements again, and compares
    with the bureau's files. Exit codes: 0 agrees, 1 differs, 2 incomplete or impossible.

    Example: [bold]yixin audit spot-check 202603.spot --node /var/lib/yixin-node --trust city.trust
    --clearing 202603.csv --totals 3201.jsonl --sample 300[/bold]
    """
    from node.errors import NodeError  # noqa: PLC0415 - an auditor has no node to import
    from node.inspection.inspecting import Outside  # noqa: PLC0415 - see above
    from scoring_kernel.errors import KernelError  # noqa: PLC0415 - see above

    try:
        spot = _open_spot(file, trust)
        if pack is not None:
            _install(pack)
        report = _inspect(
            spot,
            node,
            Outside(clearing=clearing, totals=totals, sample=sample),
            own_pack=pack is None,
        )
    except (SecurityError, NodeError, KernelError) as error:
        typer.echo(f"impossible: {error}", err=True)
        raise typer.Exit(EXIT_IMPOSSIBLE) from error
    if as_json:
        document = asdict(report) | {"verdict": str(report.verdict)}
        typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        from deploy.audit.spot_output import show_spot_report  # noqa: PLC0415 - see above

        show_spot_report(report)
    raise typer.Exit(EXIT_CODES[report.verdict])


def _open_spot(file: Path, trust: list[Path]) -> SpotFile:
    held = load_trust(trust)
    return open_spot_file(
        _read(file, MAX_FILE_BYTES),
        held.anchors,
        witnesses=held.witnesses,
        quorum=held.quorum,
    )


def _install(pack: Path) -> None:
    """Count with a pack's catalogue; before anything of the packaged one is read."""
    from scoring_kernel.catalog_loader import install_catalog  # noqa: PLC0415 - needed here only
    from scoring_kernel.packs import open_pack  # noqa: PLC0415 - needed here only
    from security.packs.archive import read_archive  # noqa: PLC0415 - needed here only

    install_catalog(open_pack(read_archive(_read(pack, MAX_PACK_BYTES))).contents)


def _inspect(spot: SpotFile, node: Path, outside: "Outside", *, own_pack: bool) -> "SpotReport":
    from node.app import opened  # noqa: PLC0415 - an auditor has no node to import
    from node.commands import existing  # noqa: PLC0415 - see above
    from node.inspection.inspecting import inspect  # noqa: PLC0415 - see above
    from node.pack_jobs import standing_of  # noqa: PLC0415 - see above
    from node.retention import frozen_by_set  # noqa: PLC0415 - see above

    with (
        opened(existing(node), writer=False, own_pack=own_pack) as jobs,
        show_progress() as progress,
    ):
        if jobs.link is not None and jobs.link.membership.member_id != spot.member:
            raise SpotCheckError(
                f"the spot file is of {spot.member}, {node} belongs to "
                f"{jobs.link.membership.member_id}; ask the hub for the file of that node"
            )
        if own_pack:
            standing_of(jobs).verify_loaded()
        return inspect(
            jobs.store,
            jobs.catalog,
            spot,
            outside,
            frozen_through=frozen_by_set(jobs.store, jobs.catalog),
            progress=progress,
        )


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise SpotCheckError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise SpotCheckError(f"{path} is larger than {most} bytes; it is no file of ours")
    return content
