"""Commands of a terminal: ``face-terminal``, ``enrol``, ``enrol-person``, ``status``, ``renew``."""

import sys
from datetime import UTC, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_devices.answer_output import answering
from edge_devices.commands import start
from edge_devices.config import DEFAULT_DIRECTORY
from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.events import Purpose
from edge_devices.options import AsJson, Directory, Models
from edge_devices.terminal_options import (
    Embedding,
    Gate,
    Node,
    Source,
    Upscale,
    given_settings,
)
from security.moments import SHANGHAI, to_ms

__all__ = ["register"]

_MAX_TOKEN_CHARS: Final = 16_384
_MAX_PATH_CHARS: Final = 1024

Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN|FILE",
        help="From `yixin node device token`: its text, or a file that holds it, or - for stdin.",
    ),
]


class SubjectKind(StrEnum):
    """Whose template it is."""

    INSURED = "insured"
    STAFF = "staff"
    PROXY = "proxy"


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command("face-terminal")(face_terminal)
    app.command("enrol")(enrol)
    app.command("enrol-person")(enrol_person)
    app.command("status")(status)
    app.command("renew")(renew)


def face_terminal(
    *,
    source: Source = None,
    asks: Annotated[
        str, typer.Option("--asks", help="File or FIFO of asks, JSON lines; - for standard input.")
    ] = "-",
    answers: Annotated[
        str,
        typer.Option("--answers", help="FIFO or file for answers, JSON lines; - for stdout."),
    ] = "-",
    token: Token = None,
    node: Node = None,
    directory: Directory = DEFAULT_DIRECTORY,
    models: Models = None,
    embedding: Embedding = None,
    gate: Gate = None,
    upscale: Upscale = None,
    pace: Annotated[
        float | None,
        typer.Option(
            "--pace", help="Play a video or folder at so many frames a second, over and over."
        ),
    ] = None,
    attempts: Annotated[
        int | None,
        typer.Option("--attempts", help="Frames compared at most; else as the node says."),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when the asks are answered and delivered.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a face terminal (人脸终端): is the person at the counter the person on the card?

    An ask is a line of JSON: {"person": "NUMBER"}, where wanted with id,
    visit, purpose (visit, bed_check, duty), reason (proxy, child, voucher,
    emergency, manual), text, staff, proxy. Answers go to standard output,
    with --json as lines of JSON, or to --answers; the rest goes to
    standard error. It ends
    on SIGTERM or Ctrl-C; what was answered is on disk, and reaches the
    node when the line is up.

    Example: [bold]yixin device face-terminal --source camera --asks /run/yixin/asks --json[/bold]

    Example: [bold]yixin device face-terminal --source folder:faces --asks asks.jsonl --once[/bold]
    """
    with start(as_json) as out:
        from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast

        if token is not None:
            out.hint(_told(directory, _join(directory, token)))
        given = given_settings(source, node, models, embedding, gate, upscale)
        settings = root.settings_with(directory, {**given, "pace": pace, "attempts": attempts})
        with answering(out, answers) as answer:
            malformed = root.run_terminal(
                directory,
                settings,
                asks=None if asks == "-" else Path(asks),
                is_once=once,
                say=out.hint,
                answer=answer,
            )
        if once and malformed:
            raise DeviceConfigurationError(
                f"{malformed} asks were refused as malformed; the others were answered"
            )


def enrol(
    *, token: Token = None, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Join a node with a one-use token (终端登记); run it again if the line broke meanwhile.

    Example: [bold]yixin device enrol --token w3.token --dir /var/lib/yixin-terminal[/bold]
    """
    with start(as_json) as out:
        if token is None:
            raise DeviceConfigurationError(
                "no token: make one at the node with `yixin node device token --institution CODE "
                "--place window --name NAME`, and give it with --token"
            )
        identity = _join(directory, token)
        out.done(identity, _told(directory, identity))


def enrol_person(
    *,
    person: Annotated[str, typer.Option("--person", help="psn_no, or code of a staff member.")],
    consent: Annotated[
        str, typer.Option("--consent", help="Reference of the signed consent (单独同意书).")
    ],
    operator: Annotated[str, typer.Option("--operator", help="Who stands by.")],
    subject: Annotated[
        SubjectKind, typer.Option("--subject", help="Whose template it is.")
    ] = SubjectKind.INSURED,
    purpose: Annotated[
        list[Purpose] | None,
        typer.Option("--purpose", help="What the consent covers; may be repeated."),
    ] = None,
    consent_day: Annotated[
        datetime | None,
        typer.Option("--consent-day", formats=["%Y-%m-%d"], help="When it was given; else today."),
    ] = None,
    proxy_for: Annotated[
        str, typer.Option("--proxy-for", help="psn_no that this proxy may act for.")
    ] = "",
    source: Source = None,
    node: Node = None,
    directory: Directory = DEFAULT_DIRECTORY,
    models: Models = None,
    embedding: Embedding = None,
    gate: Gate = None,
    upscale: Upscale = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a person from up to five pictures (人脸登记), with consent and purpose.

    Before a camera only living faces are taken. The pictures are not kept; the
    vectors go to the node under its transform. Whoever is enrolled already must
    look like the earlier template, or be revoked at the node first.

    Example: [bold]yixin device enrol-person --person 33030200000000000017 --consent 2026-0117
    --operator wang --source camera[/bold]
    """
    with start(as_json) as out:
        from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast
        from edge_devices.face_terminals.person_enrolling import Enrolling  # noqa: PLC0415

        if (subject is SubjectKind.PROXY) != bool(proxy_for):
            raise DeviceConfigurationError(
                "--proxy-for goes with --subject proxy, and only with it; name both or none"
            )
        given = given_settings(source, node, models, embedding, gate, upscale)
        who = Enrolling(
            person=person,
            subject=subject,
            purposes=tuple(purpose or [Purpose.VISIT]),
            consent=consent,
            consent_at_ms=_consent_moment(consent_day, root.utc_now()),
            operator=operator,
            proxy_for=proxy_for,
        )
        made = root.enrol_person(directory, root.settings_with(directory, given), who, out.hint)
        out.done({"template": made.hex()}, f"Enrolled: template {made.hex()}.")


def status(
    *, directory: Directory = DEFAULT_DIRECTORY, models: Models = None, as_json: AsJson = False
) -> None:
    """Show certificate, queue, models and health of a terminal, whether or not it runs.

    Example: [bold]yixin device status --dir /var/lib/yixin-terminal[/bold]
    """
    with start(as_json) as out:
        from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast
        from edge_devices.device_status import status_of  # noqa: PLC0415

        settings = root.settings_with(directory, {"models": models and str(models)})
        out.table(f"Terminal {directory}", status_of(directory, settings, root.utc_now()))


def renew(*, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Renew the certificate now; a running terminal does so by itself at half of its time.

    Example: [bold]yixin device renew --dir /var/lib/yixin-terminal[/bold]
    """
    with start(as_json) as out:
        from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast

        identity = root.renew(directory)
        ends = identity.certificate_ends.isoformat(timespec="seconds")
        out.done(
            {"device": str(identity.device), "certificate_ends": ends},
            f"{identity.device}: certificate until {ends}.",
        )


def _join(directory: Path, token: str) -> dict[str, Any]:
    from edge_devices import app as root  # noqa: PLC0415  # keeps `--help` fast

    identity = root.enrol(directory, _token_text(token))
    return {
        "device": str(identity.device),
        "node": identity.intake_address,
        "certificate_ends": identity.certificate_ends.isoformat(timespec="seconds"),
    }


def _told(directory: Path, identity: dict[str, Any]) -> str:
    return (
        f"{directory} is {identity['device']} at the node {identity['node']}; its certificate "
        f"holds until {identity['certificate_ends']} and renews itself."
    )


def _token_text(given: str) -> str:
    """The token itself; from standard input or a file it is the line that looks like one."""
    from security.devices.token import PREFIX  # noqa: PLC0415  # keeps `--help` fast

    if given == "-":
        text = sys.stdin.read(_MAX_TOKEN_CHARS)
    elif not given.startswith(PREFIX) and len(given) < _MAX_PATH_CHARS and Path(given).is_file():
        with Path(given).open(encoding="ascii", errors="replace") as file:
            text = file.read(_MAX_TOKEN_CHARS)
    else:
        return given.strip()
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines if line.startswith(PREFIX)), text.strip())


def _consent_moment(day: datetime | None, now: datetime) -> int:
    """Milliseconds since the epoch: now, or the beginning of a day in Shanghai.

    Raises:
        DeviceConfigurationError: The day is to come.
    """
    if day is None:
        return to_ms(now)
    moment = datetime.combine(day.date(), time(), SHANGHAI).astimezone(UTC)
    if moment > now:
        raise DeviceConfigurationError(
            f"--consent-day {day.date().isoformat()} is still to come; give the day of the consent"
        )
    return to_ms(moment)
