"""Commands `yixin node faces proxy …` and `… calibration …`: what faces are judged by."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from node.cli_options import AsJson, Directory, Operator, Reason, login_name
from node.commands import Result, run_job, start
from node.config import node_directory

proxy_app = typer.Typer(
    no_args_is_help=True, help="Registered proxies (代配药人): who may act for whom."
)
calibration_app = typer.Typer(
    no_args_is_help=True, help="Calibrations (标定): the threshold of a model at a site."
)

Person = Annotated[str, typer.Option("--person", help="psn_no of the insured person.")]
ProxyNumber = Annotated[str, typer.Option("--proxy", help="psn_no of the proxy.")]
_DAY = "%Y-%m-%d"


class Use(StrEnum):
    """What a threshold is for."""

    VERIFY = "verify"
    IDENTIFY = "identify"


@proxy_app.command("add")
def add_proxy(
    *,
    person: Person,
    proxy: ProxyNumber,
    consent: Annotated[
        str, typer.Option("--consent", help="Reference of the signed authorisation.")
    ],
    begins_on: Annotated[
        datetime | None, typer.Option("--from", formats=[_DAY], help="First day; else today.")
    ] = None,
    ends_on: Annotated[
        datetime | None,
        typer.Option("--until", formats=[_DAY], help="Last day; else as long as templates."),
    ] = None,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Register who may fetch medicine for a person; the proxy is enrolled at a terminal.

    Example: [bold]yixin node faces proxy add --person NO --proxy NO --consent 2026-0117[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "person": person,
            "proxy": proxy,
            "consent": consent,
            "begins_on": begins_on.date().isoformat() if begins_on else None,
            "ends_on": ends_on.date().isoformat() if ends_on else None,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "proxy_add", arguments, out)
        out.done(result, f"Registered from {result['begins_on']} through {result['ends_on']}.")


@proxy_app.command("end")
def end_proxy(
    *,
    person: Person,
    proxy: ProxyNumber,
    reason: Reason,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """End a registration: from today on it counts no more.

    Example: [bold]yixin node faces proxy end --person NO --proxy NO --reason 撤回授权[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "person": person,
            "proxy": proxy,
            "reason": reason,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "proxy_end", arguments, out)
        out.done(result, f"Ended {result['ended']} registrations.")


@proxy_app.command("list")
def list_proxies(*, person: Person, directory: Directory = None, as_json: AsJson = False) -> None:
    """List the registrations in which a person appears, as the person or as the proxy.

    Example: [bold]yixin node faces proxy list --person NO[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"person": person}
        result = run_job(node_directory(directory), "proxies", arguments, out, writes=False)
        if as_json:
            out.json(result)
            return
        out.rows("Proxies", result["rows"])


@calibration_app.command("import")
def import_calibration(
    *,
    file: Annotated[Path, typer.Argument(help="As `yixin device calibrate --out` wrote it.")],
    use: Annotated[
        Use,
        typer.Option("--for", help="verify: one to one; identify: one to many (1:N)."),
    ] = Use.VERIFY,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Put a calibration in force at its site, in the place of the one before.

    Example: [bold]yixin node faces calibration import calibration.json[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "file": str(file.absolute()),
            "use": use.value,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "calibration_import", arguments, out)
        out.done(
            result,
            f"In force at {result['site']} to {result['use']}: {result['model']} matches from "
            f"{result['threshold']} (false-accept rate at most {result['target_far']}). Terminals "
            f"hear it at their next contact.\nCalibration {result['digest']}",
        )


@calibration_app.command("list")
def list_calibrations(
    *,
    ended: Annotated[bool, typer.Option("--all", help="Also those that ended.")] = False,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """List the thresholds in force by site.

    Example: [bold]yixin node faces calibration list --all[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"all": ended}
        result = run_job(node_directory(directory), "calibrations", arguments, out, writes=False)
        if as_json:
            out.json(result)
            return
        shown = [row | {"digest": row["digest"][:12]} for row in result["rows"]]
        out.rows("Calibrations", shown)


@calibration_app.command("end")
def end_calibration(
    *,
    digest: Annotated[str, typer.Argument(help="First digits of its digest, at least 8.")],
    reason: Reason,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """End a calibration: at its site nothing is judged until another one is imported.

    Example: [bold]yixin node faces calibration end 3f9a1c0b77de --reason 换摄像头[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {
            "digest": digest,
            "reason": reason,
            "operator": login_name(operator),
        }
        result = run_job(node_directory(directory), "calibration_end", arguments, out)
        out.done(result, f"Ended {result['ended']} calibrations.")
