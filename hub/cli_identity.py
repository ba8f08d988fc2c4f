"""Commands over a hub's members: invite, require suites, join the parent."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub import cli_admission
from hub.cli_options import AsJson, Directory
from hub.commands import Result, run_job, start
from hub.config import hub_directory
from hub.errors import CustodyError

app = typer.Typer()
app.registered_commands.extend(cli_admission.app.registered_commands)

MAX_LIST_BYTES: Final = 64 * 1024 * 1024


@app.command()
def token(
    *,
    kind: Annotated[str, typer.Option("--kind", help="node, hub or department.")],
    division: Annotated[
        str, typer.Option("--division", help="Division code of the member, six digits.")
    ],
    code: Annotated[
        str, typer.Option("--code", help="Code of the member; unique in division and kind.")
    ],
    institutions: Annotated[
        str | None,
        typer.Option(
            "--institutions",
            help="Institutions the node has custody of: a CSV file with the columns institution, "
            "name, level, type, division, or codes separated by commas.",
        ),
    ] = None,
    from_month: Annotated[
        int, typer.Option("--from-month", help="First month of the custody, yyyymm.")
    ] = 200001,
    approved: Annotated[
        bool,
        typer.Option(
            "--approved",
            help="Approve in advance whoever joins with the token, without comparing a "
            "fingerprint: an officer's decision, which stays in the transparency log.",
        ),
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Invite a member: print a join token for one use, valid for ten minutes.

    The custody of its institutions counts from the moment it joins. The join waits until an officer
    compared the fingerprint of the member's keys by telephone and ran `yixin hub approve`; where
    the token goes from hand to hand in one room, --approved saves the call.

    Example: [bold]yixin hub token --kind node --division 330302 --code H33030200001
    --institutions H33030200001[/bold]

    Example: [bold]yixin hub token --kind hub --division 330300 --code city --approved[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "kind": kind,
            "division": division,
            "code": code,
            "from_month": from_month,
        }
        job = "token-approved" if approved else "token"
        arguments |= _institutions(institutions)
        result = run_job(hub_directory(directory), job, arguments, out)
        out.done(result, result["token"])
        if not as_json:
            out.hint(
                f"For {result['member']} with {result['institutions']} institutions, "
                f"until {result['expires_at']}. Hand it over by a trusted way."
            )


@app.command()
def join(
    *,
    token: Annotated[str, typer.Option("--token", help="Token of the parent hub.")],
    suite: Annotated[
        str,
        typer.Option(
            "--suite", help="Suite of the keys: INTL-PQ, INTL or GM, as the parent's policy takes."
        ),
    ] = "",
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Join the parent hub, so that grades can be pushed to it.

    Example: [bold]yixin hub join --token yixin1.…[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"token": token, "suite": suite}
        result = run_job(hub_directory(directory), "join", arguments, out)
        said = f"{result['member']} joined {result['hub']}."
        if unsigned := result.get("unsigned"):
            said += (
                f" Its agreement over the push is not signed yet: {unsigned} Name the "
                "parent's witness (yixin hub log witness add --help), and once the log is open: "
                "yixin hub agreements sign provincial_push"
            )
        out.done(result, said)


@app.command()
def suites(
    *,
    member: Annotated[
        str | None, typer.Option("--member", help="Member id, with --require or --lift.")
    ] = None,
    require: Annotated[
        str | None, typer.Option("--require", help="Suite it must use: INTL-PQ, INTL or GM.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Require nothing of it any more.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the suites that members may use, or require one of a member.

    What all members may use stands in hub.toml, table suites. A member learns a change when it next
    synchronises, and renews its keys under a suite it may use; until then nothing of it is taken.

    Example: [bold]yixin hub suites[/bold]

    Example: [bold]yixin hub suites --member yixin://330302/node/H33030200001 --require GM[/bold]

    Example: [bold]yixin hub suites --member yixin://330302/node/H33030200001 --lift[/bold]
    """
    if (member is None) != (require is None and not lift) or (lift and require is not None):
        raise typer.BadParameter("name a --member with either --require SUITE or --lift")
    with start(as_json) as out:
        where = hub_directory(directory)
        if member is None:
            result = run_job(where, "suites", {}, out, writes=False)
            out.done(result, "") if as_json else out.rows("Suites", result["rows"])
            return
        arguments: Result = {"member": member, "suite": require or ""}
        result = run_job(where, "require-suite", arguments, out)
        out.done(result, f"{result['member']}: {result['suites']}, version {result['version']}.")


def _institutions(text: str | None) -> Result:
    """What --institutions names: codes, or the text of a file."""
    from hub.domain.institution_list import is_code_list  # noqa: PLC0415 - keeps --help fast

    if text is None:
        return {}
    if is_code_list(text):
        return {"codes": text}
    path = Path(text)
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise CustodyError(f"{path} is larger than {MAX_LIST_BYTES} bytes; cut the list.")
        return {"csv": path.read_text("utf-8-sig")}
    except (OSError, UnicodeDecodeError) as error:
        raise CustodyError(
            f"--institutions names neither codes nor a readable CSV file in UTF-8: {text[:120]!r}."
        ) from error
