from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.examined import LivenessAnswer, LivenessCheck
from scoring_kernel.faces.liveness import LivenessModel
from scoring_kernel.faces.manifest import Normalisation
from tests.support.faces import liveness, save, stand_in

BOX = (100.0, 80.0, 100.0, 120.0)


def model(threshold_e4: int = 5000) -> LivenessModel:
    given = liveness()
    manifest = replace(given.manifest, default_threshold_e4=threshold_e4)
    return LivenessModel.load(manifest, given.content)


def coloured(*, blue: int = 0, green: int = 0, red: int = 0) -> np.ndarray:
    frame = np.zeros((320, 320, 3), np.uint8)
    frame[:] = (blue, green, red)
    return frame


@pytest.mark.parametrize(
    ("colours", "answer"),
    [
        ({"green": 200}, LivenessAnswer.LIVE),
        ({"red": 255, "green": 50}, LivenessAnswer.SPOOF),
        ({"blue": 255, "green": 50}, LivenessAnswer.SPOOF),
    ],
)
def test_the_class_of_the_living_before_all_others_is_live(
    colours: dict[str, int], answer: LivenessAnswer
) -> None:
    check = model().check(coloured(**colours), BOX)
    assert check.answer is answer
    assert check.live_e4 is not None
    assert (check.live_e4 >= 5000) == (answer is LivenessAnswer.LIVE)


def test_the_probability_is_rounded_down_and_the_threshold_counts_too() -> None:
    frame = coloured(green=128, blue=128, red=128)  # Live before the others, by 2.
    share = np.exp(2) / (np.exp(2) + 2)
    expected = int(share * 10_000)
    answers = {step: model(threshold_e4=expected + step).check(frame, BOX) for step in (0, 1)}
    assert answers == {
        0: LivenessCheck(answer=LivenessAnswer.LIVE, live_e4=expected),
        1: LivenessCheck(answer=LivenessAnswer.SPOOF, live_e4=expected),
    }


def test_a_low_threshold_does_not_make_the_second_likeliest_class_live() -> None:
    check = model(threshold_e4=1).check(coloured(red=255, green=200), BOX)
    assert check.live_e4 is not None
    assert 1 < check.live_e4 < 5000
    assert check.answer is LivenessAnswer.SPOOF


@pytest.mark.parametrize(
    "box",
    [
        (100.0, 80.0, 63.0, 63.9),
        (-60.0, 80.0, 100.0, 120.0),
        (280.0, 80.0, 100.0, 120.0),
        (100.0, -80.0, 100.0, 120.0),
        (100.0, 290.0, 100.0, 120.0),
        (-500.0, -500.0, 100.0, 120.0),
        (0.0, 0.0, 1e9, 1e9),
        (100.0, 80.0, float("nan"), float("nan")),
    ],
)
def test_what_is_too_small_or_outside_of_the_picture_is_not_checked(
    box: tuple[float, float, float, float],
) -> None:
    check = model().check(coloured(green=200), box)
    assert check == LivenessCheck(answer=LivenessAnswer.NOT_CHECKED)


@pytest.mark.parametrize("corner", [(2.0, 80.0), (238.0, 80.0), (100.0, 2.0), (100.0, 218.0)])
def test_what_lies_a_little_outside_is_black(corner: tuple[float, float]) -> None:
    frame = coloured(red=100, green=200)
    framed = np.pad(frame, ((200, 200), (200, 200), (0, 0)))
    left, top = corner
    check = model().check(frame, (left, top, 80.0, 100.0))
    assert check == model().check(framed, (left + 200, top + 200, 80.0, 100.0))
    assert check != model().check(frame, BOX)


def made_of(*nodes: onnx.NodeProto, normalise: str) -> LivenessModel:
    """The stand-in with further nodes after it, from ``output`` to ``last``."""
    given = liveness()
    graph = onnx.load_model_from_string(given.content).graph
    graph.node.extend(nodes)
    graph.output[0].name = "last"
    rest = given.text.split("\n", 3)[3].replace("name: output", "name: last")
    pinned = stand_in("other", save(graph), rest.replace("softmax", normalise))
    return LivenessModel.load(pinned.manifest, pinned.content)


def test_a_model_that_gives_probabilities_itself_gives_the_same_answer() -> None:
    softmax = onnx.helper.make_node("Softmax", ["output"], ["last"])
    frame = coloured(green=140, red=100)
    assert made_of(softmax, normalise="none").check(frame, BOX) == model().check(frame, BOX)


@pytest.mark.parametrize("normalise", ["none", "softmax"])
def test_numbers_that_are_none_are_the_models_fault(normalise: str) -> None:
    nodes = [
        onnx.helper.make_node("Sub", ["output", "output"], ["zero"]),
        onnx.helper.make_node("Div", ["zero", "zero"], ["last"]),
    ]
    with pytest.raises(FaceModelError, match="no probabilities"):
        made_of(*nodes, normalise=normalise).check(coloured(green=200), BOX)


def test_numbers_that_are_no_probabilities_are_the_models_fault() -> None:
    given = liveness()
    plain = replace(given.manifest.output, normalise=Normalisation.NONE)
    raw = LivenessModel.load(replace(given.manifest, output=plain), given.content)
    with pytest.raises(FaceModelError, match="no probabilities"):
        raw.check(coloured(green=200), BOX)
