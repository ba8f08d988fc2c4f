"""Commands that let members in and put them out: members, approve, reject, revoke."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import Result, run_job, start
from hub.config import hub_directory

app = typer.Typer()

_APPROVAL_CHARS: Final = 16
"""Characters of the id of a job that waits for a second person; requests have fewer."""
Waiting = Annotated[
    str, typer.Argument(metavar="REQUEST|MEMBER", help="Id of what waits, or the member's id.")
]


@app.command()
def members(
    *,
    pending: Annotated[
        bool, typer.Option("--pending", help="Only requests that wait for an officer.")
    ] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the members: state, ends of their certificates, and what is due.

    Example: [bold]yixin hub members[/bold]

    Example: [bold]yixin hub members --pending[/bold]
    """
    with start(as_json) as out:
        job = "members-pending" if pending else "members"
        result = run_job(hub_directory(directory), job, {}, out, writes=False)
        if as_json:
            out.done(result, "")
            return
        title = "Waiting: compare each fingerprint by telephone" if pending else "Members"
        narrow = _waiting_row if pending else _member_row
        out.rows(title, [narrow(row) for row in result["rows"]])


def _member_row(row: Result) -> Result:
    """What of a member fits a line; --json has all of it."""
    return {
        "member": row["member"],
        "status": row["status"],
        "TLS until": _day(row["tls_until"]),
        "keys until": _day(row["signing_until"]),
        "due": row["due"],
    }


def _waiting_row(row: Result) -> Result:
    return {name: row[name] for name in ("request", "wants", "member", "fingerprint")}


def _day(moment: str | None) -> str:
    return moment[:10] if moment else ""


@app.command()
def approve(*, name: Waiting, directory: Directory = None, as_json: AsJson = False) -> None:
    """Approve a join or a renewal that waits, or a job that waits for a second person.

    Before approving a member: call its operator, let the fingerprint be read to you, and compare it
    with `yixin hub members --pending`. The member then gets its certificates when it asks again.

    Example: [bold]yixin hub approve 3f9a1c22[/bold]

    Example: [bold]yixin hub approve yixin://330302/node/H33030200001[/bold]
    """
    with start(as_json) as out:
        where = hub_directory(directory)
        is_job = len(name) == _APPROVAL_CHARS
        found: Result = {} if is_job else run_job(where, "approve-member", {"id": name}, out)
        if found.get("found"):
            told = f"Approved: {found['member']} {found['wants']}s with {found['fingerprint']}."
            out.done(found, told)
            return
        if not is_job:
            from hub.errors import ConfigurationError  # noqa: PLC0415 - keeps --help fast

            raise ConfigurationError(
                f"Nothing waits under {name[:96]!r}; list requests with "
                "`yixin hub members --pending`, jobs with `yixin hub operators approvals`."
            )
        result = run_job(where, "approve", {"id": name}, out)
        out.done(result, f"Approved and run: {result['job']}, asked for by {result['asked_by']}.")


@app.command()
def reject(
    *,
    name: Waiting,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the register.")] = "",
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Reject a join or a renewal that waits: the member is told, and needs a new token.

    Example: [bold]yixin hub reject 3f9a1c22 --reason "another fingerprint on the phone"[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"id": name, "reason": reason}
        result = run_job(hub_directory(directory), "reject-member", arguments, out)
        out.done(result, f"Rejected: the {result['wants']} of {result['member']}.")


@app.command()
def revoke(
    *,
    member: Annotated[
        str,
        typer.Argument(
            metavar="MEMBER",
            help="Member id; the hub's own replaces its signing and encryption keys at once.",
        ),
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why it is revoked.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a member and all its certificates: refused from the next commit group on.

    What it signed before stays valid. All members and auditors learn it from the signed list. The
    member comes back only with a new token.

    Example: [bold]yixin hub revoke yixin://330302/node/H33030200001 --reason theft[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"member": member, "reason": reason}
        result = run_job(hub_directory(directory), "revoke", arguments, out)
        said = (
            "is revoked" if result["status"] == "revoked" else "has new keys; the old are revoked"
        )
        out.done(
            result,
            f"{result['member']} {said}: {result['certificates']} certificates, "
            f"revocation list {result['list']}.",
        )


@app.command("export-revocations")
def export_revocations(
    *,
    file: Annotated[Path, typer.Argument(help="File to write; one that is there is replaced.")],
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write the newest signed revocation list to a file, for link desks; it is public.

    Example: [bold]yixin hub export-revocations city.revocations[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"file": str(file.resolve())}
        where = hub_directory(directory)
        result = run_job(where, "export-revocations", arguments, out, writes=False)
        out.done(
            result,
            f"Wrote revocation list {result['version']}; a newer one is due by {result['until']}.",
        )
