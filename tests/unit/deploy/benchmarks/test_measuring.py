"""Rows are medians of alternating runs and one ratio, judged against its target."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from deploy.benchmarks import cli
from deploy.benchmarks.intake_rows import measure_csv, measure_json
from deploy.benchmarks.measuring import Bound, Row, alternate, stopwatch
from deploy.errors import BenchmarkError


def row(ratio: float, bound: Bound, target: float) -> Row:
    return Row(
        name="P0 nothing",
        unit="s",
        ours=ratio,
        reference=1.0,
        ratio=ratio,
        bound=bound,
        target=target,
        growth="constant",
    )


@pytest.mark.parametrize(
    ("ratio", "bound", "passes"),
    [
        (2.0, Bound.AT_LEAST, True),
        (1.99, Bound.AT_LEAST, False),
        (2.0, Bound.AT_MOST, True),
        (2.01, Bound.AT_MOST, False),
    ],
)
def test_a_target_is_met_on_its_own_side(ratio: float, bound: Bound, *, passes: bool) -> None:
    assert row(ratio, bound, 2.0).passes is passes


def test_runs_alternate_and_medians_ignore_an_outlier() -> None:
    order: list[str] = []

    def ours(run: int) -> float:
        order.append(f"A{run}")
        return 100.0 if run == 0 else 2.0

    def reference(run: int) -> float:
        order.append(f"B{run}")
        return 1.0

    assert alternate(ours, reference, repeats=3) == (2.0, 1.0)
    assert order == ["A0", "B0", "A1", "B1", "A2", "B2"]


def test_no_run_is_no_measurement() -> None:
    with pytest.raises(BenchmarkError, match="at least 1"):
        alternate(lambda _: 1.0, lambda _: 1.0, repeats=0)


def test_a_cores_time_is_never_less_than_the_clocks() -> None:
    with stopwatch() as watch:
        sum(range(200_000))
    assert watch.core_s >= watch.wall_s > 0.0


def test_the_json_row_takes_everything_in(tmp_path: Path) -> None:
    measured = measure_json(tmp_path, lines=1_500, repeats=1)
    assert measured.ours > 0.0
    assert measured.ratio == measured.ours / measured.reference


def test_the_csv_row_takes_everything_in(tmp_path: Path) -> None:
    measured = measure_csv(tmp_path, rows=500, repeats=1)
    assert measured.bound is Bound.AT_MOST
    assert measured.ratio == measured.ours / measured.reference
    assert not list(tmp_path.glob("*.parquet"))


def test_the_command_prints_and_writes_the_rows_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (row(3.0, Bound.AT_LEAST, 2.0), row(3.0, Bound.AT_MOST, 2.0))
    monkeypatch.setitem(cli.ROWS, "P3", lambda *_: rows)
    out = tmp_path / "rows.json"
    done = CliRunner().invoke(cli.app, ["--only", "P3", "--json", str(out)])
    assert done.exit_code == 0, done.output
    assert "P0 nothing" in done.output
    assert "cost: constant" in done.output
    written = orjson.loads(out.read_bytes())
    assert [one["pass"] for one in written] == [True, False]
    assert set(written[0]) >= {"name", "ours", "reference", "ratio", "target", "pass"}
    strict = CliRunner().invoke(cli.app, ["--only", "P3", "--strict"])
    assert strict.exit_code == 1


def test_an_unknown_row_is_a_usage_error() -> None:
    done = CliRunner().invoke(cli.app, ["--only", "P3,P99"])
    assert done.exit_code == 2
    assert "P99" in done.output


def test_a_run_that_failed_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> tuple[Row, ...]:
        raise BenchmarkError("took in 3 of 4 lines")

    monkeypatch.setitem(cli.ROWS, "P3", fails)
    done = CliRunner().invoke(cli.app, ["--only", "P3"])
    assert done.exit_code == 1
    assert "3 of 4" in done.output
