"""``yixin audit``: export the evidence of a hub's log, and verify it offline.

Exit codes of ``verify``: 0 valid, 1 invalid, 2 indeterminate, or unreadable. ``export`` runs on
the hub's machine and shares the exit codes of ``yixin hub``.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.audit import proof_commands, spot_command, trust_commands
from deploy.audit.output import show_progress, show_report
from security.audit import AuditReport, Trust, Verdict, load_trust, verify_bundle
from security.audit.seen import load_note, save_note
from security.errors import AuditInputError

EXIT_CODES: Final = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.INDETERMINATE: 2}
EXIT_UNREADABLE: Final = 2
_CONTRADICTING: Final = frozenset({"root", "checkpoint", "seen_checkpoint", "other_checkpoint"})

app = typer.Typer(
    name="audit",
    no_args_is_help=True,
    help="Export the evidence of a hub's log; verify it offline, without decryption keys.",
)
app.add_typer(trust_commands.app)
app.command("receipt")(proof_commands.judge_receipts)
app.command("fork")(proof_commands.judge_forks)

JsonOption = Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")]
TrustOption = Annotated[
    list[Path],
    typer.Option(
        "--trust",
        help="Trust file of the hub, received from its officer, not with the bundle; repeatable.",
    ),
]


@app.command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(help="Directory or .zip file to verify.")],
    *,
    trust: TrustOption,
    seen: Annotated[
        list[Path] | None,
        typer.Option("--seen", help="Checkpoint kept of an earlier audit; repeatable."),
    ] = None,
    save_checkpoint: Annotated[
        Path | None,
        typer.Option("--save-checkpoint", help="Keep the checkpoint here for the next audit."),
    ] = None,
    pdf: Annotated[
        Path | None,
        typer.Option("--pdf", help="Write the report for the file here, Chinese and English."),
    ] = None,
    require_witnesses: Annotated[
        bool,
        typer.Option("--require-witnesses", help="A missing quorum is invalid, not indeterminate."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a bundle: signatures, revocations, chains, sharing agreements and the log itself.

    Exit codes: 0 valid, 1 invalid, 2 indeterminate or unreadable.

    Example: [bold]yixin audit verify 2026H1.zip --trust hub.trust --pdf report.pdf[/bold]
    """
    try:
        relied = _trust(trust, seen or [], require_witnesses=require_witnesses)
        with show_progress() as progress:
            report = verify_bundle(bundle, relied, progress)
        if as_json:
            typer.echo(report.to_json())
        else:
            show_report(report)
        if pdf is not None:
            _save_pdf(pdf, report, bundle, trust, seen or [], require_witnesses=require_witnesses)
        if save_checkpoint is not None:
            _keep_checkpoint(report, save_checkpoint)
    except AuditInputError as error:
        typer.echo(f"unreadable: {error}", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from error
    raise typer.Exit(EXIT_CODES[report.verdict])


def _trust(files: list[Path], seen: list[Path], *, require_witnesses: bool) -> Trust:
    trust = load_trust(files)
    found = tuple(load_note(path, trust.anchors.values()) for path in seen)
    return replace(
        trust,
        # One of two that contradict is enough: the bundle can agree with one at most.
        seen=tuple(dict.fromkeys((*trust.seen, *found))),
        requires_witnesses=require_witnesses,
    )


def _save_pdf(
    path: Path,
    report: AuditReport,
    bundle: Path,
    trust: list[Path],
    seen: list[Path],
    *,
    require_witnesses: bool,
) -> None:
    """Write the report for the file, with the command that makes it again."""
    from deploy.audit.report_pdf import save_pdf  # noqa: PLC0415 - 34 MB that few runs need

    words = ["yixin", "audit", "verify", bundle.name]
    words += [word for one in trust for word in ("--trust", one.name)]
    words += [word for one in seen for word in ("--seen", one.name)]
    words += ["--require-witnesses"] if require_witnesses else []
    save_pdf(path, report, [*words, "--pdf", path.name])


def _keep_checkpoint(report: AuditReport, path: Path) -> None:
    """Keep a checkpoint that nothing contradicts; what was kept before stays otherwise."""
    failed = {failure.check for failure in report.failures} & _CONTRADICTING
    if failed or not report.checkpoint:
        typer.echo(f"{path} was not written: the checkpoint is not proved", err=True)
        return
    save_note(path, report.checkpoint)


@app.command("export")
def export(
    context: typer.Context,
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
    prove_from: Annotated[
        list[int] | None,
        typer.Option(
            "--prove-from",
            min=0,
            help="Size of a checkpoint that the auditor saw, to be proved from; repeatable.",
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "--as", metavar="NAME", envvar="YIXIN_OPERATOR", help="Who gives the command: signs it."
        ),
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            "--key", metavar="FILE", envvar="YIXIN_OPERATOR_KEY", help="Key of that person."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the evidence of a hub's log, the whole of it by default, for an auditor.

    Where people are registered, an officer asks for it (--as, --key) and another one approves it.

    Example: [bold]yixin audit export --dir /var/lib/yixin --out 2026H1.zip --period 2026H1[/bold]
    """
    from hub.cli_signing import signing_options  # noqa: PLC0415 - an auditor has no hub to import
    from hub.commands import run_job, start  # noqa: PLC0415 - an auditor has no hub to import
    from hub.config import hub_directory  # noqa: PLC0415 - an auditor has no hub to import

    signing_options(context, name=name, key=key)
    with start(as_json) as output:
        arguments = {
            "out": str(out.absolute()),
            "period": period,
            "from_index": from_index,
            "to_index": to_index,
            "prove_from": prove_from or [],
        }
        result = run_job(hub_directory(directory), "audit-export", arguments, output)
        output.done(
            result,
            f"Wrote {result['file']}: log {result['from_index']} to {result['to_index']}, "
            f"{result['envelopes']} envelopes, {result['receipts']} receipts.\n"
            "Hand the trust file over separately: yixin hub export-trust FILE",
        )


app.registered_commands.extend(spot_command.app.registered_commands)
