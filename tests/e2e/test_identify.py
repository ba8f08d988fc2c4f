"""`yixin device identify` as its user runs it, at a real node with stand-in models."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from edge_devices.enrolling import load_identity
from edge_devices.face_terminals.events import Purpose
from edge_devices.face_terminals.person_enrolling import Enrolling, enrolment_request
from edge_devices.face_terminals.standing import read_standing
from node.store.calibrations import CalibrationUse
from security.devices import Place
from tests.support.edge_node import PERSON, EdgeNode, edge_node, hello
from tests.support.face_templates import CLERK, calibration
from tests.support.faces import embedding, picture, pipeline
from tests.support.node_messages import HOSPITAL
from tests.support.terminal_commands import folder, install_stand_ins, yixin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
MODEL = bytes.fromhex(embedding().manifest.sha256)
Answer = tuple[int, dict[str, Any], str]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[EdgeNode]:
    with edge_node(tmp_path / "node", identify=True, identify_max=3) as made:
        made.clock.at = datetime.now(UTC)  # noqa: TID251 - that of the terminal's process
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Models, and folders of pictures beside them."""
    install_stand_ins(tmp_path / "models")
    for name, frames in {
        "known": [picture(2, paper=True), picture(2, 7)],
        "stranger": [picture(9)],
        "paper": [picture(2, paper=True)],
        "black": [picture(2) * 0],
    }.items():
        folder(tmp_path / name, frames)
    return tmp_path


def calibrate(node: EdgeNode) -> None:
    made = calibration(6000, model=MODEL, site=HOSPITAL)
    node.store.edge.calibrations.put(made, CalibrationUse.IDENTIFY, CLERK)


async def enrol(node: EdgeNode, directory: Path, *people: int) -> None:
    """Enrol people as the terminal of a directory does."""
    async with node.client(load_identity(directory)) as client:
        asked = hello()
        asked.model = MODEL
        standing = read_standing(await client.hello(asked), model=MODEL, pipeline=bytes(32))
        for one in people:
            vector = pipeline().examine(picture(one)).vector
            assert vector is not None
            who = Enrolling(
                person=f"{PERSON[:-1]}{one}",
                subject="insured",
                purposes=(Purpose.VISIT,),
                consent="C-2026-17",
                consent_at_ms=node.clock.ms,
                operator="li",
            )
            await client.enrol(enrolment_request(who, (vector,), standing, MODEL))


async def identify(place: Path, pictures: str, *words: str, terminal: str = "w3") -> Answer:
    code, (told,), said = await yixin(
        "identify", "--source", f"folder:{place / pictures}", "--purpose", "不能言语的急诊病人",
        "--dir", place / terminal, "--models", place / "models", "--json", *words,
    )  # fmt: skip
    return code, told, said


async def test_whoever_is_enrolled_is_found_and_nobody_else(node: EdgeNode, place: Path) -> None:
    calibrate(node)
    async with asyncio.timeout(240), node.serving():
        await node.joined(place / "w3")
        await enrol(node, place / "w3", 1, 2, 3)
        known = await identify(place, "known", "--count", "2")
        stranger = await identify(place, "stranger", "--count", "3")
        paper = await identify(place, "paper", "--count", "1")
        black = await identify(place, "black", "--count", "1")
        many = await identify(place, "known")
    assert (known[0], known[1]["searched"]) == (0, 3)
    ((who, score),) = ((one["person"], one["score_e4"]) for one in known[1]["candidates"])
    assert who == f"{PERSON[:-1]}2"
    assert 6000 <= score <= 10_000
    assert stranger[:2] == (0, {"searched": 3, "candidates": []})
    assert (paper[0], paper[1]["error"]) == (58, "face_image")
    assert "found a print, a screen" in paper[1]["message"]
    assert (black[0], black[1]["error"]) == (58, "face_image")
    assert "no face" in black[1]["message"]
    assert (many[0], many[1]["error"]) == (62, "node_refused")
    assert "count 5, expected 1 to 3" in many[1]["message"]
    assert all(PERSON[:-1] not in said for _, _, said in (known, stranger))
    searches = [one for one in node.store.desk.entries() if "急诊" in one.detail]
    assert [one.detail.split("; ")[1:3] for one in searches] == [
        ["3 searched", "0 candidates"],
        ["3 searched", "1 candidates"],
    ]
    assert node.store.counts().records == {}


async def test_a_search_that_may_not_be_is_refused_before_a_picture(
    node: EdgeNode, place: Path
) -> None:
    allowed = node.settings
    node.settings = replace(allowed, faces=replace(allowed.faces, identify=False))
    async with asyncio.timeout(240):
        async with node.serving():
            await node.joined(place / "w3")
            await node.joined(place / "b1", "b1", Place.BED)
            # A folder that is not there: nobody looks into it.
            off = await identify(place, "gone")
        node.settings = allowed
        async with node.serving():
            bed = await identify(place, "gone", terminal="b1")
            source = await identify(place, "gone", "--count", "1")
            uncalibrated = await identify(place, "known", "--count", "1")
            models = await identify(place, "known", "--models", str(place / "none"))
        silent = await identify(place, "known")
    assert (off[0], off[1]["error"]) == (62, "node_refused")
    assert "identify = true in [faces] of node.toml" in off[1]["message"]
    assert (bed[0], bed[1]["error"]) == (62, "node_refused")
    assert "stands at place bed, expected one of entrance, window" in bed[1]["message"]
    assert (source[0], source[1]["error"]) == (59, "source")
    assert uncalibrated[0] == 62
    assert "calibration import FILE --for identify" in uncalibrated[1]["message"]
    assert (models[0], models[1]["error"]) == (57, "face_model")
    assert (silent[0], silent[1]["error"]) == (61, "node_unreachable")
    assert not [one for one in node.store.desk.entries() if one.action == "identify"]


@pytest.mark.parametrize(
    ("words", "named"),
    [(["--purpose", " "], "--purpose of 1"), (["--purpose", "x" * 101], "--purpose of 101"),
     (["--purpose", "a\nb"], "--purpose of 3"), (["--purpose", "x"], "no source is named"),
     (["--purpose", "x", "--source", "webcam"], "expected camera, camera:N")],
)  # fmt: skip
async def test_a_mistake_is_told_before_anything_is_opened(
    tmp_path: Path, words: list[str], named: str
) -> None:
    code, (told,), _ = await yixin("identify", *words, "--dir", tmp_path / "t", "--json")
    assert (code, told["error"]) == (3, "configuration"), told
    assert named in told["message"]
    assert not (tmp_path / "t").exists()
