"""The hub's benchmark runs against a real hub, and leaves nothing behind."""

import json
from pathlib import Path

import pytest

from deploy.benchmarks.hub_rows import _payload
from tests.e2e.conftest import yixin

pytestmark = pytest.mark.e2e


def test_the_hubs_rows_are_measured_with_receipts_for_everything(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    options = ("--repeats", "1", "--scale", "0.02")
    printed = yixin("bench", "--only", "P7", "--json", str(out), *options)
    rows = json.loads(out.read_bytes())
    assert "P7" in printed
    assert [row["name"].split()[1] for row in rows[::2]] == ["INTL-PQ", "INTL", "GM"]
    for echo, opened in zip(rows[::2], rows[1::2], strict=True):
        assert echo["ours"] == opened["ours"] > 0
        assert (echo["target"], opened["target"]) == ("≥ 0.15", "≥ 0.5")
        assert echo["ratio"] == echo["ours"] / echo["reference"]


def test_an_envelopes_content_is_about_two_kilobytes() -> None:
    assert 1_500 < len(_payload("H33030200001", 1)) < 2_500
