"""Signed commands on the command line, here and through the daemon."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.cli_signing import KEY_VARIABLE, NAME_VARIABLE
from security.local_channel import ControlServer
from tests.support.hub_city import open_city
from tests.support.operators import Person

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    return directory


def invoke(*arguments: object, code: int = 0, **settings: Any) -> Result:  # noqa: ANN401
    result = CliRunner().invoke(app, [str(one) for one in arguments], **settings)
    assert result.exit_code == code, result.output
    return result  # type: ignore[return-value]  # Typer's own copy of it


def as_json(*arguments: object, code: int = 0, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
    return dict(json.loads(invoke(*arguments, "--json", code=code, **settings).stdout))


def make_key(path: Path) -> str:
    return str(as_json("operators", "key", "new", "--out", path)["key"])


@pytest.fixture
def li(hub: Path, tmp_path: Path) -> Path:
    """The key of the first officer, who is registered."""
    line = make_key(tmp_path / "li.key")
    where = ("--dir", hub)
    as_json("operators", "add", "li", "--role", "officer", "--key", line, *where)
    return tmp_path / "li.key"


def test_a_key_is_made_once_and_its_public_half_printed(tmp_path: Path) -> None:
    printed = invoke("operators", "key", "new", "--out", tmp_path / "a.key").stdout

    assert printed.startswith("yixin-operator-1.")
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    again = as_json("operators", "key", "new", "--out", tmp_path / "a.key", code=15)
    assert "already there" in again["message"]


def test_commands_are_signed_before_or_behind(hub: Path, li: Path, tmp_path: Path) -> None:
    refused = as_json("members", "--dir", hub, code=50)
    assert refused["error"] == "role"
    assert "--as NAME --key FILE" in refused["message"]

    signed = ("--as", "li", "--key", li)
    assert as_json(*signed, "members", "--dir", hub) == {"rows": []}
    assert as_json("members", "--dir", hub, *signed) == {"rows": []}
    wang = make_key(tmp_path / "wang.key")
    added = as_json(
        "operators", "add", "wang", "--role", "reviewer", "--key", wang, *signed, "--dir", hub
    )
    assert added == {"name": "wang", "role": "reviewer", "key": wang}
    listed = as_json("operators", "list", "--dir", hub, *signed)
    assert [(one["name"], one["role"]) for one in listed["rows"]] == [
        ("li", "officer"),
        ("wang", "reviewer"),
    ]


def test_name_and_key_may_come_from_the_environment(hub: Path, li: Path) -> None:
    env = {NAME_VARIABLE: "li", KEY_VARIABLE: str(li)}
    assert as_json("members", "--dir", hub, env=env) == {"rows": []}
    assert as_json("--as", "li", "members", "--dir", hub, env={KEY_VARIABLE: str(li)})
    told = as_json("--as", "li", "members", "--dir", hub, code=3)
    assert KEY_VARIABLE in told["message"]


def test_a_passphrase_is_asked_for(hub: Path, tmp_path: Path) -> None:
    word = "correct horse battery"
    path = tmp_path / "li.key"
    made = invoke(
        "operators", "key", "new", "--out", path, "--passphrase", input=f"{word}\n{word}\n"
    )
    line = made.stdout.splitlines()[-1]
    invoke("operators", "add", "li", "--role", "officer", "--key", line, "--dir", hub)

    signed = ("--as", "li", "--key", path)
    invoke("members", "--dir", hub, *signed, input=f"{word}\n")
    kept = {f"{KEY_VARIABLE}_PASSPHRASE": word}
    assert as_json("members", "--dir", hub, *signed, env=kept) == {"rows": []}
    invoke("members", "--dir", hub, *signed, input="wrong wrong wrong\n", code=15)


def test_four_eyes_leave_with_a_code_of_their_own(hub: Path, li: Path, tmp_path: Path) -> None:
    wang = make_key(tmp_path / "wang.key")
    signed = ("--as", "li", "--key", li)
    add = ("operators", "add", "wang", "--role", "reviewer", "--key", wang)
    invoke(*add, *signed, "--dir", hub)

    waits = as_json(*signed, "operators", "retire", "wang", "--dir", hub, code=49)
    assert waits["error"] == "approval_needed"
    waiting = as_json("operators", "approvals", "--dir", hub, *signed)["rows"]
    assert [one["job"] for one in waiting] == ["operator-retire"]
    assert waiting[0]["id"] in waits["message"]
    assert waiting[0]["digest"] in waits["message"]
    assert json.loads(waiting[0]["arguments"]) == {"name": "wang"}
    shown = invoke("operators", "approvals", "--dir", hub, *signed).stdout
    assert '{"name":"wang"}' in shown
    assert waiting[0]["digest"] in shown


def test_a_second_person_approves_on_the_command_line(hub: Path, li: Path, tmp_path: Path) -> None:
    wang = make_key(tmp_path / "wang.key")
    first = ("--as", "li", "--key", li, "--dir", hub)
    second = ("--as", "wang", "--key", tmp_path / "wang.key", "--dir", hub)
    invoke("operators", "add", "wang", "--role", "officer", "--key", wang, *first)
    invoke("operators", "retire", "li", *first, code=49)
    (waiting,) = as_json("operators", "approvals", *second)["rows"]

    own = as_json("approve", waiting["id"], *first, code=50)
    assert "cannot approve it as well" in own["message"]
    assert "Approved and run: operator-retire" in invoke("approve", waiting["id"], *second).stdout
    assert as_json("members", *first, code=50)["error"] == "role"
    assert as_json("members", *second)["rows"] == []


def test_what_was_done_is_shown_and_verified(hub: Path, li: Path) -> None:
    signed = ("--as", "li", "--key", li)
    shown = as_json("operations", "--verify", "--dir", hub, *signed)

    assert (shown["size"], shown["leaves"]) == (2, 2)
    assert [(one["job"], one["outcome"], one["about"]) for one in shown["rows"]] == [
        ("operator-add", "done", "li"),
        ("operator-add", "begun", "li"),
    ]
    told = invoke("operations", "--verify", "--dir", hub, *signed).stdout
    assert "Verified: 2 entries, 2 of them in the transparency log" in told
    assert "(single)" in told


async def test_the_daemon_verifies_what_comes_over_its_socket(tmp_path: Path) -> None:
    """What speaks to the socket past the command line meets the same gate."""
    from tests.support.operators import Desk  # noqa: PLC0415 - needs the parts

    with open_city(tmp_path / "hub") as city:
        desk, li = Desk(city), Person.named("li")
        desk.register(li, "officer")
        control = ControlServer(
            tmp_path / "s" / "c.sock", desk.table, describe=lambda e: (type(e).__name__, str(e), 1)
        )
        await control.start()
        try:
            command = desk.sign(li, "members", {})
            assert await control.run("members", command) == {"rows": []}
            for hostile in ({}, command, command | {"@signed": {"name": "li"}}):
                with pytest.raises(Exception, match=r"signature|taken before|malformed"):
                    await control.run("members", dict(hostile))
        finally:
            await control.stop()
