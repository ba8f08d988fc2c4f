"""kill -9 at random moments of a long ingest: every restart finds a state of an undisturbed run.

Batches are transactions and a file is cut into the same batches whenever it is read, so a store
that was killed must hold exactly what an undisturbed one holds after the same number of messages,
digest for digest; and when the file came to its end, what the undisturbed one holds at its end.
"""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

import node.intake.ingest
from deploy.simulation.simulate import Order, simulate
from node.domain.institutions import Institution
from node.intake import ingest_file
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault
from tests.support.ingest_process import KEY, LATER

ROOT: Final = Path(__file__).resolve().parents[2]
CATALOG: Final = load_catalog()


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


def _messages(work: Path, *, claims: int, most: int) -> tuple[Path, tuple[str, ...]]:
    """Messages of a simulated city in one file, and the institutions they come from."""
    simulate(Order(institutions=12, claims=claims, seed=7), work / "city", _quiet)
    path, codes, count = work / "all.jsonl", set(), 0
    with path.open("wb") as out:
        for file in sorted((work / "city").glob("messages/*/*.jsonl")):
            with file.open("rb") as lines:
                for line in lines:
                    if count < most:
                        out.write(line)
                        count += 1
            codes.add(file.parent.name)
    with (work / "city" / "institutions.csv").open(encoding="utf-8") as register:
        listed = tuple(line.split(",")[0] for line in register.readlines()[1:])
    assert count == most
    return path, listed


def _open(directory: Path) -> NodeStore:
    return NodeStore(directory, Vault(KEY), catalog=CATALOG)


def _undisturbed(directory: Path, path: Path, codes: tuple[str, ...]) -> dict[int, str]:
    """Digest of the store by the number of messages it holds, batch by batch."""
    found: dict[int, str] = {}
    with _open(directory) as store:
        store.set_institutions([Institution(code=code) for code in codes])
        found[0] = store.digest()

        def told(stage: str, done: int, total: int = 0, unit: str = "") -> None:
            del stage, done, total, unit
            found[store.counts().messages] = store.digest()

        report = ingest_file(store, CATALOG, path, now=LATER, progress=told)
        assert report.quarantined == 0
        found[store.counts().messages] = store.digest()
    return found


def _command(directory: Path, path: Path, lines: int) -> list[str]:
    program = [sys.executable, "-m", "tests.support.ingest_process"]
    return [*program, str(directory), str(path), str(lines)]


def _kill_again_and_again(
    work: Path, *, kills: int, claims: int, messages: int, lines: int, seed: int
) -> None:
    """Kill, open, compare with the undisturbed run; then let the file come to its end."""
    path, codes = _messages(work, claims=claims, most=messages)
    states = _undisturbed(work / "undisturbed", path, codes)
    directory = work / "killed"
    with _open(directory) as store:
        store.set_institutions([Institution(code=code) for code in codes])
    chosen = random.Random(seed)  # noqa: S311  # Moments, no secrets.
    killed = 0
    seen: set[int] = set()
    while killed < kills or len(seen) < 2:
        command = [
            sys.executable,
            "-m",
            "tests.support.ingest_process",
            str(directory),
            str(path),
            str(lines),
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603 - our own program
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(chosen.uniform(0.0, 0.8))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        was_running = process.returncode == -signal.SIGKILL
        killed += was_running
        with _open(directory) as store:
            held = store.counts().messages
            assert store.digest() == states[held], f"after {killed} kills"
        seen.add(held)
        if not was_running:
            # It came to its end: begin anew, the kills that are left fall on a fresh store.
            assert held == max(states)
            directory = work / f"killed-{killed}"
            with _open(directory) as store:
                store.set_institutions([Institution(code=code) for code in codes])
    command = [
        sys.executable,
        "-m",
        "tests.support.ingest_process",
        str(directory),
        str(path),
        str(lines),
    ]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own program
    with _open(directory) as store:
        assert store.counts().messages == max(states)
        assert store.digest() == states[max(states)]
        names = {file.name for file in (directory / "records").iterdir()}
        assert len(names) == store.counts().segments


def test_a_few_kills_leave_states_of_an_undisturbed_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.intake.ingest, "BATCH_LINES", 200)
    _kill_again_and_again(tmp_path, kills=2, claims=600, messages=1_400, lines=200, seed=1)


@pytest.mark.faults
def test_two_hundred_kills_of_a_hundred_thousand_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.intake.ingest, "BATCH_LINES", 2_000)
    _kill_again_and_again(tmp_path, kills=200, claims=32_000, messages=100_000, lines=2_000, seed=2)
