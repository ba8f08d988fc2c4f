"""The one form of a calibration: what it says, and that nothing else is taken for one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration import MAX_BYTES, Calibration
from scoring_kernel.faces.error_rates import Rate
from scoring_kernel.faces.fitting import CalibrationResult, GroupRates, Method, Operating

RESULT = CalibrationResult(
    target_far_e6=1_000,
    point=Operating(
        threshold_e4=5_070,
        tar=Rate(count=784, of=1_000, low_e6=757_000, high_e6=809_000),
        far=Rate(count=19, of=19_000, low_e6=600, high_e6=1_600),
    ),
    low_e4=4_640,
    cautious=Operating(
        threshold_e4=5_200,
        tar=Rate(count=700, of=1_000, low_e6=670_000, high_e6=728_000),
        far=Rate(count=9, of=19_000, low_e6=200, high_e6=1_000),
    ),
    confidence_e4=9_500,
    method=Method.SUBJECTS,
    rounds=2_000,
    subjects=20,
    groups=(
        GroupRates(name="女 60+", subjects=3, genuine=40, impostor=0, far=None, frr=None),
        GroupRates(
            name="男",
            subjects=17,
            genuine=100,
            impostor=0,
            far=None,
            frr=Rate(count=5, of=100, low_e6=21_000, high_e6=112_000),
        ),
    ),
)
CALIBRATION = Calibration(
    model=b"\x01" * 32,
    pipeline=b"\x02" * 32,
    site="H33030200001",
    result=RESULT,
    cautious=True,
    gated={"no_face": 3, "too_small": 12},
    source=b"\x03" * 32,
    seed=1,
    release="0.1.0",
    made_at=datetime(2026, 11, 23, 8, 0, 5, tzinfo=UTC),
)
PLAIN = replace(
    CALIBRATION,
    pipeline=None,
    cautious=False,
    gated={},
    upscale=4,
    result=replace(RESULT, method=Method.PAIRS, rounds=0, subjects=None, groups=()),
)


@pytest.mark.parametrize("one", [CALIBRATION, PLAIN])
def test_a_calibration_comes_back_as_it_was_written(one: Calibration) -> None:
    content = one.to_json()
    assert Calibration.from_json(content) == one
    assert one.digest == hashlib.sha256(content).digest()
    assert content.isascii()


def test_the_upper_end_is_in_force_unless_the_point_was_chosen() -> None:
    assert CALIBRATION.threshold_e4 == 5_200
    assert PLAIN.threshold_e4 == 5_070


def document(**changes: object) -> bytes:
    """The calibration with other values, canonically written."""
    values: dict[str, Any] = json.loads(CALIBRATION.to_json())
    for path, value in changes.items():
        inner: Any = values
        *way, last = path.split("__")
        for step in way:
            inner = inner[int(step) if step.isdigit() else step]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def test_the_writer_of_these_tests_writes_canonically() -> None:
    assert document() == CALIBRATION.to_json()


VALUES: dict[str, Any] = json.loads(CALIBRATION.to_json())
OTHERS: tuple[Any, ...] = (..., None, True, -1, 1.5, "x", [], {}, 10**30)
SOUND: list[tuple[str, object]] = [
    ("pipeline", None),
    ("groups", []),
    ("gated", {}),
    ("low_e4", -1),
    ("release", "x"),
]


@pytest.mark.parametrize(("key", "value"), SOUND)
def test_some_values_may_be_others(key: str, value: object) -> None:
    assert Calibration.from_json(document(**{key: value})).threshold_e4 == 5_200


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key, own in sorted(VALUES.items())
        for value in OTHERS
        if (key, value) not in SOUND and value is not own
    ],
)
def test_no_value_can_be_missing_or_of_another_kind(key: str, value: object) -> None:
    with pytest.raises(CalibrationError, match="calibration: "):
        Calibration.from_json(document(**{key: value}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"site": "H3303020000"},
        {"site": "H33030200001\n"},
        {"model": "AB" * 32},
        {"model": "01" * 31},
        {"target_far_e6": 999},  # The rate at the point is above it.
        {"target_far_e6": 500_001},
        {"impostor": 2_999},
        {"genuine": 29},
        {"genuine": 1_000_001},
        {"subjects": 9},
        {"subjects": None},
        {"method": "pairs"},
        {"rounds": 199},
        {"low_e4": 5_071},
        {"low_e4": -10_001},
        {"high_e4": 5_069},
        {"high_e4": 10_001},
        {"point_e4": 5_000.0},
        {"threshold_e4": 4_000},
        {"cautious": False},
        {"confidence_e4": 10_000},
        {"at_point__far": [20, 600, 1_600]},
        {"at_point__far": [19, 1_001, 1_600]},
        {"at_point__far": [19, 600, 999]},
        {"at_point__far": [19, -1, 1_600]},
        {"at_point__far": [19, 600, 1_000_001]},
        {"at_point__far": [19, 600]},
        {"at_point__tar": [1_001, 0, 1_000_000]},
        {"at_point__tar": [True, 0, 1_000_000]},
        {"at_point__tar": None},
        {"at_point__note": 1},
        {"at_upper_end__far": [20, 0, 2_000]},
        {"gated": {"No Face": 1}},
        {"gated": {"no_face": 0}},
        {"gated": {f"fault_{chr(97 + number)}": 1 for number in range(17)}},
        {"groups__0__name": "男"},
        {"groups__0__name": " 女"},
        {"groups__0__name": "女\x1b[2J"},
        {"groups__0__name": "\ud800"},
        {"groups__0__name": "女" * 65},
        {"groups__0__far": [0, 0, 0]},
        {"groups__0__subjects": -1},
        {"groups": [1]},
        {"groups": [{}] * 65},
        {"made_at": "2026-02-30T08:00:00Z"},
        {"made_at": "2026-11-23T08:00:00+00:00"},
        {"seed": 2**63},
        {"upscale": 0},
        {"upscale": 9},
        {"release": "0.1.0 "},
        {"note": "one value more"},
    ],
    ids=str,
)
def test_values_out_of_bounds_or_at_odds_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(CalibrationError, match="calibration: "):
        Calibration.from_json(document(**changes))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 60_000,
        b"1" * 5_000,
        b'{"format":NaN}',
        CALIBRATION.to_json() + b"\n",
        b" " + CALIBRATION.to_json(),
        CALIBRATION.to_json()[:-1],
        CALIBRATION.to_json().replace(b'"seed":1,', b'"seed":1,"seed":1,'),
        CALIBRATION.to_json().replace(b'"seed":1,', b'"seed":01,'),
        CALIBRATION.to_json().replace(b"\\u7537", "男".encode()),
        b"\xef\xbb\xbf" + CALIBRATION.to_json(),
    ],
    ids=lambda content: str(content[:12]),
)
def test_other_bytes_are_no_calibration(content: bytes) -> None:
    with pytest.raises(CalibrationError, match="calibration: "):
        Calibration.from_json(content)


def test_too_many_bytes_are_not_even_read() -> None:
    with pytest.raises(CalibrationError, match=f"{MAX_BYTES + 1} bytes, expected at most"):
        Calibration.from_json(b" " * (MAX_BYTES + 1))


def test_the_most_groups_with_the_longest_names_fit() -> None:
    groups = tuple(
        GroupRates(
            name=f"{number:02d}" + "𠀀" * 62,
            subjects=1_000_000,
            genuine=1_000_000,
            impostor=1_000_000,
            far=Rate(count=500_000, of=1_000_000, low_e6=400_000, high_e6=600_000),
            frr=Rate(count=500_000, of=1_000_000, low_e6=400_000, high_e6=600_000),
        )
        for number in range(64)
    )
    widest = replace(CALIBRATION, result=replace(RESULT, groups=groups))
    assert Calibration.from_json(widest.to_json()) == widest


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=8))),
        datetime(2026, 11, 23, 8, 0, 0, 1, tzinfo=UTC),
    ],
)
def test_a_moment_that_would_not_come_back_is_a_bug_of_the_caller(moment: datetime) -> None:
    with pytest.raises(TypeError, match="whole seconds in UTC"):
        replace(CALIBRATION, made_at=moment)
