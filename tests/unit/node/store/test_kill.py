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
        leaves = store.ledger_size()
    told = [int(line) for line in acknowledged.read_text().split()] if acknowledged.exists() else []
    sizes = [len(line) + 1 for line in path.read_bytes().splitlines()]
    sure = next(n for n in range(MESSAGES + 1) if sum(sizes[:n]) >= max(told, default=0))
    assert counts.messages >= sure
    visits = {(number - number % 3 // 2) for number in range(counts.messages)}
    assert len(ids) == len(set(ids)) == len(visits) * LINES
    assert len(files) == counts.segments
    assert len(ids) <= leaves <= counts.messages * LINES


def _documents() -> list[m.Document]:
    """Fee details of one visit after another; every third message sends a visit's lines anew."""
    documents = [m.fees(number, lines=LINES) for number in range(1, MESSAGES + 1)]
    for number, document in enumerate(documents):
        for detail in document["request"]["input"]["feedetail"]:
            detail["mdtrt_id"] = f"V{number - number % 3 // 2}"
            detail["bilg_dept_codg"] = f"A{number:02d}"
    return documents


def _undisturbed(path: Path, directory: Path) -> str:
    with m.open_store(directory) as store:
        m.ingest(store, path)
        return store.digest()


def _ingest_under_kills(tmp_path: Path, statements: list[int]) -> int:
    directory, acknowledged = tmp_path / "node", tmp_path / "acknowledged"
    documents = _documents()
    path = m.write_lines(tmp_path / "a.jsonl", documents)
    kills = 0
    for statement in statements:
        code = _run(directory, path, acknowledged, statement)
        kills += code == -signal.SIGKILL
        _check(directory, path, acknowledged)
    assert _run(directory, path, acknowledged, 10**9) == 0
    with m.open_store(directory) as store:
        assert store.counts().messages == MESSAGES
        assert store.quarantine_count() == 0
        assert store.digest() == _undisturbed(path, tmp_path / "undisturbed")
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
