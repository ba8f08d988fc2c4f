from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, inspect, text

from hub.errors import ConfigurationError, HubStoreError
from hub.store import database, members, refusals, tables
from hub.store.database import open_database
from hub.store.engine import open_engine, reading, writing
from hub.store.metadata import metadata
from security.exchange import tables as exchange_tables
from security.members import parse_member_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

NODE = "yixin://330302/node/H33030200001"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    yield made
    made.dispose()


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    with reading(engine) as connection:
        context = MigrationContext.configure(connection)
        wanted = [metadata, exchange_tables.metadata]
        assert compare_metadata(context, wanted) == []  # type: ignore[arg-type]  # a list is fine


def test_every_step_of_the_schema_can_be_undone(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_every_commit_is_durable_and_readers_see_one_snapshot(engine: Engine) -> None:
    with reading(engine) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert members.list_members(connection) == ()
        with writing(engine) as other:
            members.invite(other, parse_member_id(NODE))
        assert members.list_members(connection) == ()
    with reading(engine) as connection:
        assert len(members.list_members(connection)) == 1


def test_an_older_program_refuses_a_newer_database(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigurationError, match="9999"):
        open_database(str(engine.url))


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "postgresql+psycopg://h/d"])
def test_an_unusable_url_is_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"hub\.toml"):
        open_engine(url)


def test_a_failing_database_is_told_without_its_parameters(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(HubStoreError) as failed, writing(engine) as connection:
        connection.execute(insert(tables.token).values(secret_digest=b"secret", member=NODE))
    assert "secret" not in str(failed.value)

    (tmp_path / "other.db").mkdir()
    with pytest.raises(HubStoreError):
        open_database(f"sqlite:///{tmp_path / 'other.db'}")


def test_a_database_that_cannot_be_made_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing/hub\.db cannot be made: No such file"):
        open_database(f"sqlite:///{tmp_path / 'missing' / 'hub.db'}")


def test_the_files_of_a_database_are_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
        with writing(made) as connection:
            members.invite(connection, parse_member_id(NODE))
            names = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        made.dispose()
    finally:
        os.umask(before)
    assert names == {"hub.db": 0o600, "hub.db-wal": 0o600, "hub.db-shm": 0o600}


def test_a_database_in_memory_has_no_file() -> None:
    open_engine("sqlite://").dispose()
    open_engine("sqlite:///:memory:").dispose()


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    def invite_and_fail() -> None:
        with writing(engine) as connection:
            members.invite(connection, parse_member_id(NODE))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        invite_and_fail()

    with reading(engine) as connection:
        assert members.list_members(connection) == ()


def test_refusals_are_bounded_per_peer_and_forks_stay(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KEPT_PER_PEER", 3)
    for number in range(6):
        attempt = refusals.RefusedAttempt(
            at_ms=number,
            peer=NODE,
            method="Submit",
            code="x",
            cause="y" * 1_000,
            evidence=b"fork" if number == 0 else None,
        )
        with writing(engine) as connection:
            refusals.add_refusal(connection, attempt)

    with reading(engine) as connection:
        kept = refusals.recent(connection)
        assert refusals.count(connection) == 4
    assert [one.at_ms for one in kept] == [5, 4, 3, 0]
    assert len(kept[0].cause) == 400


def test_refusals_of_strangers_are_bounded_together(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "KEPT_PER_PEER", 3)
    peers = [NODE, *(f"ipv4:192.0.2.{port % 7}:{port}" for port in range(40_000, 40_010))]
    for number, peer in enumerate(peers):
        attempt = refusals.RefusedAttempt(
            at_ms=number, peer=peer, method="Join", code="x", cause="y"
        )
        with writing(engine) as connection:
            refusals.add_refusal(connection, attempt)

    with reading(engine) as connection:
        assert [one.at_ms for one in refusals.recent(connection)] == [10, 9, 8, 0]


def test_a_member_cannot_fill_the_disk_with_forks(engine: Engine) -> None:
    for number in range(2 * refusals.KEPT_FORKS):
        attempt = refusals.RefusedAttempt(
            at_ms=number,
            peer=NODE,
            method="Submit",
            code="ChainForkError",
            cause="y",
            # The first one comes twice: a copied node tries again.
            envelope_hash=max(0, number - 1).to_bytes(32),
            evidence=b"an envelope of up to 1 MiB",
        )
        with writing(engine) as connection:
            refusals.add_refusal(connection, attempt)

    with reading(engine) as connection:
        kept = [one.at_ms for one in refusals.recent(connection) if one.evidence]
        assert refusals.count(connection) == 2 * refusals.KEPT_FORKS
    assert kept == [*range(refusals.KEPT_FORKS, 1, -1), 0]


def test_counters_only_grow(engine: Engine) -> None:
    with writing(engine) as connection:
        assert members.current_number(connection, "x") == 0
        assert [members.next_number(connection, "x") for _ in range(3)] == [1, 2, 3]
        assert members.current_number(connection, "x") == 3


def test_an_unknown_member_cannot_be_revoked(engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match="hub members"), writing(engine) as connection:
        members.revoke(connection, NODE, "", 0)
