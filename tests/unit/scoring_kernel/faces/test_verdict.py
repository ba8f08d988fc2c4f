from __future__ import annotations

import pytest

from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.verdict import Cause, Finding, Found, Verdict, judge

LIVE, SPOOF, NOT_CHECKED = LivenessAnswer
COMPARED = Finding.COMPARED
THRESHOLD = 5000


@pytest.mark.parametrize(
    ("score", "threshold", "lives", "required", "expected"),
    [
        (5000, THRESHOLD, LIVE, True, (Verdict.MATCH, None)),
        (4999, THRESHOLD, LIVE, True, (Verdict.MISMATCH, None)),
        (9000, THRESHOLD, SPOOF, True, (Verdict.SPOOF, None)),
        (9000, THRESHOLD, SPOOF, False, (Verdict.SPOOF, None)),
        (100, THRESHOLD, SPOOF, False, (Verdict.SPOOF, None)),
        (9000, None, SPOOF, True, (Verdict.SPOOF, None)),
        (9000, None, LIVE, True, (Verdict.UNJUDGED, Cause.NOT_CALIBRATED)),
        (9000, THRESHOLD, NOT_CHECKED, True, (Verdict.UNJUDGED, Cause.LIVENESS_NOT_CHECKED)),
        (100, THRESHOLD, NOT_CHECKED, True, (Verdict.UNJUDGED, Cause.LIVENESS_NOT_CHECKED)),
        (9000, THRESHOLD, NOT_CHECKED, False, (Verdict.MATCH, None)),
        (-10, THRESHOLD, NOT_CHECKED, False, (Verdict.MISMATCH, None)),
    ],
)
def test_a_comparison_is_judged_by_the_threshold_in_force(
    score: int,
    threshold: int | None,
    lives: LivenessAnswer,
    required: bool,  # noqa: FBT001  # one row of the table
    expected: tuple[Verdict, Cause | None],
) -> None:
    found = Found(finding=COMPARED, score_e4=score, liveness=lives)
    assert judge(found, threshold, liveness_required=required) == expected


@pytest.mark.parametrize("threshold", [None, THRESHOLD])
@pytest.mark.parametrize("required", [True, False])
def test_what_was_not_compared_needs_no_threshold(
    threshold: int | None,
    required: bool,  # noqa: FBT001  # one row of the table
) -> None:
    absent = Found(finding=Finding.ABSENT)
    spoof = Found(finding=Finding.SPOOF, liveness=SPOOF)
    dark = Found(finding=Finding.UNJUDGED, cause=Cause.DARK)
    assert judge(absent, threshold, liveness_required=required) == (Verdict.ABSENT, None)
    assert judge(spoof, threshold, liveness_required=required) == (Verdict.SPOOF, None)
    assert judge(dark, threshold, liveness_required=required) == (Verdict.UNJUDGED, Cause.DARK)


@pytest.mark.parametrize(
    ("finding", "score", "cause"),
    [
        (COMPARED, None, None),
        (COMPARED, 5000, Cause.DARK),
        (Finding.ABSENT, 5000, None),
        (Finding.UNJUDGED, None, None),
        (Finding.UNJUDGED, 5000, Cause.DARK),
        (Finding.SPOOF, None, Cause.DARK),
    ],
)
def test_a_finding_that_contradicts_itself_is_the_callers_fault(
    finding: Finding, score: int | None, cause: Cause | None
) -> None:
    with pytest.raises(ValueError, match=f"found a {finding} finding"):
        Found(finding=finding, score_e4=score, cause=cause)


def test_every_fault_of_a_picture_is_a_cause() -> None:
    assert [Cause(fault.value).value for fault in ImageFault] == list(Cause)[: len(ImageFault)]
