"""P10 measures searches that found the right person, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from deploy.benchmarks import face_decision, face_run
from deploy.benchmarks.cli import ROWS
from deploy.benchmarks.face_rows import measure_faces
from deploy.benchmarks.measuring import Skipped
from deploy.errors import BenchmarkError
from tests.support.faces import SHARED, needs_shared_faces

if TYPE_CHECKING:
    from pathlib import Path


def test_without_models_a_frame_is_skipped_and_a_search_is_measured(tmp_path: Path) -> None:
    skipped, row = measure_faces(templates=1_000, repeats=1, data=tmp_path / "none")
    assert isinstance(skipped, Skipped)
    assert skipped.reason.endswith("none is absent")
    assert row.name.startswith("P10 1:N over 1,000 templates (1 MB mapped, +")
    assert row.ratio == row.ours / row.reference > 0
    assert (row.bound.value, row.target) == ("≤", 1.5)
    assert row.growth.startswith("linear in templates: ")
    assert "P10" in ROWS
    with pytest.raises(BenchmarkError, match="no known model of kind detector, embedding"):
        face_decision.find_models(tmp_path)


@needs_shared_faces
def test_a_frame_becomes_a_decision_with_the_vector_of_the_bare_calls() -> None:
    found = face_decision.decide(SHARED, 1)
    assert found["ours_ms"] > 0
    assert found["reference_ms"] > 0
    assert found["peak_bytes"] > 50e6


def test_what_is_measured_is_drawn_again_the_same_and_of_unit_length() -> None:
    first, second = (
        face_run.draw(300, np.random.default_rng(1))  # noqa: TID251 - the benchmark's own
        for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert np.allclose(np.linalg.norm(first, axis=1), 1)


def test_a_search_that_finds_nobody_is_no_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_run, "THRESHOLD_E4", 10_000)
    with pytest.raises(BenchmarkError, match="among 10 templates found somebody else"):
        face_run.search_many(100, 1)


def test_a_run_that_ends_badly_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="ended with 1; it said"):
        measure_faces(templates=-5, repeats=1, data=tmp_path / "none")
