"""Any bytes are a picture or a ``FaceImageError``; any picture is examined without a crash."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scoring_kernel.errors import CatalogError, FaceImageError
from scoring_kernel.faces.alignment import FIVE_POINTS, similarity
from scoring_kernel.faces.decoding import decode
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.manifest_files import parse_manifest
from tests.support.faces import picture, pipeline, stand_ins


def written(kind: str) -> bytes:
    held = BytesIO()
    Image.fromarray(picture(1)[:60, :80]).save(held, kind)
    return held.getvalue()


SEEDS = {kind: written(kind) for kind in ("JPEG", "PNG", "PPM", "BMP")}
FAULTS = {*ImageFault, "unreadable", "too_large", "fit"}
MANIFESTS = [one.text for one in stand_ins()]


def looked_at(content: bytes) -> None:
    try:
        examined = pipeline().examine(decode(content))
    except FaceImageError as error:
        told = error.fault, "expected" in error.problem
    else:
        told = examined.fault or "fit", True
    assert told in {(fault, True) for fault in FAULTS}


@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_picture_or_refused(content: bytes) -> None:
    looked_at(content)


@pytest.mark.parametrize("kind", sorted(SEEDS))
@given(data=st.data())
def test_a_damaged_picture_is_a_picture_or_refused(kind: str, data: st.DataObject) -> None:
    content = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        # Half of the damage goes where sizes and tables are.
        last = data.draw(st.sampled_from([min(60, len(content)), len(content)])) - 1
        content[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    looked_at(bytes(content[: data.draw(st.integers(1, len(content)))]))
    looked_at(bytes(content))


@settings(max_examples=60)
@given(
    height=st.integers(16, 120),
    width=st.integers(16, 700),
    seed=st.integers(0, 1000),
    green=st.booleans(),
)
def test_any_picture_is_examined(height: int, width: int, seed: int, *, green: bool) -> None:
    rng = np.random.default_rng(seed)  # noqa: TID251  # a seeded test
    frame = rng.integers(0, 256, (height, width, 3), np.uint8)
    if green:  # Faces all over, half outside.
        frame[:] = (0, 255, 0)
    examined = pipeline().examine(frame)
    assert (examined.vector is None) == (examined.fault is not None)
    assert (examined.problem == "") == (examined.fault is None)
    if examined.fault in {"no_face", "several_faces", "too_small", "dark", "blurred"}:
        assert examined.liveness.answer is LivenessAnswer.NOT_CHECKED


@given(
    turn=st.floats(-180, 180),
    scale=st.floats(0.05, 50),
    shift=st.tuples(st.floats(-5000, 5000), st.floats(-5000, 5000)),
)
def test_alignment_undoes_any_turn_scale_and_shift(
    turn: float, scale: float, shift: tuple[float, float]
) -> None:
    angle = np.radians(turn)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = scale * FIVE_POINTS @ matrix.T + np.array(shift)
    move = similarity(points, FIVE_POINTS)
    assert np.abs(points @ move[:, :2].T + move[:, 2] - FIVE_POINTS).max() < 1e-6


@given(data=st.data(), base=st.sampled_from(MANIFESTS))
def test_a_damaged_manifest_is_a_manifest_or_refused_with_its_line(
    data: st.DataObject, base: str
) -> None:
    at = data.draw(st.integers(0, len(base) - 1))
    length = data.draw(st.integers(0, 12))
    other = data.draw(st.text(max_size=12))
    try:
        name = parse_manifest(base[:at] + other + base[at + length :], "own.yaml").id
    except CatalogError as error:
        name = error.file
    assert name
