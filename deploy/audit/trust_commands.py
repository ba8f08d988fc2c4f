"""``yixin audit trust``: look at trust files, and put several into one."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from security.audit import Trust, load_trust, save_trust
from security.audit.seen import seen_line
from security.certificates import anchor_bytes, anchor_digest
from security.errors import AuditInputError

EXIT_UNREADABLE = 2

app = typer.Typer(
    name="trust",
    no_args_is_help=True,
    help="Show and merge trust files: what an auditor relies on.",
)

FilesArgument = Annotated[list[Path], typer.Argument(help="Trust files, from the officers.")]


@app.command("show")
def show(
    files: FilesArgument,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show anchors with their fingerprints, witnesses, quorum and checkpoints seen.

    Compare every fingerprint with the hub's officer, by telephone or in person.

    Example: [bold]yixin audit trust show city.trust[/bold]
    """
    found = _described(_load(files))
    if as_json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
        return
    for hub, digest in found["anchors"].items():
        typer.echo(f"anchor     {hub}\n           SHA-256 {grouped(digest)}")
    for name in found["witnesses"]:
        typer.echo(f"witness    {name}")
    typer.echo(f"quorum     {found['quorum']} of {len(found['witnesses'])}")
    typer.echo(f"pack root  {grouped(found['pack_root']) or 'none: packs are not judged'}")
    for line in found["seen"]:
        typer.echo(f"seen       {line}")


@app.command("merge")
def merge(
    files: FilesArgument,
    *,
    out: Annotated[Path, typer.Option("--out", help="Trust file to write.")],
) -> None:
    """Put several trust files into one; files that contradict each other are refused.

    Example: [bold]yixin audit trust merge city.trust province.trust --out all.trust[/bold]
    """
    trust = _load(files)
    try:
        save_trust(out, trust)
    except AuditInputError as error:
        typer.echo(f"unreadable: {error}", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from error
    typer.echo(
        f"Wrote {out}: {len(trust.anchors)} anchors, {len(trust.witnesses)} witnesses, "
        f"quorum {trust.quorum}, {len(trust.seen)} checkpoints."
    )


def grouped(digest: str) -> str:
    """A fingerprint in groups of eight digits, to be read aloud.

    >>> grouped("0123456789abcdef")
    '01234567 89abcdef'
    """
    return " ".join(digest[at : at + 8] for at in range(0, len(digest), 8))


def _load(files: list[Path]) -> Trust:
    try:
        return load_trust(files)
    except AuditInputError as error:
        typer.echo(f"unreadable: {error}", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from error


def _described(trust: Trust) -> dict[str, Any]:
    return {
        "anchors": {
            hub: anchor_digest(anchor_bytes(anchor)).hex() for hub, anchor in trust.anchors.items()
        },
        "witnesses": [witness.name for witness in trust.witnesses],
        "quorum": trust.quorum,
        "pack_root": trust.pack_root.hex(),
        "seen": [seen_line(checkpoint) for checkpoint in trust.seen],
    }
