"""P4: credit records in bulk into a node, 1x, 10x and 100x, ending queryable.

The city of Wenzhou collected 45.23 million credit records. Each size is taken in by a process
of its own; the question at the end must give the sums that the generator knows. Cost must grow
linearly in rows: ten times the rows in at most eleven times the time.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from deploy.benchmarks.measuring import Bound, Row
from deploy.demo.processes import environment
from deploy.errors import BenchmarkError
from deploy.simulation.credit_records import CreditOrder, CreditTotals, write_credit_records

BASE_ROWS: Final = 452_300
STEPS: Final = (1, 10, 100)
MOST_RATIO: Final = 11.0
MOST_BYTES: Final = 1.5 * 1024**3
GROWTH: Final = "linear in rows; memory flat"
_INSTITUTIONS: Final = 1_000
_TIMEOUT_S: Final = 6 * 3_600.0


def measure_volume(
    work: Path, *, base: int = BASE_ROWS, steps: Sequence[int] = STEPS
) -> tuple[Row, ...]:
    """Measure the intake of credit records at growing sizes.

    Args:
        work: Empty directory for files and stores.
        base: Rows of the first size.
        steps: Sizes, as multiples of ``base``, ascending.

    Returns:
        For each step after the first the time as a multiple of ten times the step before's
        share, and the peak memory of the largest.

    Raises:
        BenchmarkError: A run failed, or its sums are wrong.
    """
    found = [_measure(work, base * step) for step in steps]
    rows = [
        Row(
            name=f"P4 {base * many:,} credit records vs {base * few:,}",
            unit="s",
            ours=after["seconds"],
            reference=before["seconds"],
            ratio=after["seconds"] / before["seconds"] * 10 * few / many,
            bound=Bound.AT_MOST,
            target=MOST_RATIO,
            growth=GROWTH,
        )
        for few, many, before, after in zip(steps, steps[1:], found, found[1:], strict=False)
    ]
    last = found[-1]
    peak = last["peak_with_question_bytes"]
    rows.append(
        Row(
            name=f"P4 peak memory at {base * steps[-1]:,} records (answer in"
            f" {last['question_s']:.1f} s)",
            unit="MiB",
            ours=peak / 1024**2,
            reference=MOST_BYTES / 1024**2,
            ratio=peak / MOST_BYTES,
            bound=Bound.AT_MOST,
            target=1.0,
            growth=GROWTH,
        )
    )
    return tuple(rows)


def _measure(work: Path, rows: int) -> Mapping[str, float]:
    """Take one size in; files and store are gone afterwards."""
    place = work / f"rows-{rows}"
    store = place / "node"
    store.mkdir(parents=True)
    file = place / "credit_records.parquet"
    totals = write_credit_records(CreditOrder(rows=rows, institutions=_INSTITUTIONS), file, _quiet)
    done = subprocess.run(  # noqa: S603  # This program, our paths.
        [
            *(sys.executable, "-m", "deploy.benchmarks.volume_run"),
            *(str(store), str(file), str(_INSTITUTIONS)),
        ],
        capture_output=True,
        check=False,
        env=environment(),
        timeout=_TIMEOUT_S,
    )
    shutil.rmtree(place)
    if done.returncode:
        raise BenchmarkError(
            f"taking in {rows} records ended with {done.returncode}; it said:"
            f" {done.stderr.decode(errors='replace')[-2_000:]}"
        )
    found: Mapping[str, float] = orjson.loads(done.stdout)
    _verify(found, totals)
    return found


def _verify(found: Mapping[str, float], totals: CreditTotals) -> None:
    expected = {
        "rows": totals.rows,
        "amount_fen": totals.amount_fen,
        "months": len(totals.rows_of_month),
        "refused": 0,
    }
    wrong = {key: found[key] for key, value in expected.items() if found[key] != value}
    if wrong:
        raise BenchmarkError(f"the store answers {wrong}, expected {expected}")


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""
