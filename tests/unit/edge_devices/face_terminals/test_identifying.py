"""Searching for a person: what leaves the machine, and what comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge_devices.errors import DeviceConfigurationError, NodeRefusedError
from edge_devices.face_terminals.identifying import PLACES, Identifying, verify_allowed
from edge_devices.face_terminals.standing import Standing, read_standing
from node.api.edge.authorisation import EDGE_METHODS
from protos.yixin.v1 import edge_pb2
from scoring_kernel.faces.matching import parse_vector, score_e4
from scoring_kernel.faces.transform import protect, transform_matrix
from security.devices import Place
from tests.support.terminals import MODEL, PERSON, PIPELINE, TRANSFORM, unit

if TYPE_CHECKING:
    from collections.abc import Sequence

SEARCH = Identifying(purpose="入口识别", count=2)


def standing(*, place: str = "window", identify: bool = True) -> Standing:
    said = edge_pb2.HelloResponse(
        transform=TRANSFORM, transform_epoch=4, timeout_s=20, place=place, identify=identify
    )
    return read_standing(said, model=MODEL, pipeline=PIPELINE)


def answer(*candidates: tuple[str, int], searched: int = 40) -> edge_pb2.IdentifyResponse:
    listed = [edge_pb2.Candidate(person=who, score_e4=score) for who, score in candidates]
    return edge_pb2.IdentifyResponse(candidates=listed, searched=searched)


def test_a_vector_leaves_under_the_transform() -> None:
    vector = unit(*range(1, 129))
    request = SEARCH.request(vector, standing(), MODEL)
    assert (request.model, request.epoch, request.count) == (MODEL, 4, 2)
    assert request.purpose == "入口识别"
    sent = parse_vector(request.vector, 128)
    assert score_e4(sent, protect(vector[None], transform_matrix(TRANSFORM, 128))[0]) >= 9_999
    assert abs(score_e4(sent, vector)) < 5_000


def test_the_places_are_those_that_the_node_lets_search() -> None:
    allowed = {place for _, place in EDGE_METHODS["/yixin.v1.EdgeIntake/Identify"]}
    assert allowed == PLACES
    for place in Place:
        if place in PLACES:
            verify_allowed(standing(place=place))
            continue
        with pytest.raises(NodeRefusedError, match=f"place {place}, expected one of"):
            verify_allowed(standing(place=place))


def test_what_is_off_is_told_with_its_setting() -> None:
    with pytest.raises(NodeRefusedError, match=r"identify = true in \[faces\] of node.toml"):
        verify_allowed(standing(identify=False))


@pytest.mark.parametrize("purpose", ["", "  ", "x" * 101, "a\nb", "a\x1b[2J"])
def test_a_purpose_that_no_log_takes_is_refused(purpose: str) -> None:
    with pytest.raises(DeviceConfigurationError, match=f"--purpose of {len(purpose)} "):
        Identifying(purpose=purpose).verify()


@pytest.mark.parametrize("count", [0, 21])
def test_a_count_that_no_node_allows_is_refused(count: int) -> None:
    with pytest.raises(DeviceConfigurationError, match="expected 1 to 20"):
        Identifying(purpose="x", count=count).verify()


def test_candidates_are_read_best_first_and_shown_in_no_repr() -> None:
    found = SEARCH.read(answer((PERSON, 7_100), ("P2", 7_100)))
    assert found.candidates == ((PERSON, 7_100), ("P2", 7_100))
    assert found.searched == 40
    assert PERSON not in repr(found)
    assert SEARCH.read(answer(searched=0)).candidates == ()


@pytest.mark.parametrize(
    ("candidates", "searched", "words"),
    [
        ([("P1", 9_000), ("P2", 8_000), ("P3", 7_000)], 40, "3 candidates, expected at most 2"),
        ([("P1", 9_000), ("P2", 8_000)], 1, "2 candidates, expected at most 1"),
        ([("P1", 8_000), ("P2", 9_000)], 40, "out of order"),
        ([("P1", 10_001)], 40, "likeness of 10001"),
        ([("P1", -10_001)], 40, "likeness of -10001"),
        ([("", 9_000)], 40, "number of 0 characters"),
        ([("P" * 31, 9_000)], 40, "number of 31 characters"),
        ([("P\x1b[2J", 9_000)], 40, "number of 5 characters"),
    ],
)
def test_an_answer_that_is_none_is_not_taken(
    candidates: Sequence[tuple[str, int]], searched: int, words: str
) -> None:
    with pytest.raises(NodeRefusedError, match=words):
        SEARCH.read(answer(*candidates, searched=searched))
