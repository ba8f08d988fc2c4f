"""Commands `yixin hub ca …`: the hub's TLS authority under the bureau's own CA."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer(
    no_args_is_help=True, help="The hub's TLS authority under the bureau's own CA (自带CA)."
)

MAX_CHAIN_BYTES: Final = 64 * 1024


@app.command()
def request(
    *,
    out_file: Annotated[Path, typer.Option("--out", help="File to make: the request, PEM.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write the request by which the bureau's CA certifies this hub's authority.

    The bureau issues a CA certificate for this very key and name, path length 0 or more.

    Example: [bold]yixin hub ca request --out csr.pem[/bold]
    """
    with start(as_json) as out:
        result = run_job(hub_directory(directory), "ca-request", {}, out, writes=False)
        _write(out_file, result.pop("request"))
        result["file"] = str(out_file)
        out.done(result, f"{out_file}: give it to the bureau's CA.")


@app.command("import")
def import_(
    *,
    chain: Annotated[
        Path,
        typer.Argument(
            metavar="CHAIN", help="PEM: this hub's authority, intermediates, the bureau's root."
        ),
    ],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Import the chain that the bureau's CA issued; members keep what they have.

    The chain is verified whole. Compare the printed SHA-256 of the root with the bureau's. The hub
    presents the chain from its next start on.

    Example: [bold]yixin hub ca import chain.pem[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"chain": _read(chain)}
        result = run_job(hub_directory(directory), "ca-import", arguments, out)
        out.done(
            result,
            f"Imported {result['certificates']} certificates, valid until {result['until']}.\n"
            f"Root: {result['root']}\nSHA-256: {result['root_sha256']}\n"
            "Restart the hub to present them.",
        )


def _read(path: Path) -> str:
    from hub.errors import ConfigurationError  # noqa: PLC0415 - keeps --help fast

    try:
        if path.stat().st_size > MAX_CHAIN_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_CHAIN_BYTES} bytes: no chain.")
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no readable chain of certificates in PEM.") from error


def _write(path: Path, text: str) -> None:
    from hub.errors import ConfigurationError  # noqa: PLC0415 - keeps --help fast

    try:
        with path.open("x", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be made: {error.strerror}; name a new file in a directory of yours."
        ) from error
