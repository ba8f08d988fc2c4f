"""kill -9 in the middle of a run of rules: the next run leaves what an undisturbed one leaves.

Hits keep their ids, none is there twice, none that stands is lost or marked as gone by a run that
did not come to its end, and a run that was cut off is told from one that ended.
"""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from node.store import NodeStore
from node.store.hits import HitFilter
from tests.support.killed_rules import limited
from tests.support.node_messages import open_store
from tests.support.rule_facts import RuleFacts
from tests.support.rule_runs import put_facts, run

ROOT: Final = Path(__file__).resolve().parents[2]
LINES: Final = 1_500
THRESHOLDS: Final = (5_000, 1)
"""Of the first run, and of the one that is killed: it finds more, and changes nothing found."""
State = dict[tuple[str, str], tuple[int, str, bool]]


def _facts() -> RuleFacts:
    made = RuleFacts.of({"visits": {f"V{number}": {"person": "P1"} for number in range(60)}})
    for number in range(LINES):
        amount = f"{number % 97 + 1}.00"
        made.line(visit=f"V{number % 60}", item=f"X{number}", amount=amount, doctor="D1")
    return made


def _state(store: NodeStore) -> State:
    """Every hit by rule and id: amount, moment, whether it is gone."""
    found: State = {}
    for gone in (False, True):
        for one in store.supervision.hits(HitFilter(gone=gone), limit=4 * LINES):
            key = (one.rule, one.id.hex())
            assert key not in found or found[key][2] == (one.gone_run is not None)
            found[key] = (one.amount_fen, one.at, one.gone_run is not None)
    return found


def _child(directory: Path, parts: int = 0) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.support.killed_rules"]
    command = [*program, str(directory), str(THRESHOLDS[1]), str(parts)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603 - our own program
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


class Copies:
    """A store that was run once, and what it holds before and after an undisturbed second run."""

    def __init__(self, work: Path) -> None:
        self.base, self.killed = work / "base", work / "killed"
        with open_store(self.base) as store:
            put_facts(store, _facts())
            run(store, limited(THRESHOLDS[0]))
            self.before = _state(store)
        # The secret under which hits are named goes with the copies.
        shutil.copytree(self.base, work / "undisturbed")
        shutil.copytree(self.base, self.killed)
        with open_store(work / "undisturbed") as store:
            run(store, limited(THRESHOLDS[1]))
            self.after = _state(store)
        assert self.before.items() < self.after.items()

    def held(self) -> State:
        """What the killed store holds; all of it is of an undisturbed run."""
        with open_store(self.killed) as store:
            held = _state(store)
        assert self.before.items() <= held.items() <= self.after.items()
        return held

    def ended(self) -> bool:
        """Whether the newest run came to its end."""
        with open_store(self.killed) as store:
            (newest,) = store.supervision.runs(1)
        return newest.ended_at is not None

    def end(self) -> None:
        """Let a run come to its end: nothing is lost, nothing is there twice."""
        process = _child(self.killed)
        process.communicate()
        assert process.returncode == 0
        assert self.held() == self.after
        assert self.ended()


def test_a_run_that_dies_between_two_parts_is_done_again_by_the_next(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    sizes = []
    for parts in (1, 30):
        process = _child(copies.killed, parts)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        sizes.append(len(copies.held()))
        assert not copies.ended()
    assert len(copies.before) <= sizes[0] < sizes[1] < len(copies.after)
    copies.end()


@pytest.mark.faults
def test_twenty_kills_at_any_moment_lose_and_double_nothing(tmp_path: Path) -> None:
    copies = Copies(tmp_path)
    chosen = random.Random(3)  # noqa: S311 - moments, no secrets
    cut_off = 0
    for _ in range(20):
        process = _child(copies.killed)
        time.sleep(chosen.uniform(0.0, 1.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        cut_off += not copies.ended()
        if len(copies.held()) == len(copies.after):
            shutil.rmtree(copies.killed)
            shutil.copytree(copies.base, copies.killed)
    assert cut_off
    copies.end()
