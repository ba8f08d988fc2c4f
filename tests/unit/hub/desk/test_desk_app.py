"""The officer's commands of a desk, and what its directory must look like."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.admission_jobs import AdmissionJobs
from hub.cli import app
from hub.desk import config, tables
from hub.desk.config import DeskSettings, load_desk_settings
from hub.desk_app import open_desk, serve_desk
from hub.errors import ConfigurationError, NotInitialisedError
from hub.exchange.revoking import revoke_member
from hub.identity_service import keep_identity
from hub.store.engine import reading, writing
from security.audit.trust import save_anchor
from security.certificates.revocations import MAX_SIGNED_BYTES
from security.errors import LockHeldError
from security.linking import read_card
from security.operator import writer_lock
from security.progress import no_progress
from tests.support.hub_city import CITY, FIRST, NOW, open_city
from tests.support.link_desks import HEALTH

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNER = CliRunner()
NODE, KEY = "yixin://330302/node/H33030200001", "ab" * 32


def call(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    done = RUNNER.invoke(app, ["desk", *arguments, "--json"])
    assert done.exit_code == exit_code, done.output
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    place = tmp_path / "desk"
    call("init", str(place), "--member", HEALTH, "--port", "9443")
    return place


def test_a_desk_is_made_for_its_owner_alone_and_only_once(desk: Path) -> None:
    assert desk.stat().st_mode & 0o777 == 0o700
    for name in (config.VAULT_KEY, config.TLS_KEY, config.SETTINGS_FILE, config.DATABASE_FILE):
        assert (desk / name).stat().st_mode & 0o777 == 0o600, name
    again = call("init", str(desk), "--member", HEALTH, "--port", "9443", exit_code=3)
    assert "is not empty" in again["message"]


def test_its_card_is_what_a_node_reads(desk: Path, tmp_path: Path) -> None:
    said = call("card", str(tmp_path / "health.desk"), "--dir", str(desk))
    card = read_card((tmp_path / "health.desk").read_bytes())
    assert (card.desk, card.address) == (HEALTH, "localhost:9443")
    assert said["fingerprint"] == card.fingerprint
    assert call("status", "--dir", str(desk))["fingerprint"] == card.fingerprint


def test_nodes_come_and_go(desk: Path) -> None:
    where = ("--dir", str(desk))
    call("allow", NODE, "--key", KEY, "--quota", "500", *where)
    call("allow", NODE, "--key", KEY, "--quota", "700", *where)
    (node,) = call("status", *where)["nodes"]
    assert (node["member"], node["quota"], node["ended_at"]) == (NODE, 700, None)
    call("end", NODE, *where)
    (node,) = call("status", *where)["nodes"]
    assert node["ended_at"] is not None
    assert "not on the register" in call("end", NODE, *where, exit_code=3)["message"]
    assert call("log", *where) == {"total": 0, "rows": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["yixin://330300/hub/city", "--key", KEY, "--quota", "1"], "member id of a node"),
        (["Ann", "--key", KEY, "--quota", "1"], "member id of a node"),
        ([NODE, "--key", "abc", "--quota", "1"], "64 hexadecimal digits"),
        ([NODE, "--key", KEY, "--quota", "0"], "expected 1 to"),
    ],
)
def test_what_cannot_be_entered_is_said(desk: Path, arguments: list[str], words: str) -> None:
    said = call("allow", *arguments, "--dir", str(desk), exit_code=3)
    assert words in said["message"]


def test_a_hub_is_trusted_by_its_file_and_not_replaced_by_another(
    desk: Path, tmp_path: Path
) -> None:
    trust = tmp_path / "city.trust"
    with open_city(tmp_path / "hub") as city:
        save_anchor(trust, city.parts.identity.anchor)
        hub = city.parts.identity.hub
    where = ("--dir", str(desk))
    assert call("trust", str(trust), *where) == {"hub": hub}
    assert call("trust", str(trust), *where) == {"hub": hub}
    assert call("status", *where)["trusted"] == [hub]
    with open_city(tmp_path / "impostor") as city:
        save_anchor(trust, city.parts.identity.anchor)
    assert "with other keys" in call("trust", str(trust), *where, exit_code=3)["message"]


def test_a_key_is_destroyed_only_when_it_is_meant(desk: Path) -> None:
    where = ("--dir", str(desk))
    asked = RUNNER.invoke(app, ["desk", "destroy", "2026H1", *where])
    assert asked.exit_code == 2
    assert "never made a key" in call("destroy", "2026H1", "--yes", *where, exit_code=3)["message"]


def test_a_desk_without_a_hub_or_with_another_server_does_not_serve(desk: Path) -> None:
    with pytest.raises(ConfigurationError, match="trusts no hub yet"):
        serve_desk(desk, lambda _text: None)
    with writer_lock(desk, config.LOCK_FILE), pytest.raises(LockHeldError):
        serve_desk(desk, lambda _text: None)


def test_no_directory_is_no_desk(tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError, match="yixin hub desk init"), open_desk(tmp_path):
        pass


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[desk", "not valid TOML"),
        ("[hub]\nmember = 1", "expected one table"),
        ('[desk]\nmember = "x"\nport = 1\nlevel = 2', "expected one table"),
        ("[desk]\nmember = 7\nport = 1", "must be a str"),
        (f'[desk]\nmember = "{HEALTH}"', "lacks member or port"),
        (f'[desk]\nmember = "{HEALTH}"\nport = 0', "expected 1 to 65535"),
        ('[desk]\nmember = "yixin://330302/node/x"\nport = 9', "a hub or a department"),
        (f'[desk]\nmember = "{HEALTH}"\nport = 9\nbind = ""', "a host or an address"),
        ("#" * 20_000, "larger than"),
    ],
)
def test_settings_are_bounded(desk: Path, text: str, words: str) -> None:
    (desk / config.SETTINGS_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words):
        load_desk_settings(desk)


def test_an_address_of_numbers_is_told_in_brackets() -> None:
    settings = DeskSettings(member=HEALTH, port=9, advertised_host="::1")
    assert settings.address == "[::1]:9"


def test_a_desk_of_a_newer_program_is_left_alone(desk: Path) -> None:
    engine = tables.open_desk_database(desk / config.DATABASE_FILE)
    with writing(engine) as connection:
        connection.exec_driver_sql("insert into schema_version values (99)")
    engine.dispose()
    with pytest.raises(ConfigurationError, match="has schema 99"):
        tables.open_desk_database(desk / config.DATABASE_FILE)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A desk, and lists of the hub it trusts: 1, then 2 with a node on it."""

    where: tuple[str, str]
    first: Path
    second: Path


@pytest.fixture
def listed(desk: Path, tmp_path: Path) -> Listed:
    trust, where = tmp_path / "city.trust", ("--dir", str(desk))
    first, second = tmp_path / "first", tmp_path / "second"
    with open_city(tmp_path / "hub") as city:
        parts = city.parts
        save_anchor(trust, parts.identity.anchor)
        jobs = AdmissionJobs(parts=parts).table()
        with pytest.raises(ConfigurationError, match="signed no revocation list yet"):
            jobs["export-revocations"]({"file": str(first)}, no_progress)
        keep_identity(parts, city.clock())
        jobs["export-revocations"]({"file": str(first)}, no_progress)
        node = city.enrol(tmp_path / "node", NODE, FIRST)
        with writing(parts.engine) as connection:
            revoke_member(connection, parts.identity, node.member, "theft", city.clock.ms)
        said = jobs["export-revocations"]({"file": str(second)}, no_progress)
    assert said["version"] == 2
    call("trust", str(trust), *where)
    return Listed(where=where, first=first, second=second)


def test_a_desk_takes_newer_lists_only_and_tells_which_it_holds(listed: Listed) -> None:
    assert "No revocation list of" in call("status", *listed.where)["warnings"][0]
    assert call("revocations", str(listed.first), *listed.where)["certificates"] == 0
    for _ in range(2):
        said = call("revocations", str(listed.second), *listed.where)
        assert (said["version"], said["certificates"]) == (2, 1)
    again = call("revocations", str(listed.first), *listed.where, exit_code=3)
    assert "the desk holds 2 already" in again["message"]
    (held,) = call("status", *listed.where)["revocations"]
    assert (held["hub"], held["version"]) == (CITY, 2)


def test_a_list_past_its_time_is_told_until_a_newer_one_comes(listed: Listed) -> None:
    call("revocations", str(listed.second), *listed.where)
    late = NOW + timedelta(days=29)
    with open_desk(Path(listed.where[1]), lambda: late) as parts:
        assert parts.warnings() == ()
    later = NOW + timedelta(days=31)
    with open_desk(Path(listed.where[1]), lambda: later) as parts:
        (warning,) = parts.warnings()
    assert "Revocation list 2, outdated since" in warning
    assert "yixin hub export-revocations" in warning


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "was not taken"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "was not taken"),
        (lambda _: b"", "no anchor is held"),
        (lambda data: data + bytes(MAX_SIGNED_BYTES), "are read"),
        (lambda _: b"\xff" * 100, "no revocation list"),
    ],
    ids=["cut", "changed", "empty", "too long", "garbage"],
)
def test_what_is_no_list_of_a_trusted_hub_is_refused(
    listed: Listed, change: Callable[[bytes], bytes], words: str
) -> None:
    call("revocations", str(listed.first), *listed.where)
    listed.second.write_bytes(change(listed.second.read_bytes()))
    said = call("revocations", str(listed.second), *listed.where, exit_code=3)
    assert words in said["message"]
    (held,) = call("status", *listed.where)["revocations"]
    assert held["version"] == 1


def test_a_list_of_a_hub_that_is_not_trusted_is_refused(listed: Listed, tmp_path: Path) -> None:
    other = tmp_path / "other"
    call("init", str(other), "--member", HEALTH, "--port", "9444")
    said = call("revocations", str(listed.second), "--dir", str(other), exit_code=3)
    assert "yixin hub desk trust" in said["message"]


def test_a_desk_of_the_program_before_gets_its_tables(desk: Path) -> None:
    engine = tables.open_desk_database(desk / config.DATABASE_FILE)
    with writing(engine) as connection:
        for statement in (
            "drop table revoked",
            "drop table revocation_list",
            "delete from schema_version",
            "insert into schema_version values (1)",
        ):
            connection.exec_driver_sql(statement)
    engine.dispose()
    assert call("status", "--dir", str(desk))["revocations"] == []
    with reading(tables.open_desk_database(desk / config.DATABASE_FILE)) as connection:
        versions = connection.exec_driver_sql("select version from schema_version").scalars().all()
    assert list(versions) == [1, 2]
