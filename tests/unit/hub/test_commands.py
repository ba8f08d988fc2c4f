"""Where a command runs: in the daemon, here, or in a daemon that is about to listen."""

from __future__ import annotations

import asyncio
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from hub.api.errors import describe
from hub.commands import run_job
from hub.config import CONTROL_SOCKET, LOCK_FILE
from security.errors import LockHeldError
from security.local_channel import ControlServer
from security.operator import CommandOutput, writer_lock

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

THEFT = {"member": "yixin://330302/node/n1", "reason": "theft"}


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    return directory


def test_a_writing_command_does_not_wait_long_for_another_writer(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("security.operator.running.sleep", pauses.append)
    out = CommandOutput(as_json=True)
    with writer_lock(hub, LOCK_FILE):
        with pytest.raises(LockHeldError):
            run_job(hub, "revoke", THEFT, out)
        assert 0 < sum(pauses) < 10
        assert run_job(hub, "members", {}, out, writes=False) == {"rows": []}


def test_a_command_waits_for_a_daemon_that_is_starting(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)

    server = ControlServer(
        hub / CONTROL_SOCKET, {"revoke": lambda got, _: {"got": got}}, describe=describe
    )
    monkeypatch.setattr("security.operator.running.sleep", lambda _: run(server.start()))
    with writer_lock(hub, LOCK_FILE):
        try:
            found = run_job(hub, "revoke", THEFT, CommandOutput(as_json=True))
        finally:
            run(server.stop())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    assert found == {"got": THEFT}
