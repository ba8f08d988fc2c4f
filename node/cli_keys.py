"""Commands `yixin node keys …`: keys at rest and their rotation."""

from typing import Annotated

import typer

from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import Result, run_job, start
from node.config import node_directory
from security.operator.rings import say_ring

app = typer.Typer(no_args_is_help=True, help="Keys at rest (静态加密密钥): status and rotation.")


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show the key ring and what stands under each epoch.

    Example: [bold]yixin node keys status[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "keys", {}, out, writes=False)
        say_ring(out, result)


@app.command()
def rotate(
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="End a rotation that was interrupted; no new epoch.")
    ] = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key for what is sealed from now on, and wrap the wrapped keys anew.

    Records and segments are not touched; what was sealed directly keeps its key until it expires.
    Make a backup soon after: an older one holds the older keys only.

    Example: [bold]yixin node keys rotate[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"resume": resume, "operator": login_name(operator)}
        result = run_job(node_directory(directory), "keys_rotate", arguments, out)
        count = sum(result["wrapped_anew"].values())
        out.done(result, f"Epoch {result['epoch']} seals; {count} keys were wrapped anew.")


@app.command()
def destroy(
    *,
    epoch: Annotated[int, typer.Argument(help="Epoch whose key is destroyed.")],
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Destroy the key of an epoch that nothing is left of; what old backups hold of it is lost.

    Example: [bold]yixin node keys destroy 0[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"epoch": epoch, "operator": login_name(operator)}
        result = run_job(node_directory(directory), "keys_destroy", arguments, out)
        out.done(result, f"The key of epoch {result['epoch']} is destroyed.")


@app.command()
def protect(
    *,
    token: Annotated[
        str | None,
        typer.Option("--token", help="Label of a PKCS #11 token; without it: back to the file."),
    ] = None,
    label: Annotated[str, typer.Option("--label", help="Label of its AES key.")] = "yixin-at-rest",
    create: Annotated[bool, typer.Option("--create", help="Make that key first.")] = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Put the key ring under a key of a PKCS #11 token, which never leaves it.

    The module's file is named by YIXIN_PKCS11_MODULE and its PIN by YIXIN_PKCS11_PIN, in the
    environment of this command and of the daemon.

    Example: [bold]yixin node keys protect --token yixin --create[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "token": token,
            "label": label,
            "create": create,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "keys_protect", arguments, out)
        out.done(result, f"The key ring is protected by: {result['master']}.")
