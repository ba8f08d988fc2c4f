"""The channel between command line and daemon, over a real socket."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from protos.yixin.v1 import control_pb2, control_pb2_grpc
from security import local_socket
from security.errors import (
    DaemonAbsentError,
    JobAbortedError,
    JobFailedError,
    LocalChannelError,
)
from security.local_channel import ControlServer, call_daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from security.progress import ProgressReporter

JsonObject = dict[str, Any]


class Rule(StrEnum):
    """Names by which a job counts."""

    NUMBER_NEGATIVE = "number_negative"


class JobError(Exception):
    """A job's own error."""


def describe(error: Exception) -> tuple[str, str, int]:
    if isinstance(error, JobError):
        return ("job.broken", str(error), 7)
    return (type(error).__name__, str(error), 9)


class Jobs:
    """Jobs whose course the test decides."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.started = threading.Event()
        self.border = threading.Event()
        self.done: list[str] = []
        self.threads: set[str] = set()

    def add(self, arguments: JsonObject, progress: ProgressReporter) -> JsonObject:
        self.threads.add(threading.current_thread().name)
        progress("adding", 1, 2, "numbers")
        return {"sum": sum(arguments["numbers"])}

    def count(self, arguments: JsonObject, progress: ProgressReporter) -> JsonObject:
        del arguments, progress
        return {"by_rule": {Rule.NUMBER_NEGATIVE: 1}}

    def fail(self, arguments: JsonObject, progress: ProgressReporter) -> JsonObject:
        del progress
        raise JobError(f"found {arguments}")

    async def ask(self, arguments: JsonObject, progress: ProgressReporter) -> JsonObject:
        progress("asking", 0)
        await asyncio.sleep(0)
        return {"asked": arguments}

    def batches(self, arguments: JsonObject, progress: ProgressReporter) -> JsonObject:
        """Two batches with a border between them."""
        del arguments
        self.done.append("first")
        progress("batches", 1, 2, "batches")
        self.started.set()
        assert self.go_on.wait(10)
        try:
            progress("batches", 2, 2, "batches")
        except JobAbortedError:
            self.border.set()
            raise
        self.done.append("second")
        self.border.set()
        return {"batches": 2}

    def status(self, arguments: JsonObject, progress: ProgressReporter) -> JsonObject:
        del arguments, progress
        self.threads.add(threading.current_thread().name)
        return {"state": "serving"}

    def wrong(self, arguments: JsonObject, progress: ProgressReporter) -> Any:  # noqa: ANN401
        del arguments, progress
        return "not an object"


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "daemon" / "control.sock"


@pytest.fixture
async def server(path: Path, jobs: Jobs) -> AsyncIterator[ControlServer]:
    table = {
        name: getattr(jobs, name) for name in ("add", "fail", "ask", "batches", "status", "wrong")
    }
    control = ControlServer(path, table, describe=describe, readers={"status"})
    await control.start()
    yield control
    jobs.go_on.set()
    await control.stop()


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def call(path: Path, command: str, arguments: JsonObject, **options: Any) -> JsonObject:  # noqa: ANN401
    return await asyncio.to_thread(call_daemon, path, command, arguments, **options)


async def test_a_job_runs_and_its_progress_streams(server: ControlServer, path: Path) -> None:
    seen: list[tuple[object, ...]] = []
    result = await call(
        path, "add", {"numbers": [1, 2, 3]}, on_progress=lambda *news: seen.append(news)
    )
    assert result == {"sum": 6}
    assert seen in ([], [("adding", 1, 2, "numbers")])
    assert await call(path, "ask", {"a": 1}) == {"asked": {"a": 1}}
    assert await server.run("add", {"numbers": [4]}) == {"sum": 4}


@pytest.mark.usefixtures("server")
async def test_progress_of_a_long_job_arrives_before_its_end(path: Path, jobs: Jobs) -> None:
    seen: list[tuple[object, ...]] = []

    def follow(*news: object) -> None:
        seen.append(news)
        jobs.go_on.set()

    assert await call(path, "batches", {}, on_progress=follow) == {"batches": 2}
    assert seen[0] == ("batches", 1, 2, "batches")


async def test_a_result_may_be_counted_by_members_of_an_enumeration(path: Path) -> None:
    control = ControlServer(path, {"count": Jobs().count}, describe=describe)
    await control.start()
    try:
        counted = await asyncio.to_thread(call_daemon, path, "count", {})
    finally:
        await control.stop()
    assert counted == {"by_rule": {"number_negative": 1}}


async def test_a_failed_job_carries_code_wording_and_exit_code(
    server: ControlServer, path: Path
) -> None:
    with pytest.raises(JobFailedError, match="found") as caught:
        await call(path, "fail", {"x": 1})
    assert (caught.value.code, caught.value.exit_code) == ("job.broken", 7)
    with pytest.raises(JobError):
        await server.run("fail", {})
    with pytest.raises(JobFailedError, match="not an object"):
        await call(path, "wrong", {})


@pytest.mark.usefixtures("server")
async def test_an_unknown_job_says_which_are_known(path: Path) -> None:
    with pytest.raises(JobFailedError, match="it knows: add, ask, batches"):
        await call(path, "nonsense", {})


async def test_readers_do_not_wait_for_the_writer(
    server: ControlServer, path: Path, jobs: Jobs
) -> None:
    running = asyncio.create_task(server.run("batches", {}))
    await asyncio.to_thread(jobs.started.wait, 10)
    assert await call(path, "status", {}) == {"state": "serving"}
    waiting = asyncio.create_task(server.run("add", {"numbers": []}))
    await asyncio.sleep(0)
    assert not waiting.done()
    jobs.go_on.set()
    assert await running == {"batches": 2}
    await waiting
    assert {name.split("_")[0] for name in jobs.threads} == {"reader", "writer"}


@pytest.mark.usefixtures("server")
async def test_a_client_that_goes_away_does_not_stop_its_job(path: Path, jobs: Jobs) -> None:
    channel = grpc.insecure_channel(f"unix:{path}")
    request = control_pb2.CommandRequest(command="batches")
    stream = control_pb2_grpc.ControlStub(channel).Run(request)
    await asyncio.to_thread(jobs.started.wait, 10)
    channel.close()
    del stream
    assert await call(path, "status", {}) == {"state": "serving"}
    jobs.go_on.set()
    await asyncio.to_thread(jobs.border.wait, 10)
    assert jobs.done == ["first", "second"]


async def test_a_stopping_daemon_ends_its_job_at_a_batch_border(path: Path, jobs: Jobs) -> None:
    control = ControlServer(path, {"batches": jobs.batches}, describe=describe)
    await control.start()
    caller = asyncio.create_task(call(path, "batches", {}))
    await asyncio.to_thread(jobs.started.wait, 10)
    stopping = asyncio.create_task(control.stop())
    await asyncio.sleep(0)
    with pytest.raises(LocalChannelError, match="takes no more jobs"):
        await control.run("batches", {})
    jobs.go_on.set()
    await stopping
    with pytest.raises(JobFailedError, match="run the command again to go on") as caught:
        await caller
    assert caught.value.code == "JobAbortedError"
    assert jobs.done == ["first"]
    assert not os.access(path, os.F_OK)


@pytest.mark.usefixtures("server")
async def test_arguments_that_are_no_object_are_refused(path: Path) -> None:
    def send(text: str) -> control_pb2.CommandEvent:
        with grpc.insecure_channel(f"unix:{path}") as channel:
            request = control_pb2.CommandRequest(command="add", arguments_json=text)
            return next(iter(control_pb2_grpc.ControlStub(channel).Run(request)))

    for text in ("[1]", "{broken"):
        event = await asyncio.to_thread(send, text)
        assert event.failure.code == "LocalChannelError"


def test_without_a_daemon_the_caller_does_the_work_itself(tmp_path: Path) -> None:
    with pytest.raises(DaemonAbsentError, match="no daemon listens"):
        call_daemon(tmp_path / "control.sock", "add", {})
    stale = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(stale))
    with pytest.raises(DaemonAbsentError):
        call_daemon(stale, "add", {})


def test_a_socket_that_cannot_be_looked_at_is_no_absent_daemon(tmp_path: Path) -> None:
    with pytest.raises(LocalChannelError, match="cannot be reached"):
        call_daemon(tmp_path / ("x" * 300), "add", {})


async def test_a_daemon_that_never_started_stops(path: Path) -> None:
    await ControlServer(path, {}, describe=describe).stop()
    assert not os.access(path, os.F_OK)


def test_a_file_in_place_of_the_socket_is_not_talked_to(tmp_path: Path) -> None:
    file = tmp_path / "control.sock"
    file.write_text("not a socket")
    with pytest.raises(LocalChannelError, match="is not a socket"):
        call_daemon(file, "add", {})


@pytest.mark.usefixtures("server")
async def test_the_socket_is_for_its_owner_only(path: Path) -> None:
    assert [mode_of(path), mode_of(path.parent)] == [0o600, 0o700]


@pytest.mark.usefixtures("server")
async def test_a_second_daemon_does_not_start(path: Path) -> None:
    with pytest.raises(LocalChannelError, match="another daemon listens"):
        await ControlServer(path, {}, describe=describe).start()


async def test_the_socket_of_a_daemon_that_died_is_replaced(path: Path, jobs: Jobs) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    control = ControlServer(path, {"status": jobs.status}, describe=describe)
    await control.start()
    assert await call(path, "status", {}) == {"state": "serving"}
    await control.stop()


async def test_a_path_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 100) / "control.sock"
    with pytest.raises(LocalChannelError, match="use a shorter directory"):
        await ControlServer(path, {}, describe=describe).start()


@pytest.mark.usefixtures("server")
async def test_a_foreign_directory_or_listener_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    monkeypatch.setattr(local_socket, "_peer_uid", lambda _probe: 1717)
    with pytest.raises(LocalChannelError, match="user 1717 listens"):
        call_daemon(path, "add", {})
    with pytest.raises(LocalChannelError, match="belongs to user"):
        await ControlServer(path, {}, describe=describe).start()


async def test_a_daemon_that_dies_during_a_job_is_reported(path: Path) -> None:
    path.parent.mkdir(mode=0o700)

    class Dying(control_pb2_grpc.ControlServicer):
        async def Run(  # noqa: N802  # named by the service definition
            self,
            request: control_pb2.CommandRequest,
            context: grpc.aio.ServicerContext[Any, Any],
        ) -> AsyncIterator[control_pb2.CommandEvent]:
            yield control_pb2.CommandEvent()
            if request.command == "end":
                return
            if request.command == "garbage":
                yield control_pb2.CommandEvent(result_json="{")
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    server = grpc.aio.server()
    control_pb2_grpc.add_ControlServicer_to_server(Dying(), server)
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        with pytest.raises(LocalChannelError, match="start it again and repeat"):
            await call(path, "die", {})
        with pytest.raises(LocalChannelError, match="without a result"):
            await call(path, "end", {})
        with pytest.raises(LocalChannelError, match="is not JSON"):
            await call(path, "garbage", {})
    finally:
        await server.stop(None)
