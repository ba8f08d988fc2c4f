"""One verification: what frames and time make of it."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_devices.face_terminals.machine import (
    TRANSITIONS,
    Look,
    Looking,
    Machine,
    Settled,
    State,
    Step,
)
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer, LivenessCheck
from scoring_kernel.faces.verdict import Cause, Finding, Verdict, judge
from tests.support.terminals import NOW

LIVE, SPOOF, NOT_CHECKED = LivenessAnswer
POLICY = Looking(
    timeout=timedelta(seconds=20), attempts=3, threshold_e4=5000, is_liveness_required=True
)


def compared(score: int, liveness: LivenessAnswer = LIVE) -> Look:
    return Look(
        fault=None,
        score_e4=score,
        liveness=LivenessCheck(answer=liveness, live_e4=9000),
        is_seen=True,
    )


def unfit(
    fault: ImageFault = ImageFault.NO_FACE,
    *,
    is_seen: bool = True,
    liveness: LivenessAnswer = NOT_CHECKED,
) -> Look:
    return Look(
        fault=fault, score_e4=None, liveness=LivenessCheck(answer=liveness), is_seen=is_seen
    )


def run(*looks: Look, policy: Looking = POLICY, then: str = "time") -> Settled:
    """Show frames a second apart, then let the time pass or the recording end."""
    machine, now = Machine(), NOW
    machine.ask(policy, now)
    for look in looks:
        machine.frame(look, now)
        now += timedelta(seconds=1)
    if then == "time":
        machine.tick(NOW + policy.timeout)
    else:
        machine.end(is_broken=then == "broken")
    return machine.take()


def test_a_living_match_ends_it_at_once() -> None:
    settled = run(compared(5000))
    assert (settled.found.finding, settled.found.score_e4) == (Finding.COMPARED, 5000)
    assert (settled.attempts, settled.live_e4) == (1, 9000)


def test_frames_without_a_fit_face_are_no_attempts() -> None:
    looks = [unfit(), unfit(ImageFault.BLURRED), unfit(ImageFault.POSE)] * 4
    assert run(*looks, compared(6000)).attempts == 1


def test_attempts_are_used_up_and_the_best_living_one_counts() -> None:
    settled = run(compared(1000), compared(4000), compared(2000), compared(9000))
    assert (settled.found.score_e4, settled.attempts) == (4000, 3)


def test_a_pause_follows_a_failed_attempt() -> None:
    machine = Machine()
    machine.ask(POLICY, NOW)
    machine.frame(compared(1), NOW)
    assert machine.is_pausing
    assert machine.next_wakeup() == NOW + timedelta(seconds=1)
    assert not machine.frame(compared(9000), NOW + timedelta(milliseconds=500))
    machine.tick(NOW + timedelta(seconds=1))
    assert not machine.is_pausing
    machine.frame(compared(9000), NOW + timedelta(seconds=1))
    assert machine.take().found.score_e4 == 9000


def test_an_unchecked_match_is_looked_at_again_where_liveness_is_required() -> None:
    first, second = compared(9000, NOT_CHECKED), compared(6000)
    assert run(first, second).found.liveness is LIVE
    lax = Looking(
        timeout=timedelta(seconds=20), attempts=3, threshold_e4=5000, is_liveness_required=False
    )
    assert run(first, second, policy=lax).found.score_e4 == 9000


def test_two_spoofs_are_one_whatever_matched_between() -> None:
    settled = run(compared(9000, SPOOF), compared(4000), compared(9000, SPOOF))
    assert settled.found.finding is Finding.SPOOF


def test_one_spoof_beside_a_living_face_is_none() -> None:
    assert run(compared(9000, SPOOF), compared(6000)).found.finding is Finding.COMPARED


@pytest.mark.parametrize("then", ["time", "end"])
def test_one_spoof_alone_is_one(then: str) -> None:
    assert run(compared(9000, SPOOF), then=then).found.finding is Finding.SPOOF
    turned = unfit(ImageFault.POSE, liveness=SPOOF)
    assert run(turned, then=then).found.finding is Finding.SPOOF
    unchecked = compared(9000, NOT_CHECKED)
    assert run(turned, unchecked, then=then).found.finding is Finding.SPOOF


def test_without_a_threshold_one_comparison_is_enough() -> None:
    none = Looking(
        timeout=timedelta(seconds=20), attempts=3, threshold_e4=None, is_liveness_required=True
    )
    settled = run(compared(-200), compared(9000), policy=none)
    assert (settled.found.score_e4, settled.attempts) == (-200, 1)


def test_nobody_in_a_scene_that_was_seen_all_the_time_is_absent() -> None:
    assert run(*[unfit()] * 5).found.finding is Finding.ABSENT


@pytest.mark.parametrize(
    ("looks", "then", "cause"),
    [
        ([unfit(is_seen=False)] * 3, "time", Cause.NO_FACE),
        ([unfit(), unfit(is_seen=False), unfit()], "time", Cause.NO_FACE),
        ([unfit()], "end", Cause.NO_FACE),
        ([unfit(is_seen=False)], "end", Cause.NO_FACE),
        ([unfit(ImageFault.SEVERAL_FACES), unfit()], "time", Cause.SEVERAL_FACES),
        ([unfit(ImageFault.DARK), unfit(ImageFault.BLURRED)], "end", Cause.BLURRED),
        ([], "time", Cause.NO_SOURCE),
        ([], "end", Cause.NO_SOURCE),
        ([unfit()], "broken", Cause.NO_SOURCE),
    ],
)
def test_what_says_nothing_of_the_person_is_unjudged(
    looks: list[Look], then: str, cause: Cause
) -> None:
    found = run(*looks, then=then).found
    assert (found.finding, found.cause) == (Finding.UNJUDGED, cause)


def test_what_was_compared_before_the_source_broke_counts() -> None:
    assert run(compared(100), then="broken").found.finding is Finding.COMPARED


@pytest.mark.parametrize("pair", sorted(set(product(State, Step)) - set(TRANSITIONS)))
def test_a_missing_transition_is_an_error(pair: tuple[State, Step]) -> None:
    machine = Machine()
    machine.state = pair[0]
    with pytest.raises(ValueError, match=pair[0]):
        machine._move(pair[1])  # noqa: SLF001 - every pair, not only reachable ones


LOOKS = st.one_of(
    st.builds(compared, st.integers(-10_000, 10_000), st.sampled_from(LivenessAnswer)),
    st.builds(
        unfit,
        st.sampled_from(ImageFault),
        is_seen=st.booleans(),
        liveness=st.sampled_from(LivenessAnswer),
    ),
)


@given(looks=st.lists(LOOKS, max_size=8), then=st.sampled_from(["time", "end", "broken"]))
def test_only_a_living_frame_over_the_threshold_is_ever_a_match(
    looks: list[Look], then: str
) -> None:
    settled = run(*looks, then=then)
    verdict, _ = judge(settled.found, POLICY.threshold_e4, liveness_required=True)
    passing = [
        look for look in looks if (look.score_e4 or -1) >= 5000 and look.liveness.answer is LIVE
    ]
    assert verdict is not Verdict.MATCH or passing
    assert settled.attempts <= POLICY.attempts
