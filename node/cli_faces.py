"""Commands `yixin node faces …`: templates of faces, proxies and calibrations."""

from pathlib import Path
from typing import Annotated

import typer

from node import cli_face_registers
from node.cli_options import AsJson, Directory, Operator, Reason, login_name
from node.commands import Result, run_job, start
from node.config import node_directory

app = typer.Typer(
    no_args_is_help=True,
    help="Face templates (人脸模板): what is kept, revoked, deleted, re-keyed, given out.",
)
app.add_typer(cli_face_registers.proxy_app, name="proxy")
app.add_typer(cli_face_registers.calibration_app, name="calibration")

PersonArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="psn_no, or code of a staff member.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Most rows to show.")]


@app.command()
def status(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Show how many templates there are, of which models, and what is allowed.

    Example: [bold]yixin node faces status[/bold]
    """
    with start(as_json) as out:
        result = run_job(node_directory(directory), "faces_status", {}, out, writes=False)
        if as_json:
            out.json(result)
            return
        templates = result.pop("templates")
        out.table("Faces", result)
        if templates:
            out.rows("Templates", templates)
        if result["older_transform"]:
            out.hint("A re-keying was interrupted; end it: yixin node faces rekey --resume")
        if result["to_be_filed"]:
            out.hint(
                "100,000 persons are reached: their storage is filed with the province's "
                "cyberspace administration (人脸识别技术应用安全管理办法)."
            )


@app.command("list")
def list_templates(
    *,
    person: Annotated[
        str | None, typer.Option("--person", help="Only those of this psn_no or staff code.")
    ] = None,
    limit: Limit = 50,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List templates without vectors and without persons, newest first.

    Example: [bold]yixin node faces list --limit 20[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"person": person, "limit": limit}
        result = run_job(node_directory(directory), "faces", arguments, out, writes=False)
        if as_json:
            out.json(result)
            return
        names = ("id", "subject", "purposes", "model", "made_at", "expires_on", "revoked_at")
        out.rows("Templates", [{name: row[name] for name in names} for row in result["rows"]])


@app.command()
def revoke(
    *,
    person: PersonArgument,
    reason: Reason,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a person's templates: the vectors are destroyed, the rows tell who consented to what.

    Example: [bold]yixin node faces revoke 33030000000000000000100001 --reason 撤回同意[/bold]
    """
    with start(as_json) as out:
        arguments = _about(person, reason, operator)
        result = run_job(node_directory(directory), "faces_revoke", arguments, out)
        if not result["revoked"]:
            out.done(result, "Nobody of this number is enrolled here: nothing was revoked.")
            return
        out.done(
            result,
            f"Revoked {result['revoked']} templates. Terminals ask here while they can; cut off, "
            "their copies end after cache_hours. Backups hold them until those are removed.",
        )


@app.command()
def delete(
    *,
    person: PersonArgument,
    reason: Reason,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Delete a person's templates and pictures for good; what terminals reported stays.

    Example: [bold]yixin node faces delete 33030000000000000000100001 --reason 本人申请[/bold]
    """
    with start(as_json) as out:
        arguments = _about(person, reason, operator)
        result = run_job(node_directory(directory), "faces_delete", arguments, out)
        out.done(
            result,
            f"Deleted {result['deleted']} templates and {result['pictures']} pictures. They are in "
            "old backups until those are removed: yixin node backup --keep N",
        )


@app.command()
def rekey(
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="End a re-keying that was interrupted; no new key.")
    ] = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Put all templates under a new transform (换钥), after a terminal was lost or read out.

    Nobody is enrolled again, and matching goes on meanwhile. Terminals drop what they keep.

    Example: [bold]yixin node faces rekey[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"resume": resume, "operator": login_name(operator)}
        result = run_job(node_directory(directory), "faces_rekey", arguments, out)
        out.done(
            result,
            f"Transform {result['epoch']} is in force; {result['templates']} templates were put "
            "under it, and the older keys are destroyed.",
        )


@app.command()
def export(
    *,
    person: PersonArgument,
    to: Annotated[
        Path, typer.Option("--to", help="New file, .json; it gets mode 0600 and is not encrypted.")
    ],
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Write all that is stored about a person's face into a file; this is logged.

    Example: [bold]yixin node faces export 33030000000000000000100001 --to person.json[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "person": person,
            "file": str(to.absolute()),
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "faces_export", arguments, out)
        counts = ", ".join(
            f"{name.replace('_', ' ')} {count}" for name, count in result["rows"].items()
        )
        out.done(result, f"Written: {to} ({counts}).")


@app.command("identify-log")
def identify_log(
    *, limit: Limit = 50, directory: Directory = None, as_json: AsJson = False
) -> None:
    """Show the searches of one face among many (1:N), newest first.

    Example: [bold]yixin node faces identify-log --limit 20[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"limit": limit}
        home = node_directory(directory)
        result = run_job(home, "faces_identify_log", arguments, out, writes=False)
        if as_json:
            out.json(result)
            return
        out.rows("Searches", result["rows"])


def _about(person: str, reason: str, operator: str | None) -> Result:
    return {"person": person, "reason": reason, "operator": login_name(operator)}
