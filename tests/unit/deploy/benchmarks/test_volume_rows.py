"""P4 measures work that was done, in processes of its own, and refuses wrong sums."""

from pathlib import Path

import pytest

from deploy.benchmarks import volume_rows
from deploy.benchmarks.volume_rows import measure_volume
from deploy.benchmarks.volume_run import run
from deploy.errors import BenchmarkError, SimulationError
from deploy.simulation.credit_records import CreditOrder, CreditTotals, write_credit_records


def test_growing_sizes_are_compared_and_memory_is_told(tmp_path: Path) -> None:
    rows = measure_volume(tmp_path, base=300, steps=(1, 4))

    assert [row.name.split(" (")[0] for row in rows] == [
        "P4 1,200 credit records vs 300",
        "P4 peak memory at 1,200 records",
    ]
    time, memory = rows
    assert time.ratio == pytest.approx(time.ours / time.reference * 10 / 4)
    assert 0 < memory.ratio < 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_tells_the_sums_of_its_file(tmp_path: Path) -> None:
    order = CreditOrder(rows=500, institutions=3, months=4)
    totals = write_credit_records(order, tmp_path / "a.parquet", lambda *_: None)
    (tmp_path / "node").mkdir()
    found = run(tmp_path / "node", tmp_path / "a.parquet", 3)

    assert (found["rows"], found["amount_fen"]) == (totals.rows, totals.amount_fen)
    assert (found["months"], found["institutions"], found["refused"]) == (4, 3, 0)


def test_wrong_sums_and_failed_runs_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BenchmarkError, match="the store answers"):
        volume_rows._verify(  # noqa: SLF001 - a wrong answer cannot be had from the outside
            {"rows": 1, "amount_fen": 2, "months": 1, "refused": 0},
            CreditTotals(rows=1, amount_fen=1, rows_of_month={202401: 1}),
        )
    monkeypatch.setattr(volume_rows, "_INSTITUTIONS", 100_000)
    with pytest.raises(SimulationError, match="expected 1 to 99999"):
        measure_volume(tmp_path, base=10, steps=(1,))
