"""One ask from the template to the answer, with stand-in models and the node behind its port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from edge_devices.face_terminals.asks import Ask
from edge_devices.face_terminals.events import Reason, Subject, sign_event
from edge_devices.face_terminals.verifying import Verified, Verifier, is_scene
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.verdict import Cause, Finding, Verdict
from tests.support.face_templates import calibration
from tests.support.faces import crowd, picture, pipeline
from tests.support.terminals import PERSON, Bench, CountingNode, ListedFrames, bench

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from scoring_kernel.faces.arrays import Frame

OTHER: Final = "33030200000000000099"
BLACK: Final = np.zeros((320, 320, 3), np.uint8)
EMPTY: Final = np.random.default_rng(1).integers(0, 255, (320, 320, 3), np.uint8)  # noqa: TID251


@dataclass(slots=True)
class Counter:
    """A terminal whose source is a list of frames."""

    parts: Bench
    source: ListedFrames
    verifier: Verifier

    async def ask(self, *frames: Frame, **values: object) -> Verified:
        self.source.frames = list(frames)
        subject = Subject(**{"person": PERSON, **values})  # type: ignore[arg-type]
        return await self.verifier.verify(Ask(subject=subject, id="w3-1"))


@asynccontextmanager
async def counter(
    directory: Path, *, lives: bool = True, **hello: object
) -> AsyncIterator[Counter]:
    """A greeted terminal; PERSON is enrolled with a picture of person 1."""
    examiner = pipeline(lives=lives)
    made = bench(directory, model=bytes.fromhex(examiner.model))
    made.node.hello_values = {
        "calibration": calibration(6000, model=made.node.model).to_json(),
        **hello,
    }
    vector = pipeline().examine(picture(1, 99)).vector
    assert vector is not None
    made.node.enrol(PERSON, vector)
    source = ListedFrames([])
    verifier = Verifier(examiner, source, made.link, now=made.clock, steady=made.clock)
    running = asyncio.ensure_future(made.link.run())
    try:
        async with asyncio.timeout(60):
            await made.link.tried.wait()
            yield Counter(made, source, verifier)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def wire(verified: Verified, node: CountingNode) -> edge_pb2.PresenceEvent:
    """The event as the node reads it."""
    signed = edge_pb2.SignedEvent.FromString(sign_event(verified.event, bytes(16), 1, node.key))
    return edge_pb2.PresenceEvent.FromString(signed.body)


async def test_the_right_person_matches(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        verified = await desk.ask(picture(1))
        answer, event = verified.answer, wire(verified, desk.parts.node)
    assert (answer.verdict, answer.threshold_e4, answer.liveness) == (Verdict.MATCH, 6000, "live")
    assert (event.result, event.person) == (edge_pb2.PRESENCE_RESULT_COMPARED, PERSON)
    assert event.score_e4 == answer.score_e4
    assert event.score_e4 >= 6000
    assert len(event.calibration) == len(event.model) == len(event.pipeline) == 32
    assert event.liveness == edge_pb2.LIVENESS_LIVE
    assert event.crop == b""


async def test_another_person_does_not_and_every_attempt_is_used(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        verified = await desk.ask(*(picture(2, shot) for shot in range(6)))
    assert (verified.answer.verdict, verified.answer.attempts) == (Verdict.MISMATCH, 3)


async def test_the_node_says_how_many_attempts_and_a_setting_says_fewer(tmp_path: Path) -> None:
    async with counter(tmp_path, retries=4) as desk:
        frames = [picture(2, shot) for shot in range(6)]
        assert (await desk.ask(*frames)).answer.attempts == 5


async def test_a_print_is_a_spoof_even_where_it_matches(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        verified = await desk.ask(picture(1, paper=True))
        event = wire(verified, desk.parts.node)
    assert verified.answer.verdict is Verdict.SPOOF
    assert (event.result, event.liveness) == (
        edge_pb2.PRESENCE_RESULT_SPOOF,
        edge_pb2.LIVENESS_SPOOF,
    )


@pytest.mark.parametrize(
    ("frame", "cause"),
    [
        (BLACK, Cause.NO_FACE),
        (EMPTY, Cause.NO_FACE),
        (np.zeros((8, 8, 3), np.uint8), Cause.NO_FACE),
        (crowd(), Cause.SEVERAL_FACES),
        (picture(1) // np.uint8(12) + np.uint8(60), Cause.NO_FACE),
    ],
)
async def test_a_picture_that_says_nothing_is_unjudged(
    tmp_path: Path, frame: Frame, cause: Cause
) -> None:
    async with counter(tmp_path) as desk:
        verified = await desk.ask(frame)
        event = wire(verified, desk.parts.node)
    assert (verified.answer.verdict, verified.answer.cause) == (Verdict.UNJUDGED, cause)
    assert verified.answer.problem
    assert event.result == edge_pb2.PRESENCE_RESULT_UNJUDGED
    assert event.cause != edge_pb2.UNJUDGED_CAUSE_UNSPECIFIED
    assert event.liveness == edge_pb2.LIVENESS_UNSPECIFIED


async def test_without_a_liveness_model_a_match_stays_unjudged_where_it_is_required(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path, lives=False) as desk:
        verified = await desk.ask(picture(1))
        event = wire(verified, desk.parts.node)
    assert verified.answer.cause is Cause.LIVENESS_NOT_CHECKED
    assert event.result == edge_pb2.PRESENCE_RESULT_COMPARED, "the node judges"
    (tmp_path / "lax").mkdir()
    async with counter(tmp_path / "lax", lives=False, liveness_required=False) as desk:
        assert (await desk.ask(picture(1))).answer.verdict is Verdict.MATCH


async def test_without_a_threshold_nothing_is_judged_here(tmp_path: Path) -> None:
    async with counter(tmp_path, calibration=b"") as desk:
        verified = await desk.ask(picture(1))
        event = wire(verified, desk.parts.node)
    assert verified.answer.cause is Cause.NOT_CALIBRATED
    assert event.score_e4 > 6000
    assert (event.threshold_e4, event.calibration) == (0, b"")


async def test_nobody_enrolled_is_not_looked_for(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        verified = await desk.ask(picture(1), person=OTHER)
    assert (verified.answer.cause, verified.answer.attempts) == (Cause.NO_TEMPLATE, 0)


async def test_a_template_that_is_none_is_of_another_model(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        template = desk.parts.node.templates[PERSON]
        for vector in (b"\x00" * 512, b"\xff" * 512, template.vector[:256], b"odd"):
            template.vector = vector
            verified = await desk.ask(picture(1))
            assert verified.answer.cause is Cause.OTHER_MODEL, len(vector)
        template.model = bytes(32)
        assert (await desk.ask(picture(1))).answer.cause is Cause.OTHER_MODEL


async def test_offline_the_cached_template_serves_and_others_are_unjudged(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        await desk.ask(picture(1))
        desk.parts.node.is_cut = True
        assert (await desk.ask(picture(1))).answer.verdict is Verdict.MATCH
        offline = await desk.ask(picture(1), person=OTHER)
    assert offline.answer.cause is Cause.OFFLINE


async def test_a_proxy_is_compared_in_the_persons_place(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        desk.parts.node.templates[OTHER] = desk.parts.node.templates.pop(PERSON)
        verified = await desk.ask(picture(1), reason=Reason.PROXY, proxy=OTHER, staff="D1")
        event = wire(verified, desk.parts.node)
    assert verified.answer.verdict is Verdict.MATCH
    assert (event.person, event.proxy, event.reason) == (
        PERSON,
        OTHER,
        edge_pb2.REASON_CODE_PROXY,
    )


async def test_another_reason_looks_at_nobody(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        fetched = desk.parts.node.fetched
        verified = await desk.ask(reason=Reason.EMERGENCY, staff="D1", reason_text="抢救")
        assert desk.parts.node.fetched == fetched
        event = wire(verified, desk.parts.node)
    assert verified.event.found.finding is Finding.ABSENT
    assert (event.reason, event.staff, event.reason_text) == (
        edge_pb2.REASON_CODE_EMERGENCY,
        "D1",
        "抢救",
    )


async def test_a_broken_source_is_unjudged_with_its_words(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        desk.source.fault = "camera:0: /dev/video0 is not there"
        answer = (await desk.ask()).answer
    assert (answer.cause, answer.problem) == (Cause.NO_SOURCE, desk.source.fault)


async def test_a_stalled_source_ends_with_the_time(tmp_path: Path) -> None:
    async with counter(tmp_path, timeout_s=1) as desk:
        desk.source.hangs = True
        verifier = Verifier(
            pipeline(),
            desk.source,
            desk.parts.link,
            now=desk.parts.clock,
            steady=lambda: datetime.fromtimestamp(monotonic(), UTC),
        )
        verified = await verifier.verify(Ask(subject=Subject(person=PERSON)))
    assert verified.answer.cause is Cause.NO_SOURCE


@pytest.mark.parametrize(("days", "is_kept"), [(0, False), (7, True)])
async def test_the_picture_of_a_mismatch_is_sent_only_where_it_is_wanted(
    tmp_path: Path, days: int, *, is_kept: bool
) -> None:
    async with counter(tmp_path, crop_days=days) as desk:
        verified = await desk.ask(picture(2))
        matched = await desk.ask(picture(1))
    assert (verified.event.crop[:2] == b"\xff\xd8") == is_kept
    assert len(verified.event.crop) <= 48 * 1024
    assert matched.event.crop == b""


async def test_two_events_of_one_person_are_a_second_apart(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        moments = [(await desk.ask(picture(1))).event.at_ms // 1000 for _ in range(3)]
        other = (await desk.ask(picture(1), person=OTHER)).event.at_ms // 1000
    assert moments == [moments[0], moments[0] + 1, moments[0] + 2]
    assert other == moments[0]


async def test_nothing_of_a_person_is_said(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        verified = await desk.ask(picture(2), visit="V-77", staff="D1")
        told = repr(verified) + "".join(desk.parts.said) + str(verified.answer.to_json())
    for secret in (PERSON, "V-77", "D1"):
        assert secret not in told


def test_a_scene_is_told_from_a_covered_lens() -> None:
    assert is_scene(picture(1))
    assert not is_scene(BLACK)
    assert not is_scene(np.full((200, 200, 3), 255, np.uint8))
