"""``yixin demo``: show the whole way on this machine."""

import asyncio
import contextlib
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from deploy.demo.face_people import find_faces
from deploy.demo.plan import Plan
from deploy.demo.processes import Crew
from deploy.demo.scenario import Scenario
from deploy.demo.summary import Findings, Summary, show
from deploy.errors import DemoError

app = typer.Typer(help="Show the whole way from a message to a proven grade.")

FAILED: Final = 1
USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C or SIGTERM."""


@app.command(name="demo")
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the tables.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the summary to this file.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Keep everything in this new or empty directory."),
    ] = None,
    institutions: Annotated[
        int, typer.Option(min=20, max=5_000, help="Medical institutions.")
    ] = 62,
    claims: Annotated[int, typer.Option(min=30, help="Claims over both half-years.")] = 6_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated city.")] = 1,
    models: Annotated[
        Path | None,
        typer.Option("--models", envvar="YIXIN_MODELS", help="Directory of face models."),
    ] = None,
    faces: Annotated[
        Path | None,
        typer.Option("--faces", help="People: one folder of pictures each; else the shared ones."),
    ] = None,
) -> None:
    """Run two hubs and three nodes as processes on loopback, from messages to a proven grade.

    Messages come as files, as a table through a mapping, and call by call through a hospital's
    gateway in front of a simulated core platform; one is refused and mended; a node is backed up.
    One node runs the supervision rules over injected cases, the till is warned before the fact,
    and two link desks let the city see what no single node sees.
    With --models, terminals at the county's hospital see who stands at the window and who does
    not lie in the bed; the models are yours, see `yixin device models install --help`.
    The city grades nine classes of subjects; nodes pre-score its institutions and pharmacies.
    Without --once the hubs and nodes go on serving until Ctrl-C, so that you can look around.
    Exit codes: 0 everything is as it must be, 1 it is not or a command failed, 2 wrong usage,
    130 interrupted. No process is left behind.

    Example: [bold]yixin demo --once --json summary.json[/bold]
    """
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        typer.echo(f"{keep} is not an empty directory; name a new one", err=True)
        raise typer.Exit(USAGE_ERROR)
    if claims < 10 * institutions:
        typer.echo(f"expected at least {10 * institutions} claims, ten an institution", err=True)
        raise typer.Exit(USAGE_ERROR)
    # Unix sockets allow about a hundred bytes of path: the temporary directory stays short.
    work = keep.resolve() if keep is not None else Path(tempfile.mkdtemp(prefix="yixin-"))
    console = Console()
    faced = find_faces(models, faces)
    plan = Plan(
        work=work,
        institutions=institutions,
        claims=claims,
        seed=seed,
        faced=None if isinstance(faced, str) else faced,
    )
    crew = Crew(work / "logs")
    try:
        hint = faced if isinstance(faced, str) else ""
        findings = asyncio.run(_run(plan, crew, console, json_file, hint, wait=not once))
    except DemoError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from error
    except (KeyboardInterrupt, asyncio.CancelledError) as error:
        typer.echo("Interrupted; everything that was started has ended.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    finally:
        crew.kill_now()
        if keep is None:
            shutil.rmtree(work, ignore_errors=True)
    if findings.summary.failures:
        raise typer.Exit(FAILED)


async def _run(
    plan: Plan, crew: Crew, console: Console, json_file: Path | None, hint: str, *, wait: bool
) -> Findings:
    """Run the scenario under a progress display, show what came of it, then wait or end.

    Args:
        plan: What is demonstrated.
        crew: Its processes.
        console: Where to show it.
        json_file: File for the summary; None: none.
        hint: What was left out and how to get it; empty: nothing.
        wait: Whether to go on serving.
    """
    task = asyncio.current_task()
    if task is not None:
        # Said for both: a shell starts background jobs with SIGINT ignored.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with crew:
        try:
            with _bars() as bars:
                scenario = Scenario(plan=plan, crew=crew, report=_Reporter(bars).report)
                findings = await scenario.run()
        except* DemoError as group:
            raise _first(group) from group
        if json_file is not None:
            _save(json_file, findings.summary)
        show(findings, console)
        if hint:
            typer.echo(hint)
        if wait:
            console.print(f"Hubs and nodes serve from {plan.work}; Ctrl-C ends them.")
            with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C is how it is meant to end.
                await asyncio.Event().wait()
    return findings


def _save(path: Path, summary: Summary) -> None:
    """Write the summary as JSON."""
    path.write_bytes(orjson.dumps(summary.to_json(), option=orjson.OPT_INDENT_2) + b"\n")


def _first(group: BaseExceptionGroup[DemoError]) -> DemoError:
    """Give the first error of a group."""
    error = group.exceptions[0]
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _bars() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


class _Reporter:
    """Gives every step its bar."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def report(self, step: str, done: int, parts: int) -> None:
        """Move a step's bar."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=parts)
        self._bars.update(self._tasks[step], completed=done)
