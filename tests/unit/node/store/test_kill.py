"""kill -9 at any moment loses nothing acknowledged and doubles nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import node_messages as m

ROOT = Path(__file__).resolve().parents[4]
MESSAGES = 24
LINES = 2


def _run(directory: Path, path: Path, acknowledged: Path, statement: int) -> int:
    command = [sys.executable, "-m", "tests.support.killed_ingest"]
    arguments = [str(directory), str(path), str(acknowledged), str(statement)]
    return subprocess.run(command + arguments, cwd=ROOT, check=False).returncode  # noqa: S603 - our own program


def _check(directory: Path, path: Path, acknowledged: Path) -> None:
    """Open the store as after a restart and compare it with what was acknowledged."""
    with m.open_store(directory) as store:
        counts = store.counts()
        ids = [row["record_id"] for row in m.rows_of(store, "fee_detail")]
        files = {file.stem for file in (directory / "records").iterdir()}
    told = [int(line) for line in acknowledged.read_text().split()] if acknowledged.exists() else []
    sizes = [len(line) + 1 for line in path.read_bytes().splitlines()]
    sure = next(n for n in range(MESSAGES + 1) if sum(sizes[:n]) >= max(told, default=0))
    assert counts.messages >= sure
    assert len(ids) == len(set(ids)) == counts.messages * LINES
    assert len(files) == counts.segments


def _ingest_under_kills(tmp_path: Path, statements: list[int]) -> int:
    directory, acknowledged = tmp_path / "node", tmp_path / "acknowledged"
    documents = [m.fees(number, lines=LINES) for number in range(1, MESSAGES + 1)]
    path = m.write_lines(tmp_path / "a.jsonl", documents)
    kills = 0
    for statement in statements:
        code = _run(directory, path, acknowledged, statement)
        kills += code == -signal.SIGKILL
        _check(directory, path, acknowledged)
    assert _run(directory, path, acknowledged, 10**9) == 0
    with m.open_store(directory) as store:
        assert store.counts().messages == MESSAGES
        assert store.ledger_size() == MESSAGES * LINES
        assert store.quarantine_count() == 0
    _check(directory, path, acknowledged)
    return kills


def test_a_few_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    assert _ingest_under_kills(tmp_path, [9, 23, 31, 44]) == 4


@pytest.mark.faults
@pytest.mark.parametrize("first", range(1, 11))
def test_kills_at_every_statement_lose_nothing_and_double_nothing(
    tmp_path: Path, first: int
) -> None:
    kills = 0
    for statement in range(first, 101, 10):
        fresh = tmp_path / str(statement)
        fresh.mkdir()
        kills += _ingest_under_kills(fresh, [statement])
    assert kills >= 8
