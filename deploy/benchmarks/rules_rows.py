"""P5: every monitoring rule over ten million detail lines, against one scan of the same segments.

Ours: relations are made, every rule is run, its hits are sealed and kept; the clock runs until the
last is durable. The reference reads every column of every record that the rules read, once. Each
run is a process of its own. Cost grows as lines times their logarithm: rules sort what they find.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.benchmarks.measuring import Bound, Row, alternate
from deploy.demo.processes import environment
from deploy.errors import BenchmarkError

LINES: Final = 10_000_000
MOST_SCANS: Final = 80.0
MOST_BYTES: Final = 4 * 1024**3
GROWTH: Final = "lines times their logarithm; memory linear in lines"
_FULL: Final = 5_000_000
"""From so many lines on every rule must find something."""
_TIMEOUT_S: Final = 6 * 3_600.0


def measure_rules(work: Path, *, lines: int, repeats: int) -> tuple[Row, ...]:
    """Measure all rules over so many lines.

    Args:
        work: Empty directory for the store.
        lines: Detail lines, roughly.
        repeats: Runs of the rules and of the scan, in turn.

    Returns:
        Time as a multiple of one scan, and the greatest peak of memory.

    Raises:
        BenchmarkError: A step failed, a rule was stopped, or found nothing among enough lines.
    """
    store = work / "node"
    store.mkdir()
    made = _step("build", store, lines)["lines"]
    peaks: list[float] = []

    def ours(_run: int) -> float:
        found = _step("run", store, lines)
        _verify(found, made)
        peaks.append(found["peak_bytes"])
        return float(found["seconds"])

    def reference(_run: int) -> float:
        return float(_step("scan", store, lines)["seconds"])

    seconds, scan = alternate(ours, reference, repeats=repeats)
    return (
        Row(
            name=f"P5 rules over {made:,} lines vs one scan of all columns",
            unit="s",
            ours=seconds,
            reference=scan,
            ratio=seconds / scan,
            bound=Bound.AT_MOST,
            target=MOST_SCANS,
            growth=GROWTH,
        ),
        Row(
            name=f"P5 peak memory at {made:,} lines",
            unit="MiB",
            ours=max(peaks) / 1024**2,
            reference=MOST_BYTES / 1024**2,
            ratio=max(peaks) / MOST_BYTES,
            bound=Bound.AT_MOST,
            target=1.0,
            growth=GROWTH,
        ),
    )


def _verify(found: Mapping[str, Any], lines: int) -> None:
    if found["stopped"]:
        raise BenchmarkError(f"rules were stopped: {found['stopped']}; expected none")
    idle = [rule for rule, hits in found["hits"].items() if not hits]
    if idle and lines >= _FULL:
        raise BenchmarkError(f"{', '.join(idle)} found nothing in {lines} lines; expected hits")


def _step(step: str, store: Path, lines: int) -> Mapping[str, Any]:
    done = subprocess.run(  # noqa: S603  # This program, our paths.
        [sys.executable, "-m", "deploy.benchmarks.rules_run", step, str(store), str(lines)],
        capture_output=True,
        check=False,
        env=environment(),
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise BenchmarkError(
            f"the step {step} over {lines} lines ended with {done.returncode}; it said:"
            f" {done.stderr.decode(errors='replace')[-2_000:]}"
        )
    found: Mapping[str, Any] = orjson.loads(done.stdout)
    return found
