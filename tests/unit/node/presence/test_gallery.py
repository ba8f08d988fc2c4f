"""Searches of one face among many: off until switched on, logged, exact, and never of who left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from node.errors import TemplateError
from node.presence.gallery import MappedVectors
from node.presence.rekeying import rekey
from node.store.calibrations import CalibrationUse
from scoring_kernel.errors import TemplateMismatchError
from tests.support import face_templates as f
from tests.support.face_vectors import units
from tests.support.node_messages import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node.store import NodeStore

FACES = units(40, f.DIMENSION)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened


@pytest.fixture
def entrance(store: NodeStore) -> f.Terminal:
    """A terminal at a node that searches; 40 people are enrolled."""
    f.calibrate_site(store, 6_000, use=CalibrationUse.IDENTIFY)
    terminal = f.terminal(store, identify=True)
    for number, face in enumerate(FACES):
        terminal.enrol(f"P{number}", face)
    return terminal


def brute(rows: Any, names: list[bytes], probe: Any, threshold_e4: int) -> list[tuple[bytes, int]]:  # noqa: ANN401
    """Every row by itself, in float64, sorted."""
    scores = rows.astype(np.float64) @ probe.astype(np.float64)
    told = np.floor(np.round(scores, 12) * 10_000).astype(int)
    order = sorted(range(len(names)), key=lambda place: (-scores[place], names[place]))
    return [(names[one], int(told[one])) for one in order if told[one] >= threshold_e4]


def names(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


def test_a_search_over_100_000_mapped_vectors_is_exact() -> None:
    rows, ids = units(100_000, 128, seed=3), names(100_000)
    gallery = MappedVectors(128)
    for begin in range(0, len(ids), 30_000):
        gallery.add(ids[begin : begin + 30_000], rows[begin : begin + 30_000])

    assert len(gallery) == 100_000
    for place in (0, 31_415, 99_999):
        probe = units(1, 128, seed=place)[0] * 0.5 + rows[place]
        probe = (probe / np.linalg.norm(probe)).astype(np.float32)
        expected = brute(rows, ids, probe, 2_500)
        assert expected[0][0] == ids[place]
        assert len(expected) > 20
        assert list(gallery.search(probe, 2_500, len(expected) + 1)) == expected
        assert list(gallery.search(probe, 2_500, 5)) == expected[:5]
    gallery.close()


def test_what_is_taken_out_is_never_found_and_the_rest_stays_exact() -> None:
    rows, ids = units(3_000, 32, seed=3), names(3_000)
    gallery = MappedVectors(32)
    gallery.add(ids, rows)
    gone = set(ids[::3]) | set(ids[-5:])
    gallery.remove(gone | {b"unknown"})
    gallery.add(ids[:1], rows[:1])

    left = [place for place, one in enumerate(ids) if one not in gone or place == 0]
    assert gallery.ids == {ids[place] for place in left}
    for probe in rows[:20]:
        expected = brute(rows[left], [ids[place] for place in left], probe, 1_000)
        assert list(gallery.search(probe, 1_000, 3_000)) == expected
    gallery.remove(ids)
    assert gallery.search(rows[0], -10_000, 5) == ()
    gallery.close()


def mapped() -> list[str]:
    """What this process has mapped of galleries."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line for line in lines if "yixin-gallery" in line]


def test_the_vectors_stand_in_anonymous_memory_alone() -> None:
    assert mapped() == []
    gallery = MappedVectors(64)
    gallery.add(names(40), FACES)
    (line,) = mapped()
    assert "/memfd:yixin-gallery (deleted)" in line
    gallery.add(names(3_000)[40:], units(2_960, 64))
    (line,) = mapped()
    assert gallery.search(FACES[7], 9_000, 1)[0][0] == names(8)[7]
    gallery.close()
    assert mapped() == []


def test_no_search_before_it_is_switched_on(store: NodeStore) -> None:
    window = f.terminal(store)
    window.enrol("P1", FACES[0])
    with pytest.raises(TemplateError, match="one-to-many search is off"):
        window.desk.identify(window.probe(FACES[0]), f.NOW)
    assert [one.action for one in store.desk.entries()] == ["template_enrol"]


def test_a_search_finds_who_is_there_and_is_logged(store: NodeStore, entrance: f.Terminal) -> None:
    answer = entrance.desk.identify(entrance.probe(FACES[7]), f.NOW)
    assert answer.searched == 40
    assert [name for name, _ in answer.candidates] == ["P7"]
    assert answer.candidates[0][1] >= 9_999
    stranger = entrance.desk.identify(entrance.probe(units(1, 64, 77)[0]), f.NOW)
    assert stranger.candidates == ()

    logged = store.desk.entries(2, "identify")
    assert [one.operator for one in logged] == [f.DEVICE, f.DEVICE]
    assert logged[1].detail == f"入口识别; 40 searched; 1 candidates; {f.DEVICE}"
    assert logged[0].detail == f"入口识别; 40 searched; 0 candidates; {f.DEVICE}"


def test_who_was_revoked_deleted_or_has_expired_is_not_found(
    store: NodeStore, entrance: f.Terminal
) -> None:
    desk = entrance.desk

    def candidates(number: int, **later: Any) -> list[str]:  # noqa: ANN401
        answer = desk.identify(entrance.probe(FACES[number]), f.NOW + timedelta(**later))
        return [name for name, _ in answer.candidates]

    assert candidates(1) == ["P1"]
    store.edge.templates.revoke("P1", f.CLERK, 730)
    assert candidates(1) == []
    store.edge.templates.delete("P2", f.CLERK)
    assert candidates(2) == []
    store.edge.templates.revoke("P3", f.CLERK, 730)
    entrance.enrol("P3", FACES[1])
    assert (candidates(3), candidates(1)) == ([], ["P3"])
    assert candidates(4, days=729) == ["P4"]
    assert candidates(4, days=730) == []
    assert candidates(4) == ["P4"]


def test_staff_on_duty_are_not_searched(entrance: f.Terminal) -> None:
    face = units(1, 64, 99)[0]
    asked = replace(entrance.enrolment("D1", face), subject="staff", purposes=("duty",))
    entrance.desk.enrol(asked, f.NOW)
    answer = entrance.desk.identify(entrance.probe(face), f.NOW)
    assert (answer.searched, answer.candidates) == (40, ())


def test_after_a_re_keying_the_same_people_are_found(
    store: NodeStore, entrance: f.Terminal
) -> None:
    old = entrance.probe(FACES[5])
    before = entrance.desk.identify(old, f.NOW)
    rekey(store.edge.templates, f.CLERK)
    after = entrance.desk.identify(entrance.probe(FACES[5]), f.NOW)

    assert [name for name, _ in after.candidates] == [name for name, _ in before.candidates]
    with pytest.raises(TemplateError, match="transform epoch 1, expected 2"):
        entrance.desk.identify(old, f.NOW)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"purpose": ""}, "purpose of 0 characters"),
        ({"purpose": "x" * 101}, "purpose of 101"),
        ({"count": 0}, "count 0"),
        ({"count": 6}, "count 6, expected 1 to 5"),
        ({"purpose": "x\ny"}, "purpose of 3 characters, expected 1 to 100, on one line"),
        ({"vector": b""}, "0 bytes"),
        ({"vector": b"\0" * 255, "model": b"\x09" * 32}, "255 bytes, expected 4 a number"),
        ({"vector": b"\0" * 256}, "length 0"),
        ({"institution": "P33030200017"}, "no calibration for searches"),
        ({"model": b"\x09" * 32}, "no calibration for searches"),
    ],
)
def test_a_malformed_search_is_refused_and_not_answered(
    store: NodeStore, entrance: f.Terminal, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(TemplateError, match=words) as refused:
        entrance.desk.identify(replace(entrance.probe(FACES[0]), **change), f.NOW)
    assert "enrolled" not in str(refused.value)
    assert len(store.desk.entries(100, "identify")) == 40


def test_a_search_needs_a_calibration_for_so_many(store: NodeStore) -> None:
    entrance = f.terminal(store, identify=True)
    for number, face in enumerate(FACES):
        entrance.enrol(f"P{number}", face)
    f.calibrate_site(store, 6_000)
    with pytest.raises(TemplateError, match="no calibration for searches"):
        entrance.desk.identify(entrance.probe(FACES[0]), f.NOW)
    f.calibrate_site(store, 6_000, far_e6=26_000, use=CalibrationUse.IDENTIFY)
    with pytest.raises(TemplateError, match="holds for 38 templates, found 40"):
        entrance.desk.identify(entrance.probe(FACES[0]), f.NOW)
    f.calibrate_site(store, 6_000, far_e6=25_000, use=CalibrationUse.IDENTIFY)
    assert entrance.desk.identify(entrance.probe(FACES[0]), f.NOW).searched == 40


def test_enrolment_tells_whom_a_face_resembles_where_searches_are_on(
    store: NodeStore, entrance: f.Terminal
) -> None:
    asked = entrance.enrolment("P1000", FACES[3])
    answer = entrance.desk.enrol(asked, f.NOW)
    (row,) = store.edge.templates.rows("P3", 5)
    assert answer.resembles == (row.id,)
    told = store.desk.entries(10, answer.id.hex())
    assert [one.action for one in told] == ["template_resembles", "template_enrol"]
    assert told[0].detail == row.id.hex()

    store.edge.templates.revoke("P4", f.CLERK, 730)
    again = entrance.desk.enrol(entrance.enrolment("P4", FACES[4]), f.NOW)
    assert again.resembles == ()


def test_a_probe_of_another_length_is_refused() -> None:
    gallery = MappedVectors(64)
    gallery.add(names(40), FACES)
    with pytest.raises(TemplateMismatchError):
        gallery.search(units(1, 32)[0], 5_000, 5)
    gallery.close()
