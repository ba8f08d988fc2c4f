"""Where a node's command runs: here, or in a daemon that is about to listen."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from node.api.errors import describe
from node.app import init_node
from node.commands import run_job
from node.config import CONTROL_SOCKET, LOCK_FILE
from node.rule_running import RunWish, run_node_rules
from node.supervision.budget import Budget
from security.errors import LockHeldError
from security.local_channel import ControlServer
from security.operator import CommandOutput, writer_lock
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

CODE = "H33030200001"
FILES: dict[str, Any] = {"files": [], "mapping": None, "periods": []}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return init_node(tmp_path_factory.mktemp("commands") / "node", [CODE])


@contextmanager
def starting_daemon(home: Path, jobs: dict[str, Any]) -> Iterator[Callable[[float], None]]:
    """Holds the lock; listens as soon as somebody sleeps."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)

    server = ControlServer(home / CONTROL_SOCKET, jobs, describe=describe)
    with writer_lock(home, LOCK_FILE):
        try:
            yield lambda _: run(server.start())
        finally:
            run(server.stop())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def test_a_command_waits_for_a_daemon_that_is_starting(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with starting_daemon(home, {"ingest": lambda got, _: {"got": got}}) as start:
        monkeypatch.setattr("security.operator.running.sleep", start)
        found = run_job(home, "ingest", FILES, CommandOutput(as_json=True))
    assert found == {"got": FILES}


def test_a_run_of_rules_waits_for_it_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def told(name: str, answer: dict[str, Any]) -> Callable[..., dict[str, Any]]:
        def job(_got: dict[str, Any], _progress: object) -> dict[str, Any]:
            asked.append(name)
            return answer

        return job

    jobs = {
        "rules_begin": told("begin", {"run": 7}),
        "rules_keep": told("keep", {}),
        "rules_sweep": told("sweep", {"gone": 0}),
        "rules_note": told("note", {}),
        "rules_end": told("end", {}),
    }
    wish = RunWish(rules=("M20",), budget=Budget())
    with starting_daemon(home, jobs) as start:
        monkeypatch.setattr("security.operator.running.sleep", start)
        assert run_node_rules(home, wish, no_progress)["run"] == 7
    assert (asked[0], asked[-1]) == ("begin", "end")


def test_a_writing_command_does_not_wait_long_for_another_writer(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("security.operator.running.sleep", pauses.append)
    out = CommandOutput(as_json=True)
    with writer_lock(home, LOCK_FILE):
        with pytest.raises(LockHeldError):
            run_job(home, "ingest", FILES, out)
        assert 0 < sum(pauses) < 10
        assert run_job(home, "completeness", {}, out, writes=False)
