"""``yixin audit receipt`` and ``yixin audit fork``: proof files judged offline."""

from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from deploy.audit.output import MOST_SHOWN, printable
from security.audit import Verdict, load_trust
from security.audit.proofs import ProofReport, verify_proofs
from security.errors import AuditInputError
from security.proof_files import ProofKind

EXIT_CODES: Final = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.INDETERMINATE: 2}
EXIT_UNREADABLE: Final = 2
_PROVED: Final = {
    ProofKind.RECEIPTS: "{hub} promised {member} to hold {count} envelopes",
    ProofKind.DELIVERIES: "{member} confirmed to {hub} what it holds: {count} proofs",
    ProofKind.FORKS: "{member} signed two histories for {hub}, {count} times",
}

FileArgument = Annotated[Path, typer.Argument(help="Proof file.")]
TrustOption = Annotated[
    list[Path],
    typer.Option("--trust", help="Trust file of the hub, from its officer; repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def judge_receipts(file: FileArgument, *, trust: TrustOption, as_json: JsonOption = False) -> None:
    """Judge receipts that a member exported, or deliveries that a hub exported.

    Exit codes: 0 valid, 1 invalid, 2 indeterminate or unreadable.

    Example: [bold]yixin audit receipt receipts.jsonl --trust hub.trust[/bold]
    """
    _judge(file, trust, frozenset({ProofKind.RECEIPTS, ProofKind.DELIVERIES}), as_json=as_json)


def judge_forks(file: FileArgument, *, trust: TrustOption, as_json: JsonOption = False) -> None:
    """Judge forks that a hub exported: valid means that the member signed two histories.

    Exit codes: 0 valid, 1 invalid, 2 indeterminate or unreadable.

    Example: [bold]yixin audit fork forks.jsonl --trust hub.trust[/bold]
    """
    _judge(file, trust, frozenset({ProofKind.FORKS}), as_json=as_json)


def _judge(file: Path, trust: list[Path], kinds: frozenset[ProofKind], *, as_json: bool) -> None:
    try:
        report = verify_proofs(file, load_trust(trust), kinds)
    except AuditInputError as error:
        typer.echo(f"unreadable: {error}", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from error
    if as_json:
        typer.echo(orjson.dumps(_described(report), option=orjson.OPT_INDENT_2))
    else:
        _show(report)
    raise typer.Exit(EXIT_CODES[report.verdict])


def _show(report: ProofReport) -> None:
    head, findings = report.head, report.findings
    found = [("file", one) for one in findings.failures]
    found += [
        (f"proof {proof.index}", one) for proof in findings.exchanges for one in proof.failures
    ]
    for place, failure in found[:MOST_SHOWN]:
        detail = printable(failure.detail)
        typer.echo(f"{place}: {failure.check}: {detail} ({failure.verdict})")
    if len(found) > MOST_SHOWN:
        typer.echo(f"{len(found) - MOST_SHOWN} more failures: see --json")
    proved = findings.counts[Verdict.VALID.value]
    if proved:
        typer.echo(
            _PROVED[head.kind].format(
                hub=printable(head.hub), member=printable(head.member), count=proved
            )
        )
    typer.echo(f"verdict: {report.verdict}")


def _described(report: ProofReport) -> dict[str, object]:
    head, findings = report.head, report.findings
    return {
        "kind": head.kind,
        "hub": head.hub,
        "member": head.member,
        "verdict": report.verdict,
        "counts": dict(findings.counts),
        "failures": [
            {"check": one.check, "detail": one.detail, "verdict": one.verdict}
            for one in findings.failures
        ],
        "proofs": [
            {
                "index": proof.index,
                "verdict": proof.verdict,
                "failures": [
                    {"check": one.check, "detail": one.detail, "verdict": one.verdict}
                    for one in proof.failures
                ],
            }
            for proof in findings.exchanges
        ],
    }
