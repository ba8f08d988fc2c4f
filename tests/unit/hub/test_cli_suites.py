"""``yixin hub suites``: what members may use, and what one of them must."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from tests.support.hub_city import NODE, open_city
from tests.support.national import without_tongsuopy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    with open_city(tmp_path / "hub") as city:
        city.token(NODE)
    return tmp_path / "hub"


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == code, result.output
    return result.output


def rows(hub: Path) -> list[dict[str, Any]]:
    found = json.loads(call("suites", "--dir", hub, "--json"))
    return list(found["rows"])


def test_suites_are_listed_required_and_lifted(hub: Path) -> None:
    assert [(row["member"], row["suites"]) for row in rows(hub)] == [
        ("all others", "INTL-PQ, INTL"),
        (NODE, "INTL-PQ, INTL"),
    ]
    said = call("suites", "--dir", hub, "--member", NODE, "--require", "GM")
    assert "GM, version 2" in said
    assert rows(hub)[1] == {"member": NODE, "suites": "GM", "required": "GM", "version": 2}
    call("suites", "--dir", hub, "--member", NODE, "--lift")
    assert rows(hub)[1]["suites"] == "INTL-PQ, INTL"
    assert "INTL-PQ" in call("suites", "--dir", hub)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--member", NODE), 2, "--require SUITE or --lift"),
        (("--require", "GM"), 2, "--require SUITE or --lift"),
        (("--lift",), 2, "--require SUITE or --lift"),
        (("--member", NODE, "--require", "GM", "--lift"), 2, "--require SUITE or --lift"),
        (("--member", NODE, "--require", "NULL"), 19, "is not known"),
        (("--member", "yixin://330399/node/X1", "--require", "GM"), 3, "Found no member"),
    ],
)
def test_what_is_wrong_is_said(
    hub: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert words in " ".join(call("suites", "--dir", hub, *arguments, code=code).split())
    assert rows(hub)[1]["version"] == 1


def test_a_suite_whose_extra_is_missing_is_not_required(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with without_tongsuopy(monkeypatch):
        said = call("suites", "--dir", hub, "--member", NODE, "--require", "GM", code=19)
    assert 'pip install "yixin[gm]"' in " ".join(said.split())
