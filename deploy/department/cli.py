"""``yixin department``: a department joins a hub, asks for products, collects and verifies them."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from security.operator import CommandOutput, ErrorText, speaking

app = typer.Typer(
    name="department",
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Be a department (部门): join a hub, ask for products, collect and verify them.",
)

DIRECTORY_VARIABLE: Final = "YIXIN_DEPARTMENT_DIR"
FAULTS_EXIT: Final = 1
Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        help="Directory of the department; else YIXIN_DEPARTMENT_DIR, else ./yixin-department.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@app.command("join")
def join_command(
    *,
    token: Annotated[str, typer.Option("--token", help="Token of the hub.")],
    suite: Annotated[
        str, typer.Option("--suite", help="Suite of the keys; else the default.")
    ] = "",
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Join a hub: keys are made here and never leave.

    Where an officer of the hub has to approve, run it again with the same token afterwards.

    Example: [bold]yixin department join --token yixin1.… --dir /var/lib/yixin-bank[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from deploy.department.program import join_hub  # noqa: PLC0415 - keeps --help fast

        where = _directory(directory)
        membership = join_hub(where, token, suite=suite, now=_now())
        out.done(
            {"member": membership.member_id, "hub": membership.hub_id, "directory": str(where)},
            f"{membership.member_id} joined {membership.hub_id}.\n"
            f"Next: yixin department collect --dir {where}",
        )


@app.command()
def collect(*, directory: Directory = None, as_json: AsJson = False) -> None:
    """Send requests, collect what the hub holds, verify it and write products to files.

    Exit code 1: something that came does not hold; it was not written.

    Example: [bold]yixin department collect --dir /var/lib/yixin-bank[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from deploy.department.program import opened  # noqa: PLC0415 - keeps --help fast

        with opened(_directory(directory), _now) as department, out.bar():
            taken = asyncio.run(department.exchange(out.progress))
        result = {
            "sent": taken.sent,
            "written": taken.written,
            "refused": taken.refused,
            "incomplete": taken.incomplete,
            "faults": taken.faults,
            "revocation_list": taken.revocation_list,
        }
        out.done(result, "\n".join(taken.written) or "Nothing new.")
        if taken.sent:
            out.hint(f"Sent {taken.sent} requests; the next `collect` fetches their answers.")
        if taken.incomplete:
            out.hint(f"{taken.incomplete} products came in part: collect again.")
        for refusal in taken.refused:
            out.hint(f"Request {refusal['request']} was refused: {refusal['refusal']}")
        for fault in taken.faults:
            out.hint(f"Not taken: {fault}")
        if not taken.is_list_good:
            out.hint(f"Revocation list of the hub: {taken.revocation_list}.")
        if taken.faults:
            raise typer.Exit(FAULTS_EXIT)


@app.command()
def request(
    *,
    agreement: Annotated[str, typer.Argument(metavar="ID@VERSION", help="The agreement.")],
    period: Annotated[str, typer.Option("--period", help="Rating period, for example 2026H1.")],
    purpose: Annotated[str, typer.Option("--purpose", help="Purpose, as the agreement says.")],
    data_class: Annotated[
        str, typer.Option("--data-class", help="Data class, as the agreement says.")
    ] = "grade",
    subject: Annotated[
        list[str] | None, typer.Option("--subject", help="Subject; repeatable. Else all.")
    ] = None,
    subject_class: Annotated[
        list[str] | None, typer.Option("--class", help="Class; repeatable. Else all.")
    ] = None,
    fields: Annotated[
        list[str] | None, typer.Option("--field", help="Field; repeatable. Else all.")
    ] = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Queue a request under an agreement; `collect` sends it and fetches the answer.

    Example: [bold]yixin department request police@1 --period 2026H1 --purpose fraud_investigation
    --subject H33030200001[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), _describe) as out:
        from deploy.department.program import Wanted, opened, words  # noqa: PLC0415 - as above

        wanted = Wanted(
            agreement=agreement,
            period=period,
            purpose=purpose,
            data_class=data_class,
            subjects=words(subject or ()),
            subject_classes=words(subject_class or ()),
            fields=words(fields or ()),
        )
        with opened(_directory(directory), _now) as department:
            request_id = department.request(wanted).hex()
        out.done(
            {"request": request_id},
            f"Request {request_id} is queued.\nNext: yixin department collect",
        )


def _describe(error: Exception) -> ErrorText:
    from hub.api.errors import describe  # noqa: PLC0415 - keeps --help fast

    return describe(error)


def _directory(named: Path | None) -> Path:
    return named or Path(os.environ.get(DIRECTORY_VARIABLE, "yixin-department"))


def _now() -> datetime:
    return datetime.now(UTC)
