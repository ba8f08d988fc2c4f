"""Commands over proofs of the exchange: deliveries, forks, and what is in a backup."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import run_job, start
from hub.config import hub_directory

app = typer.Typer()

Member = Annotated[str, typer.Option("--member", help="Member id of the other party.")]
Export = Annotated[Path, typer.Option("--export", help="File to write; an old one is replaced.")]


@app.command()
def deliveries(
    *, member: Member, export: Export, directory: Directory = None, as_json: AsJson = False
) -> None:
    """Write what a member collected into a file that proves it to anybody.

    The proof is the member's own signature under the head of the chain. Who gets the file checks
    it offline, with the hub's trust file: yixin audit receipt FILE --trust TRUST

    Example: [bold]yixin hub deliveries --member yixin://330302/node/H33030200001
    --export deliveries.jsonl[/bold]
    """
    with start(as_json) as out:
        arguments = {"member": member, "out": str(export.absolute())}
        result = run_job(hub_directory(directory), "delivery-proofs", arguments, out, writes=False)
        out.done(
            result,
            f"{result['proofs']} envelopes that {result['member']} holds are in {result['file']}.",
        )


@app.command()
def forks(
    *, member: Member, export: Export, directory: Directory = None, as_json: AsJson = False
) -> None:
    """Write the forks that a member signed into a file: two envelopes that cannot both be true.

    Either a copy of the member's directory is in use, or its key is in other hands. Who gets the
    file checks it offline: yixin audit fork FILE --trust TRUST

    Example: [bold]yixin hub forks --member yixin://330302/node/H33030200001
    --export forks.jsonl[/bold]
    """
    with start(as_json) as out:
        arguments = {"member": member, "out": str(export.absolute())}
        result = run_job(hub_directory(directory), "fork-proofs", arguments, out, writes=False)
        out.done(result, f"{result['proofs']} forks of {result['member']} are in {result['file']}.")


@app.command(name="backup-done")
def backup_done(
    *,
    log_size: Annotated[
        int,
        typer.Option(
            "--log-size",
            min=1,
            help="Leaves of the log in the backup: log_size of `yixin hub status` when it began.",
        ),
    ],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """State that a checked backup holds the log up to a size; members may then drop their copies.

    Never state a backup that was not read back: what members dropped cannot be asked for again.

    Example: [bold]yixin hub backup-done --log-size 120345[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "backup-done", {"log_size": log_size}, out)
        out.done(
            result,
            f"A backup of {result['log_size']} leaves counts; members of {result['chains']} chains "
            "are told with their next receipts.",
        )
