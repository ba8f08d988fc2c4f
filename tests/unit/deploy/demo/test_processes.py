"""The crew runs commands, tells why one failed, and leaves no process behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.demo import processes
from deploy.demo.processes import Crew, number
from deploy.errors import DemoError

SERVE = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0) if {obeys} else None)
pathlib.Path({ready!r}).touch()
while True:
    signal.pause()
"""


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of the crew are Python programs instead of yixin's."""
    monkeypatch.setattr(processes, "command_line", lambda *words: [sys.executable, "-c", *words])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("python")
async def test_a_command_gives_its_output_and_its_json(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        assert await crew.run("print('hello')") == "hello\n"
        assert await crew.ask("print('{\"a\": 1}')") == {"a": 1}
        assert crew.pids == ()


@pytest.mark.usefixtures("python")
async def test_a_failing_command_is_told_with_what_it_said(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        program = "import sys; sys.stderr.write('no such hub'); sys.exit(4)"
        with pytest.raises(DemoError, match=r"ended with 4, expected 0[\s\S]*no such hub"):
            await crew.run(program)
        assert await crew.run(program, accepted=(0, 4)) == ""


@pytest.mark.usefixtures("python")
@pytest.mark.parametrize(("program", "told"), [("print('no')", "no JSON"), ("print(3)", "int")])
async def test_output_that_is_no_object_is_an_error(
    tmp_path: Path, program: str, told: str
) -> None:
    async with Crew(tmp_path / "logs") as crew:
        with pytest.raises(DemoError, match=told):
            await crew.ask(program)


@pytest.mark.usefixtures("python")
@pytest.mark.parametrize("obeys", [True, False])
async def test_daemons_end_with_the_crew_even_when_they_do_not_obey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, obeys: bool
) -> None:
    monkeypatch.setattr(processes, "_TERM_S", 0.2)
    ready = tmp_path / "ready"
    async with Crew(tmp_path / "logs") as crew:
        program = SERVE.format(ready=str(ready), obeys=obeys)
        pid = await crew.daemon("one", program, ready=ready)
        assert crew.pids == (pid,)
        assert is_alive(pid)
    assert not is_alive(pid)
    assert not crew.pids


@pytest.mark.usefixtures("python")
async def test_a_daemon_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        with pytest.raises(DemoError, match=r"exit code 3[\s\S]*port is taken"):
            await crew.daemon(
                "one",
                "import sys; sys.stderr.write('port is taken'); sys.exit(3)",
                ready=tmp_path / "ready",
            )


@pytest.mark.usefixtures("python")
async def test_an_exception_ends_the_processes_too(tmp_path: Path) -> None:
    pids: list[int] = []
    ready = tmp_path / "ready"

    async def failing() -> None:
        async with Crew(tmp_path / "logs") as crew:
            program = SERVE.format(ready=str(ready), obeys=True)
            pids.append(await crew.daemon("one", program, ready=ready))
            raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await failing()
    assert not is_alive(pids[0])


ANNOUNCE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0) if {obeys} else None)
print("Gateway at http://127.0.0.1:4711, passing calls on", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.usefixtures("python")
async def test_a_server_is_known_by_the_address_it_says_and_ends_alone(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        server = await crew.server("one", ANNOUNCE.format(obeys=True))
        other = await crew.server("two", ANNOUNCE.format(obeys=True))
        assert server.url == "http://127.0.0.1:4711"
        await crew.end(server.pid)
        assert not is_alive(server.pid)
        assert crew.pids == (other.pid,)
    assert not is_alive(other.pid)


@pytest.mark.usefixtures("python")
async def test_a_server_that_says_no_address_is_told_with_its_log(tmp_path: Path) -> None:
    async with Crew(tmp_path / "logs") as crew:
        with pytest.raises(DemoError, match=r"one does not serve[\s\S]*port is taken"):
            await crew.server("one", "import sys; sys.stderr.write('port is taken'); sys.exit(3)")


@pytest.mark.usefixtures("python")
async def test_a_process_that_does_not_end_is_told_and_ends_with_the_crew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_TERM_S", 0.2)
    async with Crew(tmp_path / "logs") as crew:
        server = await crew.server("one", ANNOUNCE.format(obeys=False))
        with pytest.raises(DemoError, match="does not end"):
            await crew.end(server.pid)
        assert is_alive(server.pid)
    assert not is_alive(server.pid)


@pytest.mark.usefixtures("python")
async def test_kill_is_immediate_and_kill_now_takes_what_is_left(tmp_path: Path) -> None:
    crew = Crew(tmp_path / "logs")
    async with crew:
        pids = []
        for name in ("one", "two"):
            program = SERVE.format(ready=str(tmp_path / name), obeys=False)
            pids.append(await crew.daemon(name, program, ready=tmp_path / name))
        await crew.kill(pids[0])
        assert not is_alive(pids[0])
        crew.kill_now()
    assert not is_alive(pids[1])


def test_the_operators_own_node_and_hub_stay_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIXIN_NODE_DIR", "/mine")
    monkeypatch.setenv("YIXIN_HUB_DIR", "/mine")
    assert not {"YIXIN_NODE_DIR", "YIXIN_HUB_DIR"} & processes.environment().keys()
    assert processes.command_line("demo")[-3:] == ["-m", "deploy.cli", "demo"]


@pytest.mark.parametrize("answer", [{}, {"sent": "3"}, {"sent": True}, {"sent": None}])
def test_a_missing_count_is_an_error(answer: dict[str, object]) -> None:
    with pytest.raises(DemoError, match="whole number 'sent'"):
        number(answer, "sent")
    assert number({"sent": 3}, "sent") == 3


def test_signalling_is_by_group_and_only_while_the_leader_lives() -> None:
    async def ended() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "pass", start_new_session=True
        )
        await process.wait()
        processes._signal(process, signal.SIGKILL)  # noqa: SLF001  # Nothing is signalled.

    asyncio.run(ended())
