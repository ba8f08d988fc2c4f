"""The node's log of operators: only appended to, and chained from the first entry."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database

from node.store.migrations import MIGRATIONS
from node.store.operator_log import LogEntry, OperatorLog
from security.errors import LogCorruptError
from security.operator.log_chain import NO_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = [
    LogEntry(at=f"2026-11-0{day}T00:00:00Z", operator="li", action="reveal", subject=f"q{day}")
    for day in range(1, 6)
]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "node.db", isolation_level=None)) as opened:
        MIGRATIONS.apply(Database(opened))
        yield opened


@pytest.fixture
def log(connection: sqlite3.Connection) -> OperatorLog:
    made = OperatorLog(connection)
    for entry in DAYS:
        made.note(entry)
    return made


def test_entries_are_chained_and_the_head_tells_them_all(
    connection: sqlite3.Connection, log: OperatorLog
) -> None:
    size, head = log.verify()

    assert (size, head) == log.head()
    assert size == len(DAYS)
    assert log.entries(10) == tuple(reversed(DAYS))
    log.note(LogEntry(at="x", operator="li", action="reveal", subject="q"))
    assert log.head() != (size, head)
    assert OperatorLog(connection).verify()[0] == size + 1


def test_an_empty_log_has_no_head(connection: sqlite3.Connection) -> None:
    assert OperatorLog(connection).verify() == (0, NO_ENTRY)


@pytest.mark.parametrize(
    "statement",
    [
        "update operator_log set operator = 'nobody'",
        "update operator_log set hash = x'00' where number = 5",
        "delete from operator_log",
        "delete from operator_log where number = 5",
        "insert or replace into operator_log select * from operator_log where number = 1",
        (
            "replace into operator_log select 6, at, operator, action, subject, detail, previous,"
            " hash from operator_log where number = 1"
        ),
        (
            "insert into operator_log select 99, at, operator, action, subject, detail, previous,"
            " x'00' from operator_log where number = 1"
        ),
    ],
)
def test_an_operator_row_cannot_be_changed_or_removed(
    connection: sqlite3.Connection, log: OperatorLog, statement: str
) -> None:
    head = log.head()
    with pytest.raises(sqlite3.IntegrityError, match="of the operator log are"):
        connection.execute(statement)

    assert log.verify() == head


@pytest.mark.parametrize(
    "statement",
    [
        "update operator_log set operator = 'nobody' where number = 3",
        "update operator_log set detail = 'x' where number = 5",
        "delete from operator_log where number = 3",
        "delete from operator_log where number = 1",
        "update operator_log set previous = hash where number = 4",
    ],
)
def test_who_has_the_database_file_is_found_out(
    connection: sqlite3.Connection, log: OperatorLog, statement: str
) -> None:
    for name in ("kept", "fixed", "next"):
        connection.execute(f"drop trigger operator_log_{name}")
    connection.execute(statement)

    with pytest.raises(LogCorruptError):
        log.verify()


def test_a_tail_that_was_cut_off_shows_in_the_head(
    connection: sqlite3.Connection, log: OperatorLog
) -> None:
    """The chain alone cannot tell; size and last hash, known to the hub, do."""
    before = log.head()
    connection.execute("drop trigger operator_log_kept")
    connection.execute("delete from operator_log where number > 3")

    assert log.verify() != before


def test_a_log_that_was_kept_without_hashes_gets_its_chain(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        database = Database(connection)
        MIGRATIONS.apply(database, stop_before="0008_operator_chain")
        connection.executemany(
            "insert into operator_log(at, operator, action, subject, detail) values(?, ?, ?, ?, ?)",
            [(one.at, one.operator, one.action, one.subject, one.detail) for one in DAYS],
        )
        connection.execute("delete from operator_log where number = 2")
        MIGRATIONS.apply(database)
        log = OperatorLog(connection)

        assert log.verify()[0] == len(DAYS) - 1
        assert log.entries(10) == tuple(reversed([DAYS[0], *DAYS[2:]]))
