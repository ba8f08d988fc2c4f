"""Devices on the command line of a node: tokens, list, revocation, and what is in the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from node.cli import app
from node.config import SETTINGS_FILE
from security.devices import DeviceToken
from tests.support.node_messages import HOSPITAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., str]

W3 = f"yixin-device://{HOSPITAL}/window/w3"
TOKEN = ("token", "--institution", HOSPITAL, "--place", "window", "--name", "w3")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "node"
    made = CliRunner().invoke(app, ["init", "--dir", str(directory), "--institution", HOSPITAL])
    assert made.exit_code == 0, made.output
    return directory


@pytest.fixture
def run(home: Path) -> Run:
    def command(*arguments: str, expect: int = 0) -> str:
        done = CliRunner().invoke(app, ["device", *arguments, "--dir", str(home)])
        assert done.exit_code == expect, done.output
        return done.stdout if expect == 0 else done.output

    return command


def told(run: Run, *arguments: str) -> dict[str, Any]:
    answer = json.loads(run(*arguments, "--json"))
    assert isinstance(answer, dict)
    return answer


def settle(home: Path, **values: str) -> None:
    path = home / SETTINGS_FILE
    text = path.read_text()
    head, table, rest = text.partition("[edge]")
    for name, value in values.items():
        lines = rest.split("\n")
        at = next(n for n, line in enumerate(lines) if line.startswith(f"{name} = "))
        lines[at] = f"{name} = {value}"
        rest = "\n".join(lines)
    path.write_text(head + table + rest)


def test_a_token_names_the_device_and_pins_the_node(run: Run) -> None:
    made = told(run, *TOKEN)
    again = told(run, *TOKEN)
    token = DeviceToken.decode(made["token"])
    assert (token.device, token.enrolment_address) == (W3, "127.0.0.1:9444")
    assert token.ca_certificate_der == DeviceToken.decode(again["token"]).ca_certificate_der
    assert token.secret != DeviceToken.decode(again["token"]).secret


def test_standard_output_is_the_token_alone(run: Run) -> None:
    assert DeviceToken.decode(run(*TOKEN)).device == W3


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ('"node.hospital.example"', "node.hospital.example:9444"),
        ('"2001:db8::7"', "[2001:db8::7]:9444"),
    ],
)
def test_a_token_says_where_the_node_is(run: Run, home: Path, address: str, shown: str) -> None:
    settle(home, address=address)
    assert told(run, *TOKEN)["enrolment_address"] == shown


def test_a_node_that_says_nowhere_how_it_is_reached_makes_no_token(run: Run, home: Path) -> None:
    settle(home, host='"0.0.0.0"')
    assert "[edge] address" in run(*TOKEN, expect=3)
    settle(home, enrolment_port="0", host='"127.0.0.1"')
    assert "run `yixin node serve` once" in run(*TOKEN, expect=3)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("--place", "roof"), "is not a device id; expected yixin-device://"),
        (("--name", "W 3"), "is not a device id"),
        (("--institution", "H1"), "is not a device id"),
        (("--institution", "H33030200999"), "is no institution of this node"),
        (("--kind", "drone"), "is no kind of device, expected one of face_terminal"),
    ],
)
def test_what_cannot_be_a_device_gets_no_token(
    run: Run, changed: tuple[str, str], words: str
) -> None:
    assert words in run(*TOKEN, *changed, expect=3)
    assert told(run, "list") == {"rows": []}


def test_a_life_of_days_is_no_life_of_a_token(run: Run) -> None:
    assert "1440" in run(*TOKEN, "--minutes", "1441", expect=2)


def test_a_device_is_listed_shown_and_revoked_and_the_log_knows(run: Run) -> None:
    run(*TOKEN, "--operator", "li")
    (row,) = told(run, "list")["rows"]
    assert (row["device"], row["state"], row["lost"]) == (W3, "expected", 0)
    assert (
        told(run, "revoke", "w3", "--reason", "stolen", "--operator", "wang")["state"] == "revoked"
    )
    shown = told(run, "show", W3)
    assert [(one["operator"], one["action"], one["detail"]) for one in shown["log"]] == [
        ("wang", "device_revoke", "stolen"),
        ("li", "device_token", "face_terminal, 60 minutes"),
    ]
    assert "was revoked on" in run("revoke", "w3", "--reason", "again", expect=3)
    assert W3[:20] in run("show", "w3")
    listed = run("list")
    assert "revoked" in listed
    assert "No device is known" not in listed


def test_the_list_says_how_to_begin(run: Run) -> None:
    assert "yixin node device token" in run("list")


def test_an_unknown_and_an_ambiguous_name_are_told(run: Run) -> None:
    run(*TOKEN)
    run(*TOKEN, "--place", "bed")
    assert "see those that are with: yixin node device list" in run("show", "w9", expect=3)
    ambiguous = run("revoke", "w3", "--reason", "gone", expect=3)
    assert "2 devices are called 'w3'" in ambiguous.replace("\n", " ")
    assert "/bed/w3" in ambiguous


def test_a_revocation_needs_a_reason(run: Run) -> None:
    run(*TOKEN)
    assert "a reason is missing" in run("revoke", "w3", "--reason", " ", expect=3)
