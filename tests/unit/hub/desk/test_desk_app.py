"""The officer's commands of a desk, and what its directory must look like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.desk import config, tables
from hub.desk.config import DeskSettings, load_desk_settings
from hub.desk_app import open_desk, serve_desk
from hub.errors import ConfigurationError, NotInitialisedError
from hub.store.engine import writing
from security.audit.trust import save_anchor
from security.errors import LockHeldError
from security.linking import read_card
from security.operator import writer_lock
from tests.support.hub_city import open_city
from tests.support.link_desks import HEALTH

if TYPE_CHECKING:
    from pathlib import Path

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
