"""The log of a hub under power cuts, kill -9 and damaged bytes.

A published log is never lost and never another one; whatever a cut leaves behind is completed by
publishing again; whatever was damaged keeps the hub from starting.
"""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import hub.log.hub_log
from hub.log.hub_log import HubLog
from hub.log.sequencer import publish
from hub.log.starting import check_state
from hub.store import log as leaf_log
from security.errors import LogCorruptError
from security.tlog.reader import TileReader
from security.tlog.store import DirectoryTiles
from tests.support.hub_city import City, open_city
from tests.support.hub_logs import append, size
from tests.support.power_loss import RecordingFiles

ROOT = Path(__file__).resolve().parents[2]
KILLS = 4
STRIDE = 41
"""Every so many bytes of a file of more than 600 are damaged in turn."""


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "hub") as opened:
        yield opened


def test_every_power_cut_leaves_a_published_log_and_publishing_completes_it(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "tiles"
    root.mkdir()
    sqlite3.connect(root / "node.db").close()
    files = RecordingFiles(root)
    monkeypatch.setattr(hub.log.hub_log, "open_tiles", lambda place: DirectoryTiles(place, files))
    log = replace(city.parts.log, place=str(root / "log"))
    published = []
    for count in (3, 1, 260, 5):
        append(log, count)
        published.append(publish(log).checkpoint.size)
        files.committed()
    monkeypatch.undo()

    distinct = {tuple(sorted(crash.files.items())): crash for crash in files.crashes}
    assert len(distinct) > 100
    for number, crash in enumerate(distinct.values()):
        place = tmp_path / "cut" / str(number)
        crash.build(place)
        after = replace(log, place=str(place / "log"))
        found = after.find_published(1)
        promised = published[crash.acknowledged - 1] if crash.acknowledged else 0
        assert (found.checkpoint.size if found else 0) >= promised, crash.after
        check_state(after)
        made = publish(after)
        assert made.checkpoint.size == published[-1], crash.after
        TileReader(after.tiles(1), made.checkpoint).verify_all()


@pytest.mark.faults
def test_a_killed_hub_goes_on_with_the_very_log_it_published(tmp_path: Path) -> None:
    directory = tmp_path / "hub"
    with open_city(directory):
        pass
    draw = random.Random(11)  # noqa: S311 - moments, no secrets
    seen = 0
    for _ in range(KILLS):
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "tests.support.killed_log", str(directory)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _line in range(draw.randrange(1, 12)):
            seen = int(child.stdout.readline())
        child.kill()
        child.communicate()
        with open_city(directory) as city:
            log = city.parts.log
            check_state(log)
            found = log.find_published(1)
            assert found is not None
            assert found.checkpoint.size >= seen
            made = publish(log)
            assert made.checkpoint.size == size(log)
            TileReader(log.tiles(1), made.checkpoint).verify_all()


@pytest.mark.faults
def test_every_damaged_byte_of_the_published_log_keeps_the_hub_from_starting(
    city: City,
) -> None:
    log = city.parts.log
    append(log, 270)
    publish(log)
    check_state(log)
    paths = [path for path in Path(log.place).rglob("*") if path.is_file()]
    assert len(paths) == 6
    for path in paths:
        whole = path.read_bytes()
        for at in range(0, len(whole), 1 if len(whole) < 600 else STRIDE):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
            with pytest.raises(LogCorruptError):
                check_state(log)
        path.write_bytes(whole)
    check_state(log)


@pytest.mark.parametrize(
    ("table", "column"),
    [("log_leaf", "leaf"), ("log_leaf", "hash"), ("log_state", "frontier")],
)
def test_every_damaged_byte_of_the_database_keeps_the_hub_from_starting(
    city: City, table: str, column: str
) -> None:
    log = city.parts.log
    append(log, 6)
    publish(log)
    key = "log_index" if table == "log_leaf" else "id"
    for row, whole in _values(log, f"SELECT {key}, {column} FROM {table}"):  # noqa: S608
        for at in range(0, len(whole), 1 if len(whole) < 100 else 3):
            damaged = whole[:at] + bytes([whole[at] ^ 0x01]) + whole[at + 1 :]
            change = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"  # noqa: S608
            _execute(log, change, (damaged, row))
            with pytest.raises(LogCorruptError):
                check_state(log)
            _execute(log, change, (whole, row))
    check_state(log)


def test_a_size_that_was_changed_keeps_the_hub_from_starting(city: City) -> None:
    log = city.parts.log
    append(log, 6)
    publish(log)
    with log.engine.begin() as connection:
        shorter = leaf_log.extend_frontier(connection, bytes(8), 0, 5)
        leaf_log.save_state(connection, {"size": 5, "frontier": shorter.to_bytes()})
    with pytest.raises(LogCorruptError, match="last leaf"):
        check_state(log)


def _values(log: HubLog, query: str) -> list[tuple[int, bytes]]:
    with log.engine.begin() as connection:
        return [(int(row[0]), bytes(row[1])) for row in connection.exec_driver_sql(query)]


def _execute(log: HubLog, statement: str, values: tuple[bytes, int]) -> None:
    with log.engine.begin() as connection:
        connection.exec_driver_sql(statement, values)
