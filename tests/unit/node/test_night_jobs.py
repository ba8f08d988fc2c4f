"""What the daemon keeps of a night, and what the status tells of supervision."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from node.app import init_node, opened
from node.clue_jobs import STATED
from node.config import NodeSettings
from node.interface_settings import GatewaySettings
from node.jobs import NodeJobs
from node.night_jobs import NightJobs, last_night
from node.store.live_state import LiveWriter, Said, ToldRow
from node.supervision_settings import SupervisionSettings
from node.supervision_status import supervision_status
from scoring_kernel.rules.live.encounter import day_of
from security.at_rest import Vault
from security.progress import no_progress
from tests.support.node_messages import HOSPITAL

NOW = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)
"""01:00 of the 22nd in Asia/Shanghai."""
TODAY = day_of(datetime(2026, 11, 22, tzinfo=UTC).date())
REPORT: dict[str, Any] = {
    "run": 7,
    "hits": 3,
    "new": 2,
    "gone": 1,
    "stopped": ["M33"],
    "topics": 19,
    "counted": 4,
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeJobs]:
    with opened(init_node(tmp_path / "node", [HOSPITAL])) as jobs:
        yield jobs


def night(node: NodeJobs, name: str, after: timedelta = timedelta(0), **given: object) -> None:
    NightJobs(store=node.store, now=lambda: NOW + after).table()[name](given, no_progress)


def status(node: NodeJobs, settings: NodeSettings | None = None) -> dict[str, Any]:
    return supervision_status(node.directory, node.store, settings or NodeSettings(), NOW)


def test_a_night_is_told_with_what_came_of_it(node: NodeJobs) -> None:
    assert status(node)["last_night"] is None
    night(node, "night_begin", attempt=1)
    assert status(node)["last_night"] == {
        "begun_at": "2026-11-21T17:00:00+00:00",
        "ended_at": "not ended: at work, or cut off",
    }
    night(node, "night_end", timedelta(seconds=90), **REPORT)
    told = status(node)["last_night"]
    assert (told["seconds"], told["run"], told["error"]) == (90, 7, None)
    assert (told["hits"], told["new"], told["gone"]) == (3, 2, 1)
    assert (told["stopped"], told["topics"]) == (["M33"], 19)


def test_clues_are_due_after_rules_were_run_and_only_then(node: NodeJobs) -> None:
    stated = f"{NOW.isoformat()} 0"
    node.store.set_setting(STATED, stated)
    night(node, "night_begin", attempt=1)
    night(node, "night_end", error="rules: the disk is full\x1b[2J")
    assert node.store.setting(STATED) == stated
    last = last_night(node.store)
    assert last is not None
    assert last.error == "rules: the disk is full?[2J"
    night(node, "night_begin", attempt=1)
    night(node, "night_end", **REPORT)
    assert node.store.setting(STATED) == ""


def test_live_counts_are_those_of_today(node: NodeJobs) -> None:
    assert status(node)["today"] is None
    writer = LiveWriter(node.directory, Vault.load(node.directory / "node.key"))
    writer.count(TODAY - 1, {"asked": 100, "not_judged": 50})
    writer.count(TODAY, {"asked": 5, "not_judged": 2, "warned": 1})
    said = Said(
        told=[ToldRow(str(number), "W04", "W04", "warn", TODAY) for number in range(4)],
        answered=[("1", "0"), ("2", "1"), ("2", "2")],
    )
    writer.apply([], writer.applied, said)
    told = status(node)
    writer.close()
    assert told["today"] == {"asked": 5, "not_judged": 2, "warned": 1, "blocked": 0, "faults": 0}
    assert told["feedback"] == {"told": 4, "accepted": 2, "justified": 1, "ignored": 1}


@pytest.mark.parametrize(
    ("settings", "live", "nightly"),
    [
        (NodeSettings(), "off: neither", "01:00"),
        (NodeSettings(gateway=GatewaySettings(answer_own=True)), "on", "01:00"),
        (NodeSettings(supervision=SupervisionSettings(live=False, nightly="")), "off", "off"),
    ],
)
def test_what_is_on_is_told(
    node: NodeJobs, settings: NodeSettings, live: str, nightly: str
) -> None:
    told = status(node, settings)
    assert told["live"].startswith(live)
    assert told["nightly"] == nightly
