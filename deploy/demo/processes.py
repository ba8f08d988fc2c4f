"""Runs ``yixin`` commands as processes of their own, and leaves none behind.

Every process leads a session of its own, so that Ctrl-C reaches only the demonstration, which
then ends what it started, by the id it was given, and nothing else.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from deploy.errors import DemoError

_ROOT: Final = Path(__file__).resolve().parents[2]
_TERM_S: Final = 10.0
"""Time a process has to end by itself before it is killed."""
_READY_S: Final = 30.0
_POLL_S: Final = 0.02
_SHOWN_LINES: Final = 15
_ADDRESS: Final = re.compile(r" at (https?://[^\s,]+)")


def command_line(*arguments: str) -> list[str]:
    """Give the command line of a ``yixin`` command in this very environment.

    Args:
        arguments: Arguments after ``yixin``.

    Returns:
        Interpreter, module and arguments.
    """
    return [sys.executable, "-m", "deploy.cli", *arguments]


def several_line(*commands: Sequence[str]) -> list[str]:
    """Give the command line that runs several commands one after the other in one process.

    Args:
        commands: Arguments after ``yixin``, by command.

    Returns:
        Interpreter, module and arguments.
    """
    return [sys.executable, "-m", "deploy.demo.several", *(json.dumps(one) for one in commands)]


def environment() -> dict[str, str]:
    """Give the environment of the processes: ours, without a node or hub of the operator.

    Returns:
        Variables by name.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"YIXIN_NODE_DIR", "YIXIN_HUB_DIR"}
    }
    path = os.pathsep.join(filter(None, (str(_ROOT), kept.get("PYTHONPATH", ""))))
    return {**kept, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "200"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A daemon that serves HTTP."""

    pid: int
    url: str
    """Where it says that it serves."""


class Crew:
    """The processes of one demonstration; an asynchronous context manager."""

    def __init__(self, logs: Path) -> None:
        """Prepare an empty crew.

        Args:
            logs: Directory for what the daemons say; made when it is missing.
        """
        self._logs = logs
        self._alive: dict[int, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> Self:
        """Start with nobody."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End every process that is still there, whatever happened."""
        await asyncio.shield(self.stop())

    @property
    def pids(self) -> tuple[int, ...]:
        """Ids of the processes that have not ended."""
        return tuple(pid for pid, one in self._alive.items() if one.returncode is None)

    async def run(self, *arguments: str, accepted: Sequence[int] = (0,)) -> str:
        """Run one command to its end.

        Args:
            arguments: Arguments after ``yixin``.
            accepted: Exit codes that are no failure.

        Returns:
            What it wrote to standard output.

        Raises:
            DemoError: It ended with another exit code.
        """
        return await self._ended(command_line(*arguments), " ".join(arguments), accepted)

    async def ask_several(self, *commands: Sequence[str]) -> list[dict[str, Any]]:
        """Run several commands with ``--json`` one after the other, in one process.

        Args:
            commands: Arguments after ``yixin``, without ``--json``, by command.

        Returns:
            The object each printed.

        Raises:
            DemoError: One failed, or printed something else.
        """
        asked = [[*one, "--json"] for one in commands]
        name = " && yixin ".join(map(" ".join, asked))
        out = await self._ended(several_line(*asked), name, (0,))
        return [
            _object(one, " ".join(command))
            for one, command in zip(json.loads(out), asked, strict=True)
        ]

    async def _ended(self, line: Sequence[str], name: str, accepted: Sequence[int]) -> str:
        """Run a process to its end and give what it wrote."""
        process = await asyncio.create_subprocess_exec(
            *line,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        self._alive[process.pid] = process
        out, said = await process.communicate()
        del self._alive[process.pid]
        if process.returncode not in accepted:
            raise DemoError(
                f"`yixin {name}` ended with {process.returncode}, expected"
                f" {' or '.join(map(str, accepted))}; it said:\n{_tail(said + out)}"
            )
        return out.decode()

    async def ask(self, *arguments: str, accepted: Sequence[int] = (0,)) -> dict[str, Any]:
        """Run one command with ``--json``.

        Args:
            arguments: Arguments after ``yixin``, without ``--json``.
            accepted: Exit codes that are no failure.

        Returns:
            The object it printed.

        Raises:
            DemoError: It failed, or printed something else.
        """
        out = await self.run(*arguments, "--json", accepted=accepted)
        return _object(out, " ".join((*arguments, "--json")))

    async def daemon(self, name: str, *arguments: str, ready: Path) -> int:
        """Start a daemon and wait until it serves.

        Args:
            name: Name of its log.
            arguments: Arguments after ``yixin``.
            ready: File or socket that appears when it serves.

        Returns:
            Process id.

        Raises:
            DemoError: It ended, or did not serve in time.
        """
        log = self._logs / f"{name}.log"
        self._logs.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *command_line(*arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment(),
                start_new_session=True,
            )
        self._alive[process.pid] = process
        waited = 0.0
        while not _serves(ready):
            if process.returncode is not None or waited > _READY_S:
                raise DemoError(
                    f"{name} does not serve after {waited:.0f} s (exit code"
                    f" {process.returncode}); its log {log} ends:\n{_tail(log.read_bytes())}"
                )
            await asyncio.sleep(_POLL_S)
            waited += _POLL_S
        return process.pid

    async def server(self, name: str, *arguments: str, ready: Path | None = None) -> Server:
        """Start a daemon that says at which address it serves HTTP.

        Args:
            name: Name of its log, which must be new.
            arguments: Arguments after ``yixin``.
            ready: File or socket that appears when it serves; else its log.

        Returns:
            The daemon.

        Raises:
            DemoError: It ended, or did not serve in time.
        """
        log = self._logs / f"{name}.log"
        pid = await self.daemon(name, *arguments, ready=ready or log)
        waited = 0.0
        while (found := _ADDRESS.search(log.read_text(encoding="utf-8"))) is None:
            if pid not in self.pids or waited > _READY_S:
                raise DemoError(
                    f"{name} does not serve after {waited:.0f} s; its log {log} ends:\n"
                    f"{_tail(log.read_bytes())}"
                )
            await asyncio.sleep(_POLL_S)
            waited += _POLL_S
        return Server(pid=pid, url=found.group(1))

    async def end(self, pid: int) -> None:
        """Ask a process of this crew to end, and wait for it.

        Args:
            pid: Process id that ``daemon`` or ``server`` returned.

        Raises:
            DemoError: It does not end by itself in time.
        """
        process = self._alive[pid]
        _signal(process, signal.SIGTERM)
        try:
            async with asyncio.timeout(_TERM_S):
                await process.wait()
        except TimeoutError as error:
            raise DemoError(f"process {pid} does not end after {_TERM_S:.0f} s") from error
        del self._alive[pid]

    async def kill(self, pid: int) -> None:
        """Kill a process of this crew at once, as a power failure would.

        Args:
            pid: Process id that ``daemon`` returned.
        """
        process = self._alive.pop(pid)
        _signal(process, signal.SIGKILL)
        await process.wait()

    async def stop(self) -> None:
        """Ask every process to end, wait, then kill what did not."""
        for process in self._alive.values():
            _signal(process, signal.SIGTERM)
        waits = [asyncio.ensure_future(process.wait()) for process in self._alive.values()]
        if waits:
            await asyncio.wait(waits, timeout=_TERM_S)
        for process in self._alive.values():
            _signal(process, signal.SIGKILL)
        if waits:
            await asyncio.wait(waits)
        self._alive.clear()

    def kill_now(self) -> None:
        """Kill whatever is left at once: the last resort of an interrupted end."""
        for process in self._alive.values():
            _signal(process, signal.SIGKILL)


def _object(out: str, name: str) -> dict[str, Any]:
    """Read the JSON object that a command printed."""
    try:
        answer = json.loads(out)
    except ValueError as error:
        raise DemoError(f"`yixin {name}` printed no JSON object: {out[:200]!r}") from error
    if not isinstance(answer, dict):
        raise DemoError(f"`yixin {name}` printed {type(answer).__name__}")
    return answer


def _serves(ready: Path) -> bool:
    """Tell whether a daemon has put up its sign."""
    return ready.exists()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal a process and its group, where it has not ended yet: its id is still its own."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def _tail(said: bytes) -> str:
    """Give the last lines of what a process said."""
    return "\n".join(said.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:])


def number(answer: Mapping[str, Any], key: str) -> int:
    """Read a count from a command's answer.

    Args:
        answer: The object a command printed.
        key: Name of the count.

    Returns:
        The count.

    Raises:
        DemoError: It is not there or no whole number.
    """
    value = answer.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise DemoError(f"expected a whole number {key!r} in a command's answer, found {value!r}")
    return value
