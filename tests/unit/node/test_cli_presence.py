"""Commands `yixin node presence …`: what they say, and how they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from node.cli import app
from tests.support.node_messages import HOSPITAL, PERSON

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

OVERRIDE = ("override", "--institution", HOSPITAL, "--person", PERSON, "--operator", "wang")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "node"
    CliRunner().invoke(app, ["init", "--dir", str(directory), "--institution", HOSPITAL])
    return directory


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["presence", *words, "--dir", str(home)])


def test_an_override_is_told_by_its_record_and_reported(home: Path) -> None:
    done = run(home, *OVERRIDE, "--reason", "终端故障，已核对身份证", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)["record"]
    assert record.startswith("override:")
    listed = json.loads(run(home, "list", "--json").stdout)
    assert listed == {"rows": []}
    log = CliRunner().invoke(app, ["operations", "--dir", str(home), "--json"])
    (entry,) = json.loads(log.stdout)["rows"]
    assert (entry["action"], entry["subject"], entry["operator"]) == (
        *("presence_override", record, "wang"),
    )
    assert PERSON not in log.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*OVERRIDE, "--reason", "忘"), 56, "say why"),
        ((*OVERRIDE, "--reason-code", "friend"), 56, "expected one of"),
        (("round", "--institution", HOSPITAL), 56, "yixin node device"),
        (("round", "--institution", HOSPITAL, "--share", "2"), 3, "--share"),
        (("round", "--institution", HOSPITAL, "--until", "25:00"), 3, "HH:MM"),
        (("report", "--month", "202613"), 3, "yyyymm"),
    ],
)
def test_what_is_refused_says_how_to_mend_it(
    home: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    refused = run(home, *words)
    assert (refused.exit_code, refused.stdout) == (code, "")
    assert said in " ".join(refused.output.split())
    assert PERSON not in refused.output


def test_nothing_is_told_as_nothing(home: Path) -> None:
    assert "No device delivered anything" in run(home, "list").output
    assert "nobody was let pass" in run(home, "report", "--month", "202601").output


def test_status_tells_of_presence_where_there_is_a_device(home: Path) -> None:
    def status() -> Result:
        return CliRunner().invoke(app, ["status", "--dir", str(home), "--json"])

    assert json.loads(status().stdout)["presence"] is None
    token = ("device", "token", "--institution", HOSPITAL, "--place", "window", "--name", "w1")
    made = CliRunner().invoke(app, [*token, "--operator", "wang", "--dir", str(home)])
    assert made.exit_code == 0, made.output
    run(home, *OVERRIDE, "--reason", "终端故障，已核对身份证")
    presence = json.loads(status().stdout)["presence"]
    assert (presence["let_pass"], presence["silent"]) == (1, 0)
    assert set(presence["today"].values()) == {0}
    shown = CliRunner().invoke(app, ["status", "--dir", str(home)])
    assert "Presence" in shown.output


@pytest.mark.parametrize("name", ["list", "report", "round", "override"])
def test_every_command_has_an_example(name: str) -> None:
    shown = CliRunner().invoke(app, ["presence", name, "--help"])
    assert shown.exit_code == 0
    assert f"yixin node presence {name}" in " ".join(shown.output.split())
