"""Laws of calibration that hold for any scores and any bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration import Calibration
from scoring_kernel.faces.error_rates import ErrorRates, wilson
from scoring_kernel.faces.fitting import CalibrationResult, calibrate
from scoring_kernel.faces.pair_table import read_pairs
from scoring_kernel.faces.pairs import ImagePairs, PairLabels, Scores

TARGET_E6 = 100_000
TABLE = b"""left,right,same,left_subject,right_subject,group
a/1.jpg,a/2.jpg,1,s1,s1,f
a/1.jpg,b/1.jpg,0,s1,s2,
"b/1.jpg",a/2.jpg,0,s2,s1,m
"""


@st.composite
def scored(draw: st.DrawFn) -> Scores:
    """Pairs of twelve subjects with any scores, or of nobody in particular."""
    subjects = np.arange(12)
    left = np.concatenate([np.repeat(subjects, 3), *(np.roll(subjects, 0) for _ in range(4))])
    right = np.concatenate([np.repeat(subjects, 3), *(np.roll(subjects, n) for n in range(1, 5))])
    values = draw(
        st.lists(st.integers(-10_000, 10_000), min_size=len(left), max_size=len(left))
        | st.lists(st.integers(0, 3), min_size=len(left), max_size=len(left))
    )
    named = draw(st.booleans())
    return Scores(
        e4=np.array(values),
        labels=PairLabels(
            same=left == right,
            left=left if named else None,
            right=right if named else None,
            subjects=12 if named else 0,
        ),
    )


def fitted(scores: Scores, seed: int = 1) -> CalibrationResult:
    rng = np.random.default_rng(seed)  # noqa: TID251  # a seeded test
    return calibrate(scores, TARGET_E6, rng=rng, rounds=200)


@settings(max_examples=40, deadline=None)
@given(scores=scored())
def test_a_threshold_keeps_its_target_and_lies_in_its_interval(scores: Scores) -> None:
    try:
        found = fitted(scores)
    except CalibrationError:
        assume(False)  # noqa: FBT003  # some scores reach no threshold
        raise
    point = found.point.threshold_e4
    assert (scores.impostor >= point).sum() * 1_000_000 <= TARGET_E6 * len(scores.impostor)
    assert found.low_e4 <= point <= found.cautious.threshold_e4
    for operating in (found.point, found.cautious):
        for rate in (operating.tar, operating.far):
            assert 0 <= rate.low_e6 <= rate.e6 <= rate.high_e6 <= 1_000_000
    assert found.cautious.far.count <= found.point.far.count
    told = Calibration(
        model=bytes(32),
        pipeline=None,
        site="P33030200001",
        result=found,
        cautious=True,
        gated={},
        source=bytes(32),
        seed=1,
        release="1",
        made_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert Calibration.from_json(told.to_json()) == told
    assert told.threshold_e4 >= replace(told, cautious=False).threshold_e4


@settings(max_examples=60, deadline=None)
@given(scores=scored(), target=st.integers(1, 1_000_000))
def test_thresholds_fall_as_targets_rise_and_rates_as_thresholds_do(
    scores: Scores, target: int
) -> None:
    rates = ErrorRates(scores)
    strict, loose = rates.find_threshold(target), rates.find_threshold(min(target * 2, 1_000_000))
    if strict is not None:
        assert loose is not None
        assert loose <= strict
        assert rates.far(loose).count >= rates.far(strict).count
        assert rates.tar(loose).count >= rates.tar(strict).count


@given(of=st.integers(1, 10**6), share=st.floats(0, 1), confidence=st.integers(1, 9_999))
def test_an_interval_holds_its_share(of: int, share: float, confidence: int) -> None:
    count = int(of * share)
    rate = wilson(count, of, confidence)
    assert 0 <= rate.low_e6 <= rate.e6 <= rate.high_e6 <= 1_000_000
    other = rate.complement()
    assert other.low_e6 <= other.high_e6
    assert other.complement() == rate


@given(content=st.binary(max_size=400))
def test_any_bytes_are_a_table_or_a_clear_refusal(content: bytes) -> None:
    for one in (content, b"score,same\n" + content):
        try:
            found = read_pairs(one, "pairs.csv")
        except CalibrationError as error:
            assert str(error).startswith("pairs.csv:")  # noqa: PT017
        else:
            assert isinstance(found, ImagePairs | Scores)


@given(at=st.integers(0, len(TABLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_changed_table_is_read_or_refused_with_its_line(at: int, byte: int, cut: bool) -> None:  # noqa: FBT001
    changed = TABLE[:at] if cut else TABLE[:at] + bytes([byte]) + TABLE[at + 1 :]
    try:
        found = read_pairs(changed, "pairs.csv")
    except CalibrationError as error:
        assert str(error).split(":")[1].isdigit()  # noqa: PT017
    else:
        assert isinstance(found, ImagePairs)
        assert len(found.left) == len(found.labels.same)
        assert all(".." not in name and not name.startswith("/") for name in found.images)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_calibration_or_refused(content: bytes) -> None:
    try:
        found = Calibration.from_json(content)
    except CalibrationError:
        return
    assert found.to_json() == content
