"""A terminal as its user starts it, at a real node: token, enrolment, asks, status."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from node.store.calibrations import CalibrationUse
from security.devices import Place
from tests.support.edge_node import EdgeNode, edge_node
from tests.support.face_templates import CLERK, calibration
from tests.support.faces import embedding, picture
from tests.support.node_messages import HOSPITAL
from tests.support.terminal_commands import folder, install_stand_ins, yixin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
PERSON = "33030000000000000000100001"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node") as made:
        made.clock.at = datetime.now(UTC)  # noqa: TID251 - that of the terminal's process
        model = bytes.fromhex(embedding().manifest.sha256)
        made.store.edge.calibrations.put(
            calibration(6000, model=model, site=HOSPITAL), CalibrationUse.VERIFY, CLERK
        )
        yield made


@pytest.fixture
def terminal(tmp_path: Path) -> Path:
    """A directory with the stand-in models, and folders of pictures beside it."""
    install_stand_ins(tmp_path / "t" / "models")
    shown = {
        "enrol": [picture(1, shot) for shot in range(10, 14)],
        "right": [picture(1)],
        "other": [picture(2, shot) for shot in range(3)],
        "paper": [picture(1, paper=True)],
        "black": [picture(1) * 0],
    }
    for name, frames in shown.items():
        folder(tmp_path / name, frames)
    return tmp_path / "t"


async def test_a_new_user_gets_from_the_token_to_every_verdict(
    node: EdgeNode, terminal: Path
) -> None:
    place, asks = terminal.parent, terminal.parent / "asks"
    async with asyncio.timeout(240), node.serving():
        token = node.token("w3", Place.WINDOW)
        code, (joined,), _ = await yixin("enrol", "--token", token, "--dir", terminal, "--json")
        assert (code, joined["device"]) == (0, f"yixin-device://{HOSPITAL}/window/w3")
        code, (enrolled,), _ = await yixin(
            "enrol-person", "--person", PERSON, "--consent", "2026-0117", "--operator", "wang",
            "--source", f"folder:{place / 'enrol'}", "--dir", terminal, "--json",
        )  # fmt: skip
        assert (code, len(enrolled["template"])) == (0, 32)
        verdicts, said = {}, ""
        for name in ("right", "other", "paper", "black"):
            asks.write_text(json.dumps({"person": PERSON, "id": name}) + "\n")
            code, (answer,), told = await yixin(
                "face-terminal", "--source", f"folder:{place / name}", "--asks", asks, "--once",
                "--json", "--dir", terminal,
            )  # fmt: skip
            assert (code, answer["id"], answer["delivered"]) == (0, name, True), told
            verdicts[name] = (answer["verdict"], answer["cause"])
            said += told
        _, (status,), _ = await yixin("status", "--dir", terminal, "--json")
    assert verdicts == {
        "right": ("match", None),
        "other": ("mismatch", None),
        "paper": ("spoof", None),
        "black": ("unjudged", "no_face"),
    }
    assert PERSON not in said
    assert said.count("Memory: terminal") == 8
    assert status["queue"] == {"newest": 4, "waiting": 0}
    assert not status["is_running"]


async def test_a_terminal_in_service_answers_over_fifos_and_ends_cleanly(
    node: EdgeNode, terminal: Path
) -> None:
    asks, answers = terminal.parent / "asks", terminal.parent / "answers"
    for path in (asks, answers):
        os.mkfifo(path, 0o600)
    async with asyncio.timeout(240), node.serving():
        await node.joined(terminal)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deploy.cli", "device", "face-terminal", "--dir", terminal,
            "--source", f"folder:{terminal.parent / 'right'}", "--asks", asks,
            "--answers", answers, stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await asyncio.to_thread(asks.write_text, json.dumps({"person": PERSON}) + "\n")
        answer = json.loads(await asyncio.to_thread(_first_line, answers))
        code, (refused,), _ = await yixin(
            "face-terminal", "--source", "folder:x", "--once", "--json", "--dir", terminal
        )
        assert (code, refused["error"]) == (4, "lock_held")
        process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
    assert (answer["verdict"], answer["cause"], answer["seq"]) == ("unjudged", "no_template", 1)
    assert process.returncode == 0
    assert PERSON.encode() not in said


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["face-terminal", "--once"], 3, "configuration"),
        (["face-terminal", "--once", "--source", "webcam"], 3, "configuration"),
        (["face-terminal", "--once", "--source", "folder:x", "--asks", "gone"], 3, "configuration"),
        (["status"], 3, "configuration"),
        (["renew"], 3, "configuration"),
        (["enrol"], 3, "configuration"),
        (["enrol", "--token", "yixin-device1.nonsense"], 10, "token"),
        (
            ["enrol-person", "--person", "1", "--consent", "c", "--operator", "w"],
            3,
            "configuration",
        ),
    ],
)
async def test_each_mistake_has_its_code(
    tmp_path: Path, words: list[str], code: int, error: str
) -> None:
    found, (told,), _ = await yixin(*words, "--dir", tmp_path / "t", "--json")
    assert (found, told["error"]) == (code, error), told


def _first_line(path: Path) -> str:
    with path.open() as file:
        return file.readline()
