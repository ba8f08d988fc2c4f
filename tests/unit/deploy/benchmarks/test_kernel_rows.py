"""The kernel's rows measure work that was done, and say so when a peer is missing or differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from deploy.benchmarks import cli, kernel_grading, kernel_peers, kernel_plain, kernel_rows
from deploy.benchmarks.kernel_cuts import measure_cuts
from deploy.benchmarks.kernel_grading import measure_grading
from deploy.benchmarks.kernel_peers import measure_pandas, measure_zen
from deploy.benchmarks.kernel_plain import GROUP, PlainScorer
from deploy.benchmarks.kernel_rows import measure_p1, measure_p2
from deploy.benchmarks.kernel_world import World, make_world
from deploy.benchmarks.measuring import Bound, Row, Skipped
from deploy.errors import BenchmarkError
from scoring_kernel import load_catalog
from scoring_kernel.grades import names_of
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.sweep import sweep_values

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel.curves import LinearCurve

SUBJECTS = 400


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SUBJECTS)


def test_p1_measures_copies_peers_and_cuts() -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("zen")
    rows = measure_p1(subjects=SUBJECTS, repeats=1)
    names = [row.name for row in rows]
    assert len(set(names)) == len(names) == 6
    for row in rows:
        assert isinstance(row, Row)
        assert row.ours >= 0.0
        assert row.name.startswith("P1 ")
    assert "linear indicators" in names[3]


def test_a_made_up_world_has_gaps_overrides_and_several_grades(world: World) -> None:
    assert world.values.shape == (SUBJECTS, len(world.model.indicators))
    assert not world.present.all()
    assert world.overridden.any()
    found = sweep_values(world.plan, world.values, world.present, world.groups, world.overridden)
    assert len(set(found.grade.tolist())) >= 2


@pytest.mark.parametrize("name", load_catalog().models)
def test_plain_python_equals_the_kernel(name: str) -> None:
    world = make_world(150, name)
    found = sweep_values(world.plan, world.values, world.present, world.groups, world.overridden)
    grades = names_of(world.model.bands, found.grade)
    scorer = PlainScorer(world.plan)
    for row in range(150):
        given: dict[str, Any] = {GROUP: int(world.groups[row])}
        for at, one in enumerate(world.model.indicators):
            there = bool(world.present[row, at])
            given[one.id] = int(world.values[row, at]) if there else float("nan")
        for at, override in enumerate(world.model.overrides):
            given[override.id] = bool(world.overridden[row, at])
        score = scorer(given)
        assert list(score.points) == found.points[:, row].tolist()
        assert (score.total, score.grade) == (int(found.total[row]), grades[row])


def test_a_missing_peer_is_skipped_visibly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_peers, "find_module", lambda _: None)
    skipped = [measure(world, sample=5, repeats=1) for measure in (measure_pandas, measure_zen)]
    for row in skipped:
        assert isinstance(row, Skipped)
        assert "pip install 'yixin[bench]'" in row.reason
        assert row.to_json() == {"name": row.name, "skipped": row.reason}
    monkeypatch.setitem(cli.ROWS, "P1", lambda *_: skipped)
    done = CliRunner().invoke(cli.app, ["--only", "P1", "--strict"])
    assert done.exit_code == 0
    assert "skipped" in done.output


def test_a_module_that_is_not_there_is_none() -> None:
    assert kernel_peers.find_module("no_such_module_of_yixin") is None
    assert kernel_peers.find_module("math") is not None


def test_a_peer_with_other_points_is_an_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("zen")
    monkeypatch.setattr(kernel_plain, "curve_points", lambda *_: 1)
    with pytest.raises(BenchmarkError, match="plain Python"):
        measure_pandas(world, sample=20, repeats=1)
    decision = kernel_peers._decision  # noqa: SLF001  # What the engine is given.

    def shifted(given: World, lines: dict[int, LinearCurve]) -> object:
        moved = {at: replace(one, full=2 * one.full - one.zero) for at, one in lines.items()}
        return decision(given, moved)

    monkeypatch.setattr(kernel_peers, "_decision", shifted)
    with pytest.raises(BenchmarkError, match="zen-engine"):
        measure_zen(world, sample=20, repeats=1)


def test_no_grade_is_wrong_at_the_cuts_and_floats_get_some_wrong(world: World) -> None:
    exact, single = measure_cuts(world, subjects=20_000)
    for row in (exact, single):
        assert row.ours == 0
        assert row.reference > 0
        assert row.passes


def test_cuts_that_cannot_be_reached_are_an_error(world: World) -> None:
    one = world.plan.indicators[0]
    poor = replace(
        world.plan,
        indicators=tuple(
            replace(other, curves=(None,) * len(other.curves)) if at else one
            for at, other in enumerate(world.plan.indicators)
        ),
    )
    with pytest.raises(BenchmarkError, match="cannot reach a cut"):
        measure_cuts(replace(world, plan=poor), subjects=10)


def test_p2_needs_equal_points(monkeypatch: pytest.MonkeyPatch) -> None:
    row = measure_p2(subjects=SUBJECTS, repeats=1)
    assert row.bound is Bound.AT_LEAST
    assert row.ratio == row.ours / row.reference
    monkeypatch.setattr(
        kernel_rows, "compile_model", lambda model, _, day: compile_model(model, None, day)
    )
    with pytest.raises(BenchmarkError, match="ONNX and numpy differ"):
        measure_p2(subjects=SUBJECTS, repeats=1)


def test_p9k_grades_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = measure_grading(tmp_path, scale=0.002, repeats=1)
    assert row.ours > 0.0
    assert row.reference > 0.0
    assert f"{8 + 74 + 2_000:,} subjects" in row.name
    monkeypatch.setattr(kernel_grading, "_scan", lambda *_: 0)
    with pytest.raises(BenchmarkError, match="DuckDB read"):
        measure_grading(tmp_path, scale=0.002, repeats=1)
    monkeypatch.setattr(kernel_grading, "_grade", lambda _: 0)
    with pytest.raises(BenchmarkError, match="expected all"):
        measure_grading(tmp_path, scale=0.002, repeats=1)


def test_the_command_measures_kernel_rows() -> None:
    done = CliRunner().invoke(cli.app, ["--only", "P2,P9K", "--scale", "0.01", "--repeats", "1"])
    assert done.exit_code == 0, done.output
    assert "P2" in done.output
    assert "P9K" in done.output
