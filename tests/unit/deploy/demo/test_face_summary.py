"""What the face demonstration promises is claimed, and every broken promise is told."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from deploy.demo.face_summary import FaceSummary
from tests.unit.deploy.demo.test_summary import GOOD

SEEN = FaceSummary(
    institution="H33030400003",
    people_fitted=20,
    threshold_e4=4_658,
    target_far="0.01",
    mismatches=3,
    best_imposture_e4=1_528,
    warning="W04",
    warning_words="请核验本人",
    impostor_hits=1,
    impostor_fen=1_400,
    right_verdict="match",
    right_score_e4=7_418,
    right_warnings=0,
    bed_absences=2,
    bed_hits=1,
    liveness="not_checked",
    messages=13,
)


def test_what_was_promised_holds() -> None:
    assert replace(GOOD, faces=SEEN).failures == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mismatches": 2}, "2 of 3 impostures seen"),
        ({"warning": ""}, "no warning; expected W04"),
        ({"impostor_hits": 0}, "0 visits of impostors hit"),
        ({"impostor_hits": 2}, "2 visits of impostors hit"),
        ({"right_verdict": "mismatch"}, "the right person: mismatch"),
        ({"right_warnings": 1}, "1 warnings; expected match and none"),
        ({"bed_absences": 1}, "1 of 2 bed checks"),
        ({"bed_hits": 0}, "0 bed-hanging stays hit"),
    ],
)
def test_a_broken_promise_is_told(changes: dict[str, Any], told: str) -> None:
    (failure,) = replace(GOOD, faces=replace(SEEN, **changes)).failures
    assert told in failure


def test_the_table_shows_the_four_things_that_happened() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(SEEN.shown())
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    for shown in ("0.4658", "冒名就医", "M35, 14.00 yuan", "likeness 0.7418", "挂床住院", "M29"):
        assert shown in printed
