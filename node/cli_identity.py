"""Commands over a node's identity: join, renew certificates, hand out receipts as proofs."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from node.cli_options import AsJson, Directory
from node.commands import NodeOutput, Result, existing, run_job, start
from node.config import node_directory

__all__ = ["register"]

WAIT_S: Final = 600
"""How long `join` waits for the officer when nobody says otherwise, seconds."""
INTERRUPTED: Final = 130


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    app.command()(join)
    app.command()(renew)
    app.command()(receipts)


def join(
    *,
    token: Annotated[
        str, typer.Option("--token", help="One-use join token from `yixin hub token`.")
    ],
    wait: Annotated[
        int,
        typer.Option(
            "--wait", min=0, max=86_400, help="How long to wait for the officer, seconds."
        ),
    ] = WAIT_S,
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            help="Suite of the keys: INTL-PQ, INTL or GM, as the hub's policy takes. Default: that "
            "of the keys that are there, else INTL-PQ.",
        ),
    ] = "",
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Join a hub: make keys, prove possession, receive certificates and the custody register.

    Stop the daemon first. Where the hub's officer approves each request, this prints the
    fingerprint of the node's keys, to be compared by telephone, and waits; interrupting loses
    nothing, the same command goes on. Certificates renew themselves later: yixin node renew

    Example: [bold]yixin node join --dir /var/lib/yixin --token yixin1.eyJ…[/bold]

    Example: [bold]yixin node join --token yixin1.eyJ… --suite GM[/bold]
    """
    with start(as_json) as out:
        # Not through the daemon: it works with the membership it was started with.
        home = existing(node_directory(directory))
        result = _approved(home, {"token": token, "suite": suite}, wait, out)
        out.done(
            result,
            f"Joined {result['hub']} as {result['member']}, "
            f"in charge of {result['institutions']} institutions.\n"
            "Next: yixin node ingest FILE … and yixin node serve",
        )


def _approved(home: Path, arguments: Result, wait: int, out: NodeOutput) -> Result:
    """Ask until the officer has approved, or the time is over."""
    from node.app import run_here  # noqa: PLC0415  # keeps `--help` fast
    from security.errors import JoinPendingError  # noqa: PLC0415

    waited = 0
    try:
        with out.bar():
            while True:
                try:
                    return run_here(home, "join", arguments, out.progress, writes=True)
                except JoinPendingError as pending:
                    pause = min(pending.retry_after_s, wait - waited)
                    if pause <= 0:
                        raise
                    if waited == 0:
                        out.hint(str(pending))
                out.progress("waiting for the officer", waited, wait, "s")
                time.sleep(pause)
                waited += pause
    except KeyboardInterrupt:
        out.hint("Nothing is lost; run the same command again to go on.")
        raise typer.Exit(INTERRUPTED) from None


def renew(
    *,
    new_keys: Annotated[
        bool,
        typer.Option(
            "--new-keys",
            help="Make new signing, encryption and TLS keys; link desks must learn the last one.",
        ),
    ] = False,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", help="host:port of the hub's enrolment, if the node does not know it."
        ),
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Renew the node's certificates now; the daemon does so by itself at half of their time.

    Works also after they have ended: within 90 days by itself, later when the hub's officer has
    approved. What was sealed under the old keys stays valid or is sealed anew; retired keys still
    open what is on its way.

    Example: [bold]yixin node renew[/bold]

    Example: [bold]yixin node renew --new-keys[/bold] (after a key may have been seen by others)
    """
    with start(as_json) as out:
        arguments: Result = {"new_keys": new_keys, "address": address}
        result = run_job(node_directory(directory), "renew", arguments, out)
        out.done(
            result,
            f"Renewed: TLS until {result['tls_certificate_ends']}, signing until "
            f"{result['signing_certificate_ends']}, encryption until "
            f"{result['encryption_certificate_ends']}"
            f"{', under new keys' if result['new_keys'] else ''}.",
        )


def receipts(
    *,
    export: Annotated[
        Path, typer.Option("--export", help="File to write; an old one is replaced.")
    ],
    envelopes: Annotated[
        bool,
        typer.Option("--envelopes", help="Put the sealed envelopes beside their receipts."),
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write the hub's receipts into a file that proves the deliveries to anybody.

    Who gets it checks it offline, with the hub's trust file: yixin audit receipt FILE --trust TRUST

    Example: [bold]yixin node receipts --export receipts.jsonl[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"out": str(export.absolute()), "envelopes": envelopes}
        result = run_job(node_directory(directory), "receipts", arguments, out, writes=False)
        out.done(
            result, f"{result['receipts']} receipts of {result['hub']} are in {result['file']}."
        )
