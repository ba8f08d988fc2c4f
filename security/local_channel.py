"""Local channel: commands of the operator to the daemon on the same machine.

Rules:
    1. The socket lies in a directory of mode 0700 and has mode 0600: who can connect is its
       owner. The client asks the kernel who listens before it says anything.
    2. Writing jobs run in one thread, one at a time; jobs that only read have their own thread.
    3. A client that goes away does not stop its job. A daemon that stops lets the running job
       end, at the latest at its next batch border, where its reporter raises.
    4. Of progress only the newest is kept: a slow client costs no memory.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
import orjson

from protos.yixin.v1 import control_pb2, control_pb2_grpc
from security.errors import (
    DaemonAbsentError,
    JobAbortedError,
    JobFailedError,
    LocalChannelError,
)
from security.local_socket import prepare_socket, probe_socket
from security.progress import ProgressReporter, no_progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from pathlib import Path

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024

__all__ = ["ControlServer", "DaemonAbsentError", "JobFailedError", "call_daemon"]

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
_LOG: Final = logging.getLogger(__name__)

# JSON objects; what they hold is the business of the jobs on both ends.
JsonObject = dict[str, Any]
Job = Callable[[JsonObject, ProgressReporter], JsonObject | Awaitable[JsonObject]]
Describe = Callable[[Exception], tuple[str, str, int]]


class ControlServer:
    """Runs jobs for the command line, and for the daemon's own clock.

    Args:
        path: Where the socket is made; its directory becomes mode 0700.
        jobs: Jobs by name. A plain function runs in the writer thread, a coroutine function on
            the event loop.
        describe: Gives code, message and exit code of an error.
        readers: Names of plain jobs that change nothing and need not wait for writers.
    """

    def __init__(
        self,
        path: Path,
        jobs: Mapping[str, Job],
        *,
        describe: Describe,
        readers: Collection[str] = (),
    ) -> None:
        self._path = path
        self._jobs = dict(jobs)
        self._describe = describe
        self._readers = frozenset(readers)
        self._threads = {
            False: ThreadPoolExecutor(1, thread_name_prefix="writer"),
            True: ThreadPoolExecutor(1, thread_name_prefix="reader"),
        }
        self._running: set[asyncio.Task[JsonObject]] = set()
        self._stopping = False
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            LocalChannelError: The directory belongs to somebody else, the path is too long, or
                another daemon listens already.
        """
        prepare_socket(self._path)
        server = grpc.aio.server(options=_OPTIONS)
        control_pb2_grpc.add_ControlServicer_to_server(_Servicer(self), server)
        # The directory keeps others out between bind and chmod.
        server.add_insecure_port(f"unix:{self._path.resolve()}")
        await server.start()
        self._path.chmod(0o600)
        self._server = server

    async def stop(self) -> None:
        """Take no more jobs, let the running ones end, and remove the socket."""
        self._stopping = True
        if self._running:
            await asyncio.wait(self._running)
        if self._server is not None:
            await self._server.stop(grace=1.0)
        for threads in self._threads.values():
            threads.shutdown(wait=True, cancel_futures=True)
        self._path.unlink(missing_ok=True)

    async def run(
        self, command: str, arguments: JsonObject, on_progress: ProgressReporter = no_progress
    ) -> JsonObject:
        """Run a job to its end, whatever becomes of the caller.

        Args:
            command: Name of the job.
            arguments: Its arguments.
            on_progress: Called on the thread of the job.

        Returns:
            Its result.

        Raises:
            LocalChannelError: No such job, or the daemon is stopping.
            Exception: Whatever the job raises.
        """
        task = self.launch(command, arguments, on_progress)
        return await asyncio.shield(task)

    def launch(
        self, command: str, arguments: JsonObject, on_progress: ProgressReporter
    ) -> asyncio.Task[JsonObject]:
        """Start a job as a task of its own.

        Raises:
            LocalChannelError: No such job, or the daemon is stopping.
        """
        job = self._jobs.get(command)
        if job is None:
            raise LocalChannelError(
                f"the daemon has no job {command[:80]!r}; it knows: "
                f"{', '.join(sorted(self._jobs))}. "
                "Command line and daemon are of different releases: restart the daemon"
            )
        if self._stopping:
            raise LocalChannelError("the daemon is stopping and takes no more jobs")
        task = asyncio.create_task(self._run(command, job, arguments, on_progress))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def failure(self, error: Exception) -> control_pb2.CommandEvent:
        """How a job failed, in the service's words."""
        code, message, exit_code = self._describe(error)
        return control_pb2.CommandEvent(
            failure=control_pb2.Failure(code=code, message=message, exit_code=exit_code)
        )

    def outcome(self, task: asyncio.Task[JsonObject]) -> control_pb2.CommandEvent:
        """Result or failure of a job that ended."""
        try:
            result = orjson.dumps(task.result(), option=orjson.OPT_NON_STR_KEYS)  # enums are keys
            return control_pb2.CommandEvent(result_json=result.decode())
        except Exception as error:  # noqa: BLE001  # whatever a job raises is told to its client
            return self.failure(error)

    async def _run(
        self, command: str, job: Job, arguments: JsonObject, on_progress: ProgressReporter
    ) -> JsonObject:
        def report(stage: str, done: int, total: int = 0, unit: str = "") -> None:
            if self._stopping:
                raise JobAbortedError(
                    f"the daemon stopped during {command!r} ({stage}: {done} {unit}); what was "
                    "committed stays, run the command again to go on"
                )
            on_progress(stage, done, total, unit)

        if inspect.iscoroutinefunction(job):
            result = await job(arguments, report)
        else:
            threads = self._threads[command in self._readers]
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(threads, job, arguments, report)
        if not isinstance(result, dict):
            raise TypeError(f"job {command!r} returned {type(result).__name__}, not an object")
        return result

    def _ended(self, task: asyncio.Task[JsonObject]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The client, if one is left, gets the error too.
            _LOG.info("a job failed: %s", type(error).__name__)


class _Latest:
    """The newest progress of a job, handed from its thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._fresh = asyncio.Event()
        self._progress: control_pb2.Progress | None = None

    def __call__(self, stage: str, done: int, total: int = 0, unit: str = "") -> None:
        progress = control_pb2.Progress(stage=stage, done=done, total=total, unit=unit)
        self._loop.call_soon_threadsafe(self._set, progress)

    def _set(self, progress: control_pb2.Progress) -> None:
        self._progress = progress
        self._fresh.set()

    def take(self) -> control_pb2.Progress | None:
        """The newest progress, once."""
        progress, self._progress = self._progress, None
        self._fresh.clear()
        return progress

    async def wait(self) -> None:
        """Wait for news."""
        await self._fresh.wait()


class _Servicer(control_pb2_grpc.ControlServicer):
    """Decodes commands, runs them, encodes what comes of them."""

    def __init__(self, server: ControlServer) -> None:
        self._server = server

    async def Run(  # noqa: N802  # named by the service definition
        self, request: control_pb2.CommandRequest, context: object
    ) -> AsyncIterator[control_pb2.CommandEvent]:
        """Run one job and stream its progress and its end."""
        del context
        latest = _Latest(asyncio.get_running_loop())
        try:
            task = self._server.launch(request.command, _arguments(request), latest)
        except LocalChannelError as error:
            yield self._server.failure(error)
            return
        while not task.done():
            news = asyncio.create_task(latest.wait())
            try:
                await asyncio.wait({task, news}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
            progress = latest.take()
            if progress is not None:
                yield control_pb2.CommandEvent(progress=progress)
        yield self._server.outcome(task)


def call_daemon(
    path: Path,
    command: str,
    arguments: JsonObject,
    on_progress: ProgressReporter = no_progress,
) -> JsonObject:
    """Let the daemon run a job, and wait for its end.

    Args:
        path: The daemon's socket.
        command: Name of the job.
        arguments: Its arguments, a JSON object.
        on_progress: Takes the progress of the job.

    Returns:
        The job's result.

    Raises:
        DaemonAbsentError: No daemon listens; the caller may do the work itself.
        LocalChannelError: Somebody else listens, or the daemon died during the job.
        JobFailedError: The job failed, with the code and exit code of the service's table.
    """
    probe_socket(path)
    request = control_pb2.CommandRequest(
        command=command, arguments_json=orjson.dumps(arguments).decode()
    )
    with grpc.insecure_channel(f"unix:{path.resolve()}", options=_OPTIONS) as channel:
        call = control_pb2_grpc.ControlStub(channel).Run(request)
        try:
            for event in call:
                kind = event.WhichOneof("event")
                if kind == "progress":
                    news = event.progress
                    on_progress(news.stage, news.done, news.total, news.unit)
                elif kind == "failure":
                    failed = event.failure
                    raise JobFailedError(failed.code, failed.message, failed.exit_code)
                elif kind == "result_json":
                    return _object(event.result_json)
        except grpc.RpcError as error:
            raise LocalChannelError(
                f"the daemon behind {path} broke off during {command!r}; what it committed "
                "stays. Look at its log, start it again and repeat the command"
            ) from error
    raise LocalChannelError(f"the daemon behind {path} ended {command!r} without a result")


def _arguments(request: control_pb2.CommandRequest) -> JsonObject:
    return _object(request.arguments_json or "{}")


def _object(text: str) -> JsonObject:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LocalChannelError("the local channel carried something that is not JSON") from error
    if not isinstance(value, dict):
        raise LocalChannelError("the local channel carried JSON that is not an object")
    return value
