"""P6: 3101 and 3102 over HTTP, all eleven warnings, against an empty FastAPI route.

Ours: ``yixin node serve`` with a live state of so many insured persons. Reference: a bare FastAPI
route that gives back the same bytes. The same connections send the same bodies to both, in turn;
each connection sends its next call when it has its answer. Cost of a call grows with its orders
and with the logarithm of the persons; the memory of the daemon does not grow with them.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson
import uvloop

from deploy.benchmarks import echo_route
from deploy.benchmarks.measuring import Bound, Row
from deploy.benchmarks.precheck_world import (
    HOSPITAL,
    PHARMACY,
    World,
    calls,
    fill_state,
    put_knowledge,
    wall_clock,
)
from deploy.demo.processes import Crew, environment
from deploy.errors import BenchmarkError
from node.api.his import UNIFORM_PATH
from node.app import opened

GROWTH: Final = "orders, log persons; memory constant"
_CONNECTIONS: Final = 16
_READY_S: Final = 120.0
_LATE_SHARE: Final = 100
"""One call of so many may miss its budget: the machine is shared."""
_SETTINGS: Final = """\
[interface]
enabled = true
port = 0

[supervision]
nightly = ""
"""
_SMALL: Final = 100
"""The smaller state has so many times fewer persons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """What one run came to."""

    per_second: float
    p99_ms: float
    warned: int
    not_judged: int


def measure_prechecks(work: Path, *, persons: int, count: int, repeats: int) -> tuple[Row, ...]:
    """Measure judging against the echo.

    Args:
        work: Empty directory for the nodes' state.
        persons: Insured persons of the state.
        count: Calls of one run.
        repeats: Runs of each side.

    Returns:
        Rows of throughput, of the slowest hundredth, and of the daemon's memory.

    Raises:
        BenchmarkError: Too many calls were not judged, or none was warned.
        DemoError: The node did not start.
    """
    for name in ("small", "large"):
        (work / name).mkdir()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        small = runner.run(_run(work / "small", max(1_000, persons // _SMALL), count, 1))
        large = runner.run(_run(work / "large", persons, count, repeats))
    ours, echo = large.ours, large.echo
    return (
        _row(
            "P6 3101/3102 vs FastAPI echo, calls",
            "calls/s",
            statistics.median(one.per_second for one in ours),
            statistics.median(one.per_second for one in echo),
            (Bound.AT_LEAST, 0.35),
        ),
        _row(
            "P6 3101/3102 vs FastAPI echo, p99",
            "ms",
            statistics.median(one.p99_ms for one in ours),
            statistics.median(one.p99_ms for one in echo),
            (Bound.AT_MOST, 4.0),
        ),
        _row(
            f"P6 memory of the daemon vs {_SMALL} times fewer persons",
            "MiB",
            large.memory_mib,
            small.memory_mib,
            (Bound.AT_MOST, 1.5),
        ),
    )


@dataclass(slots=True, kw_only=True)
class _Measured:
    ours: list[_Load]
    echo: list[_Load]
    memory_mib: float = 0.0


def _row(name: str, unit: str, ours: float, reference: float, target: tuple[Bound, float]) -> Row:
    return Row(
        name=name,
        unit=unit,
        ours=ours,
        reference=reference,
        ratio=ours / reference,
        bound=target[0],
        target=target[1],
        growth=GROWTH,
    )


async def _run(work: Path, persons: int, count: int, repeats: int) -> _Measured:
    home = work / "node"
    world = World(persons=persons, now=wall_clock(datetime.now(tz=UTC)))
    crew = Crew(work / "logs")
    echo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", echo_route.__name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    try:
        institutions = ("--institution", HOSPITAL, "--institution", PHARMACY)
        await crew.run("node", "init", "--dir", str(home), *institutions)
        with opened(home) as jobs:
            put_knowledge(jobs.store, world)
        fill_state(home, world)
        (home / "node.toml").write_text(_SETTINGS, encoding="utf-8")
        node = await crew.server("node", "node", "serve", "--dir", str(home))
        if echo.stdout is None:
            raise BenchmarkError("the echo's standard output is not there")
        echo_url = f"http://127.0.0.1:{int(await echo.stdout.readline())}"
        await _until_ready(node.url, world)
        measured = _Measured(ours=[], echo=[])
        for run in range(1, repeats + 1):
            bodies = calls(world, count, run)
            measured.ours.append(await _send(node.url, UNIFORM_PATH, bodies))
            measured.echo.append(await _send(echo_url, echo_route.PATH, bodies))
        late = sum(one.not_judged for one in measured.ours)
        if late * _LATE_SHARE > count * repeats:
            raise BenchmarkError(f"{late} of {count * repeats} calls were not judged in time")
        if not all(one.warned for one in measured.ours):
            raise BenchmarkError("no call was warned: the rules are not at work")
        measured.memory_mib = _memory_mib(node.pid)
        return measured
    finally:
        if echo.stdin is not None:
            echo.stdin.close()
        await echo.wait()
        await crew.stop()


async def _until_ready(url: str, world: World) -> None:
    """Wait until the rules are loaded and the state is taken for current."""
    until = time.monotonic() + _READY_S
    number = 0
    while time.monotonic() < until:
        number += 1
        if not (await _send(url, UNIFORM_PATH, calls(world, 20, 1_000 + number))).not_judged:
            return
        await asyncio.sleep(0.5)
    raise BenchmarkError(f"the node judges nothing after {_READY_S:.0f} s")


async def _send(url: str, path: str, bodies: Sequence[bytes]) -> _Load:
    """Send bodies over some connections, each the next when the last is answered."""
    target = urlsplit(url)
    waits: list[float] = []
    answers: list[bytes] = []

    async def connection(mine: Sequence[bytes]) -> None:
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        for body in mine:
            head = (
                f"POST {path} HTTP/1.1\r\nhost: {target.netloc}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            begun = time.perf_counter()
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            start = answer.index(b"content-length:") + len(b"content-length:")
            content = await reader.readexactly(int(answer[start : answer.index(b"\r", start)]))
            waits.append(time.perf_counter() - begun)
            answers.append(content)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(
        *(connection(bodies[first::_CONNECTIONS]) for first in range(_CONNECTIONS))
    )
    passed = time.perf_counter() - begun
    found = [orjson.loads(answer) for answer in answers]
    waits.sort()
    return _Load(
        per_second=len(bodies) / passed,
        p99_ms=1_000 * waits[int(len(waits) * 0.99)],
        warned=sum(bool(one.get("output", {}).get("result")) for one in found),
        not_judged=sum(bool(one.get("err_msg")) for one in found),
    )


def _memory_mib(pid: int) -> float:
    """Memory that a process holds of its own, MiB; pages of mapped files are the system's."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024
