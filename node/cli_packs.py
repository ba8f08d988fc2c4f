"""Commands ``yixin node packs``: what is in force, fetch, and pin a root by hand."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from node.cli_options import AsJson, Directory
from node.commands import existing, run_job, start
from node.config import node_directory
from security.errors import PackError

app = typer.Typer(no_args_is_help=True, help="Model packs (模型包): rules and models in force.")

MAX_ROOT_BYTES = 256 * 1024


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show which pack is in force, what is ordered, and how long the metadata holds.

    Example: [bold]yixin node packs status[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "packs-status", {}, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        standing = result["standing"]
        phase = {
            "packaged": "The packaged catalogue is in use: this node was not told to use packs.",
            "absent": "NOT SCORED: no verified pack has come yet. Records are stored.",
            "in_force": f"In force: {standing['pack']}",
            "last_known_good": f"In force: {standing['pack']}. The metadata expired "
            f"{standing['days_expired']} of {standing['grace_days']} allowed days ago: fetch "
            "newer ones.",
            "expired": f"NOT SCORED: {standing['pack']} has ended, its metadata expired "
            f"{standing['days_expired']} days ago. Records are stored.",
            "not_loaded": f"NOT SCORED: {standing['pack'] or 'the pack in force'} cannot be used "
            "here. Records are stored. The daemon fetches it again at its next turn; else: yixin "
            "node packs fetch, or with --from a USB folder.",
        }
        out.say(phase[standing["phase"]])
        out.say(f"Catalogue of this process: {result['catalog']}")
        if result["metadata_expires_at"]:
            out.say(f"Metadata holds until {result['metadata_expires_at']}")
        if standing["problem"]:
            out.say(f"Problem: {standing['problem']}")
        if result["orders"]:
            shown = [{**one, "failures": ", ".join(one["failures"])} for one in result["orders"]]
            out.rows("Orders", shown)


@app.command()
def fetch(
    *,
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="A copy of the packs' repository, as on a USB stick."),
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Fetch what is ordered, verify it, run its golden vectors, and switch on its day.

    A daemon that runs starts again with the new pack at its next turn.

    Example: [bold]yixin node packs fetch --from /media/usb/packs[/bold]
    """
    with start(as_json) as out:
        named = None if folder is None else str(folder.absolute())
        result = run_job(node_directory(directory), "packs-fetch", {"from": named}, out)
        standing = result["standing"]
        switched = f"{result['switched']} is in force." if result["switched"] else "No switch."
        out.done(
            result,
            f"{switched} Standing: {standing['phase']}, {standing['pack'] or 'no pack'}; "
            f"{result['reports']} reports wait for the next synchronisation.",
        )


@app.command()
def trust(
    *,
    root: Annotated[
        Path, typer.Argument(metavar="ROOT", help="1.root.json of the repository.", dir_okay=False)
    ],
    digest: Annotated[
        str, typer.Option("--digest", help="Its SHA-256, as the officer read it out.")
    ],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Pin the root of the packs by hand, where the join token did not. Stop the daemon first.

    From then on the node is scored by a verified pack only.

    Example: [bold]yixin node packs trust 1.root.json --digest 9f86d081…[/bold]
    """
    with start(as_json) as out:
        from node.config import LOCK_FILE  # noqa: PLC0415  # keeps `--help` fast
        from node.packs.holding import holding_of  # noqa: PLC0415  # the same
        from security.operator import writer_lock  # noqa: PLC0415  # the same

        home = existing(node_directory(directory))
        with root.open("rb") as file:
            content = file.read(MAX_ROOT_BYTES)
        found = hashlib.sha256(content).hexdigest()
        if found != digest.lower().replace(" ", ""):
            raise PackError(
                f"{root} has SHA-256 {found}, told was {digest[:80]}: it is not the root that the "
                "officer means; nothing was pinned"
            )
        with writer_lock(home, LOCK_FILE):
            holding_of(home).pin(content)
        out.done({"root": found}, f"Pinned the packs' root {found}")
