"""The operator log: a row for whatever is written, fixed by a leaf, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from hub.errors import ConfigurationError, HubStoreError, LogReadOnlyError
from hub.operators import OperatorEntry, note, verify_log
from hub.store import log, operator_log
from hub.store import operator_tables as tables
from hub.store.engine import reading, writing
from hub.store.tables import log_leaf
from security.errors import LogCorruptError
from security.operator.log_chain import NO_ENTRY, entry_hash
from tests.support.department_files import write_register
from tests.support.hub_city import OWN_LEAVES
from tests.support.operators import Desk, Person

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.hub_city import City
    from tests.unit.hub.operators.conftest import Office

PERIOD = {"period": "2026H1"}


def rows(city: City) -> list[operator_log.StoredRow]:
    with reading(city.parts.engine) as connection:
        return list(operator_log.rows(connection))


def said(city: City) -> list[tuple[str, str, str, str, str]]:
    return [
        (one.row.operator, one.row.role, one.row.job, one.row.outcome, one.row.subject)
        for one in rows(city)
    ]


def entry(city: City, job: str = "grade") -> OperatorEntry:
    return OperatorEntry(hub=city.parts.identity.hub, at_ms=city.clock.ms, job=job)


def unguarded(connection: Connection) -> None:
    """What somebody does who has the database file."""
    for name in ("kept", "fixed", "next"):
        connection.execute(text(f"drop trigger operator_log_{name}"))


def test_a_writing_job_leaves_its_beginning_and_its_end(office: Office, tmp_path: Path) -> None:
    city = office.desk.city
    before = len(rows(city))
    office.desk.ask(office.zhao, "import", path=str(write_register(tmp_path)))
    office.desk.ask(office.zhao, "grade", **PERIOD, incomplete=True)
    office.desk.ask(office.zhao, "grades", **PERIOD)

    assert said(city)[before:] == [
        ("zhao", "operator", "import", "begun", ""),
        ("zhao", "operator", "import", "done", ""),
        ("zhao", "operator", "grade", "begun", "2026H1"),
        ("zhao", "operator", "grade", "done", "2026H1"),
    ]


def test_a_job_that_fails_leaves_its_code(office: Office) -> None:
    with pytest.raises(ConfigurationError):
        office.desk.ask(office.li, "revoke", member="yixin://330302/node/none", reason="x")

    assert said(office.desk.city)[-1] == (
        "li",
        "officer",
        "revoke",
        "failed: configuration",
        "yixin://330302/node/none",
    )


async def test_jobs_on_the_event_loop_are_noted_as_well(city: City) -> None:
    table = Desk(city).table
    with pytest.raises(Exception, match="token"):
        await table["join"]({"token": "none"}, lambda *_: None)  # type: ignore[misc]  # a coroutine function

    assert [one[2:4] for one in said(city)] == [("join", "begun"), ("join", "failed: token")]


def test_both_people_are_in_the_log(office: Office, tmp_path: Path) -> None:
    city = office.desk.city
    with pytest.raises(Exception, match="waits for a second person") as caught:
        office.desk.ask(office.li, "audit-export", out=str(tmp_path / "b"))
    waiting = str(caught.value).split("approval ")[1][:16]
    office.desk.ask(office.wang, "approve", id=waiting)

    assert said(city)[-4:] == [
        ("li", "officer", "audit-export", "asked", waiting),
        ("wang", "reviewer", "approve", "approved for li", waiting),
        ("wang", "reviewer", "audit-export", "begun", ""),
        ("wang", "reviewer", "audit-export", "done", ""),
    ]


def test_a_single_operator_is_logged_by_the_login_name(city: City) -> None:
    Desk(city).register(Person.named("li"), "officer")

    logged = said(city)
    assert [one[1:] for one in logged] == [
        ("single", "operator-add", "begun", "li"),
        ("single", "operator-add", "done", "li"),
    ]
    assert all(one[0] for one in logged)


def test_no_row_holds_what_the_arguments_say(office: Office, tmp_path: Path) -> None:
    """Paths, keys and reasons may name persons: a row has their digest only."""
    secret = "张三的申诉材料"  # noqa: S105 - a reason that names a person
    with pytest.raises(ConfigurationError):
        office.desk.ask(office.li, "revoke", member="yixin://330302/node/none", reason=secret)
    with pytest.raises(Exception, match="waits"):
        office.desk.ask(office.li, "audit-export", out=str(tmp_path / secret))

    content = (office.desk.city.parts.directory / "hub.db").read_bytes()
    content += (office.desk.city.parts.directory / "hub.db-wal").read_bytes()
    assert secret.encode() not in content


def test_every_row_is_fixed_by_a_leaf_and_verifies(office: Office) -> None:
    city = office.desk.city
    with reading(city.parts.engine) as connection:
        found = verify_log(connection, city.parts.identity.anchor)

    stored = rows(city)
    assert (found.size, found.leaves, found.head) == (len(stored), len(stored), stored[-1].hash)
    shown = office.desk.ask(office.sun, "operations", limit=2, verify=True)
    assert (shown["size"], shown["leaves"], shown["head"]) == (
        len(stored),
        len(stored),
        stored[-1].hash.hex(),
    )
    assert [one["number"] for one in shown["rows"]] == [len(stored), len(stored) - 1]


@pytest.mark.parametrize(
    "statement",
    [
        update(tables.operator_log).values(operator="nobody"),
        update(tables.operator_log).where(tables.operator_log.c.number == 1).values(log_index=9),
        delete(tables.operator_log),
        delete(tables.operator_log).where(tables.operator_log.c.number == 8),
        text("insert or replace into operator_log select * from operator_log where number = 1"),
        text(
            "insert or replace into operator_log(number, at_ms, operator, role, job, outcome,"
            " subject, arguments_digest, nonce, previous, hash) select 1, at_ms, 'nobody', role,"
            " job, outcome, subject, arguments_digest, nonce, previous, hash from operator_log"
            " where number = 1"
        ),
        text(
            "insert or replace into operator_log(number, at_ms, operator, role, job, outcome,"
            " subject, arguments_digest, nonce, previous, hash) select (select max(number) + 1"
            " from operator_log), at_ms, operator, role, job, outcome, subject, arguments_digest,"
            " nonce, previous, hash from operator_log where number = 1"
        ),
        text(
            "insert into operator_log(number, at_ms, operator, role, job, outcome, subject,"
            " arguments_digest, nonce, previous, hash) select 99, at_ms, operator, role, job,"
            " outcome, subject, arguments_digest, nonce, previous, x'00' from operator_log"
            " where number = 1"
        ),
    ],
)
def test_an_operator_row_cannot_be_changed_or_removed(office: Office, statement: Any) -> None:  # noqa: ANN401
    city = office.desk.city
    before = rows(city)
    with pytest.raises(HubStoreError), writing(city.parts.engine) as connection:
        connection.execute(statement)

    assert rows(city) == before


@pytest.mark.parametrize("broken", ["changed", "removed", "tail", "anew", "moved"])
def test_who_has_the_database_file_is_found_out(office: Office, broken: str) -> None:
    """Without the triggers, chain and leaves still tell."""
    city, log_of = office.desk.city, tables.operator_log
    last = rows(city)[-1]
    with writing(city.parts.engine) as connection:
        unguarded(connection)
        if broken == "changed":
            connection.execute(update(log_of).where(log_of.c.number == 2).values(operator="x"))
        elif broken == "removed":
            connection.execute(delete(log_of).where(log_of.c.number == 2))
        elif broken == "tail":
            connection.execute(delete(log_of).where(log_of.c.number == last.number))
        elif broken == "moved":
            connection.execute(
                update(log_of).where(log_of.c.number == last.number).values(log_index=None)
            )
        else:
            _write_anew(connection)

    with reading(city.parts.engine) as connection, pytest.raises(LogCorruptError):
        verify_log(connection, city.parts.identity.anchor)


def _write_anew(connection: Connection) -> None:
    """Give the whole chain to somebody else, with hashes that fit each other."""
    kept = list(operator_log.rows(connection))
    connection.execute(delete(tables.operator_log))
    previous = NO_ENTRY
    for one in kept:
        parts = (one.row.parts()[0], b"nobody", *one.row.parts()[2:])
        hashed = entry_hash(previous, one.number, parts)
        connection.execute(
            insert(tables.operator_log).values(
                number=one.number,
                at_ms=one.row.at_ms,
                operator="nobody",
                role=one.row.role,
                job=one.row.job,
                outcome=one.row.outcome,
                subject=one.row.subject,
                arguments_digest=one.row.arguments_digest,
                nonce=one.row.nonce,
                previous=previous,
                hash=hashed,
                log_index=one.log_index,
            )
        )
        previous = hashed


def test_row_and_leaf_are_stored_together_or_not_at_all(city: City) -> None:
    class _CutError(Exception):
        pass

    def cut() -> None:
        with writing(city.parts.engine) as connection:
            note(connection, entry(city))
            raise _CutError

    with pytest.raises(_CutError):
        cut()

    with reading(city.parts.engine) as connection:
        assert log.size(connection) == OWN_LEAVES
        assert operator_log.head(connection) == (0, NO_ENTRY)


def test_while_the_log_is_read_only_the_next_leaf_fixes_the_row(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise LogReadOnlyError("no witness was reached")

    with monkeypatch.context() as frozen, writing(city.parts.engine) as connection:
        frozen.setattr(log, "append_leaves", refuse)
        note(connection, entry(city))
    with writing(city.parts.engine) as connection:
        note(connection, entry(city))

    assert [one.log_index for one in rows(city)] == [None, OWN_LEAVES]
    with reading(city.parts.engine) as connection:
        found = verify_log(connection, city.parts.identity.anchor)
        newest = select(log_leaf.c.leaf).order_by(log_leaf.c.log_index.desc()).limit(1)
        leaf = connection.execute(newest).scalar_one()
    assert (found.size, found.leaves) == (2, 1)
    assert rows(city)[1].hash in leaf
