"""Commands `yixin node device …`: tokens of devices, who joined, who is refused."""

from typing import Annotated

import typer

from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import Result, run_job, start
from node.config import node_directory

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Edge devices (终端), for example face terminals: tokens, list, health, revocation.",
)


@app.command()
def token(
    *,
    institution: Annotated[str, typer.Option("--institution", help="Institution code.")],
    place: Annotated[
        str, typer.Option("--place", help="Where it stands: window, pharmacy, bed or entrance.")
    ],
    name: Annotated[
        str,
        typer.Option("--name", help="Its name there: small letters, digits, '.', '_' and '-'."),
    ],
    kind: Annotated[str, typer.Option("--kind", help="What it is.")] = "face_terminal",
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=1_440, help="How long the token may be used.")
    ] = 60,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Make a one-use token with which a device joins this node.

    Carry it to the device by hand and keep it to yourself: whoever shows it first becomes the
    device. A device that joins again with a new token loses its earlier keys. The token is all that
    goes to standard output.

    Example: [bold]yixin node device token --institution H33030200001 --place window
    --name w3 > w3.token[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "institution": institution,
            "place": place,
            "name": name,
            "kind": kind,
            "minutes": minutes,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "device_token", arguments, out)
        if not as_json:
            out.hint(
                f"{result['device']} may join at {result['enrolment_address']} until "
                f"{result['expires_at']}, once. At the device: yixin device enrol --dir DIR "
                "--token TOKEN"
            )
        out.done(result, result["token"])


@app.command("list")
def list_devices(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """List the devices: whether they joined, when they last came, what of them is lost.

    Example: [bold]yixin node device list[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "devices", {}, out, writes=False)
        if as_json:
            out.json(result)
        elif result["rows"]:
            columns = ("device", "state", "certified_until", "seen_at", "lost")
            shown = [{name: one[name] for name in columns} for one in result["rows"]]
            out.rows("Devices", shown)
        else:
            out.say("No device is known. Make a token with: yixin node device token")


@app.command()
def show(
    *,
    device: Annotated[str, typer.Argument(help="Its name, or its whole id.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show one device: its keys, health, queues, and what was done to it.

    Example: [bold]yixin node device show w3[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"device": device}
        result = run_job(node_directory(directory), "device_show", arguments, out, writes=False)
        if as_json:
            out.json(result)
            return
        queues, log = result.pop("queues"), result.pop("log")
        result["faults"] = ", ".join(result["faults"]) or "none"
        out.table("Device", result)
        if queues:
            out.rows("Queues", queues)
        out.rows("Operations", log)


@app.command()
def revoke(
    *,
    device: Annotated[str, typer.Argument(help="Its name, or its whole id.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the log of operators.")],
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a device from its next call on; what it delivered before stays.

    Example: [bold]yixin node device revoke w3 --reason "stolen on 3 March"[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "device": device,
            "reason": reason,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "device_revoke", arguments, out)
        out.done(
            result,
            f"{result['device']} is revoked. A new token lets the name in again, with other keys.",
        )
