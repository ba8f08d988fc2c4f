"""A gallery answers as a plain list of vectors would; what comes over a wire is a unit vector."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import TemplateError
from node.presence.enrolment import parse_vectors
from node.presence.gallery import MappedVectors
from tests.support.face_vectors import units

DIMENSION = 6
ROWS = units(40, DIMENSION)
# Few rows far apart would never tie: some are doubled.
ROWS[30:] = ROWS[:10]
NAMES = [bytes([number]) * 16 for number in range(40)]
steps = st.lists(
    st.tuples(st.booleans(), st.lists(st.integers(0, 39), min_size=1, unique=True)), max_size=12
)


@settings(max_examples=60, deadline=None)
@given(
    steps=steps,
    probe=st.integers(0, 39),
    threshold=st.integers(-10_000, 10_000),
    limit=st.integers(1, 45),
)
def test_a_gallery_is_a_list(
    steps: list[tuple[bool, list[int]]], probe: int, threshold: int, limit: int
) -> None:
    gallery, plain = MappedVectors(DIMENSION), dict[int, None]()
    for comes, places in steps:
        if comes:
            new = [place for place in places if place not in plain]
            gallery.add([NAMES[place] for place in new], ROWS[new])
            plain.update(dict.fromkeys(new))
        else:
            gallery.remove([NAMES[place] for place in places])
            for place in places:
                plain.pop(place, None)
    scores = {place: float(ROWS[place].astype(np.float64) @ ROWS[probe]) for place in plain}
    told = {
        place: max(-10_000, min(10_000, int(np.floor(score * 10_000))))
        for place, score in scores.items()
    }
    answer = gallery.search(ROWS[probe], threshold, limit)
    gallery.close()

    expected = sorted(
        (place for place in plain if told[place] >= threshold),
        key=lambda place: (-told[place], NAMES[place]),
    )
    found = [NAMES.index(name) for name, _ in answer]
    assert len(found) == min(limit, len(expected))
    assert [score for _, score in answer] == [told[place] for place in expected[: len(found)]]
    # Twins have one score: the one with the smaller id comes first.
    assert all(
        place - 30 in found[: found.index(place)]
        for place in found
        if place >= 30 and place - 30 in plain
    )


@settings(max_examples=200, deadline=None)
@given(
    contents=st.lists(st.binary(max_size=40), max_size=7),
    dimension=st.one_of(st.none(), st.integers(2, 8)),
)
def test_whatever_comes_is_unit_vectors_or_refused(
    contents: list[bytes], dimension: int | None
) -> None:
    try:
        vectors = parse_vectors(tuple(contents), dimension)
    except TemplateError:
        return
    assert 1 <= len(vectors) <= 5
    assert len({vector.shape for vector in vectors}) == 1
    assert all(abs(float(np.linalg.norm(vector.astype(float))) - 1) <= 1e-3 for vector in vectors)


@given(scale=st.floats(0.9995, 1.0005), place=st.integers(0, 39))
def test_a_unit_vector_is_taken_as_it_is(scale: float, place: int) -> None:
    content = (ROWS[place] * scale).astype("<f4")
    (vector,) = parse_vectors((content.tobytes(),), DIMENSION)
    assert (vector == content).all()
