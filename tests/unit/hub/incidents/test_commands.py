"""`yixin hub incident` as an officer sees it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hub.cli import app
from hub.clock import utc_now
from tests.support.hub_city import NODE, Clock, Slot, batch, open_city

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def hub(made_hub: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "hub"
    shutil.copytree(made_hub, directory)
    with open_city(directory, Clock(utc_now())) as city:
        node = city.enrol(tmp_path / "node", NODE, "H33030200001")
        city.submit(node.seal(batch(Slot())))
    return directory


def call(hub: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--dir", str(hub)])
    assert result.exit_code == code, result.output
    return result.output


def as_json(hub: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    return dict(json.loads(call(hub, *arguments, "--json", code=code)))


def test_a_member_is_looked_at_frozen_and_lifted(hub: Path) -> None:
    shown = call(hub, "incident", NODE, "--since", "2026-01-01", "--show")
    assert "Sent since 2025-12-31" in shown
    assert "statements" in shown
    assert as_json(hub, "incidents")["rows"] == []

    frozen = call(hub, "incident", NODE, "--since", "2026-01-01", "--reason", "theft")
    assert "is frozen" in frozen
    assert "1 statements suspect" in frozen
    assert "Nothing was graded yet." in frozen
    assert as_json(hub, "status")["suspect_statements"] == 1
    assert "1 statements are suspect" in call(hub, "incidents")

    lifted = call(hub, "incident", NODE, "--lift")
    assert "count again" in lifted
    assert as_json(hub, "status")["suspect_statements"] == 0


def test_what_is_missing_or_unknown_is_told(hub: Path) -> None:
    assert as_json(hub, "incident", NODE, code=53)["error"] == "incident"
    assert "--since 2026-11-20" in as_json(hub, "incident", NODE, code=53)["message"]
    unknown = as_json(hub, "incident", "yixin://1/node/x", "--since", "2026-01-01", code=53)
    assert "holds no member" in unknown["message"]
