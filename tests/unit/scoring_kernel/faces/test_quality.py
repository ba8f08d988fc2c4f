from __future__ import annotations

import dataclasses

import pytest

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.examined import Examined, ImageFault
from scoring_kernel.faces.quality import NO_FACE, GateGroup, Quality, QualityGate, find_fault

GOOD = Quality(
    score=0.93,
    second_share=0.0,
    eye_distance=76.0,
    brightness=122.0,
    deviation=54.0,
    sharpness=1023.0,
    roll=2.0,
    yaw=0.6,
    pitch=0.62,
    eye_contrast=0.59,
    mouth_contrast=0.61,
)


def changed(**values: float) -> Quality:
    return dataclasses.replace(GOOD, **values)


@pytest.mark.parametrize(
    ("values", "fault", "group", "words"),
    [
        ({"second_share": 0.4}, "several_faces", None, "0.40 of the first's size"),
        ({"eye_distance": 39.9}, "too_small", "size", "eyes 39.9 pixels apart"),
        ({"brightness": 24.9}, "dark", "dark", "mean grey 24.9"),
        ({"brightness": 235.1}, "dark", "dark", "mean grey 235.1"),
        ({"deviation": 14.9}, "dark", "dark", "spread of grey of 14.9"),
        ({"sharpness": 19.9}, "blurred", "size", "sharpness 19.9"),
        ({"roll": 30.1}, "pose", "pose", "roll 30.10"),
        ({"roll": -30.1}, "pose", "pose", "roll -30.10"),
        ({"yaw": 0.19}, "pose", "pose", "yaw 0.19"),
        ({"yaw": 0.81}, "pose", "pose", "yaw 0.81"),
        ({"pitch": 0.44}, "pose", "pose", "pitch 0.44"),
        ({"pitch": 0.73}, "pose", "pose", "pitch 0.73"),
        ({"score": 0.84}, "occluded", "occlusion", "score 0.84"),
        ({"eye_contrast": 0.14}, "occluded", "occlusion", "an eye 0.14"),
        ({"mouth_contrast": 0.09}, "occluded", "occlusion", "the mouth 0.09"),
    ],
)
def test_a_limit_names_its_fault_and_goes_with_its_group(
    values: dict[str, float], fault: str, group: str | None, words: str
) -> None:
    found = find_fault(changed(**values), QualityGate())
    assert found is not None
    assert found[0] == fault
    assert words in found[1]
    assert "expected" in found[1]
    for name in GateGroup:
        without = find_fault(changed(**values), QualityGate().without(name))
        assert (without is None) == (name == group)


def test_a_value_on_its_limit_passes() -> None:
    assert find_fault(GOOD, QualityGate()) is None
    edge = changed(
        score=0.85,
        second_share=0.39,
        eye_distance=40.0,
        brightness=25.0,
        deviation=15.0,
        sharpness=20.0,
        roll=-30.0,
        yaw=0.2,
        pitch=0.72,
        eye_contrast=0.15,
        mouth_contrast=0.10,
    )
    assert find_fault(edge, QualityGate()) is None


def test_the_first_fault_of_several_is_told() -> None:
    values: list[tuple[str, float]] = [
        ("second_share", 0.5),
        ("eye_distance", 10.0),
        ("deviation", 1.0),
        ("sharpness", 1.0),
        ("yaw", 0.0),
        ("eye_contrast", 0.0),
    ]
    told = []
    while values:
        found = find_fault(changed(**dict(values)), QualityGate())
        assert found is not None
        told.append(found[0])
        del values[0]
    assert told == list(ImageFault)[1:]


@pytest.mark.parametrize("field", [one.name for one in dataclasses.fields(Quality)])
def test_what_is_no_number_is_within_no_limit(field: str) -> None:
    assert find_fault(changed(**{field: float("nan")}), QualityGate()) is not None


def test_a_group_that_nobody_knows_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="speed"):
        QualityGate().without("speed")


def test_a_gate_is_written_in_one_way_and_differs_where_a_limit_does() -> None:
    both = QualityGate().without("size", "pose")
    assert both.to_json() == QualityGate().without("pose").without("size").to_json()
    others = {QualityGate().to_json(), QualityGate(least_score=0.9).to_json(), both.to_json()}
    assert len(others) == 3


def test_a_picture_without_a_fit_face_says_why() -> None:
    examined = Examined(faces=0, fault=ImageFault.NO_FACE, problem=NO_FACE)
    with pytest.raises(FaceImageError, match="found no face") as caught:
        examined.verify_face()
    assert caught.value.fault == "no_face"
