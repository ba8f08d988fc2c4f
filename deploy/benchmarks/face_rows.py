"""P10: faces, against the bare products and calls that the same work cannot do without.

One to many: the exact search over all templates of a node, mapped into memory, against one
product of an ordinary array with the same vector. One core each, in a process of its own.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from deploy.benchmarks.measuring import Bound, Row, Skipped
from deploy.demo.processes import environment
from deploy.errors import BenchmarkError

TEMPLATES: Final = 100_000
SEARCH_TARGET: Final = 1.5
_MB: Final = 1e6
_ONE_CORE: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TIMEOUT_S: Final = 1_800.0


def measure_faces(*, templates: int, repeats: int) -> Sequence[Row | Skipped]:
    """Measure faces.

    Args:
        templates: Templates that a search reads.
        repeats: Runs of each side.

    Returns:
        The row of one to many, milliseconds.

    Raises:
        BenchmarkError: A run failed, or found something wrong.
    """
    found = _run("deploy.benchmarks.face_run", str(templates), str(repeats))
    return (
        Row(
            name=f"P10 1:N over {templates:,} templates ({found['mapped_bytes'] / _MB:.0f} MB"
            f" mapped, +{found['beside_bytes'] / _MB:.0f} MB resident)",
            unit="ms",
            ours=found["ours_ms"],
            reference=found["reference_ms"],
            ratio=found["ours_ms"] / found["reference_ms"],
            bound=Bound.AT_MOST,
            target=SEARCH_TARGET,
            growth=f"linear in templates: {found['fewer_ms']:.2f} ms at a tenth of them,"
            f" {found['more_ms']:.1f} ms at ten times as many",
        ),
    )


def _run(module: str, *arguments: str) -> Mapping[str, float]:
    """Run a benchmark on one core and read what it printed."""
    done = subprocess.run(  # noqa: S603  # This program, our arguments.
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        check=False,
        env={**environment(), **_ONE_CORE},
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise BenchmarkError(
            f"`{module} {' '.join(arguments)}` ended with {done.returncode}; it said:"
            f" {done.stderr.decode(errors='replace')[-2_000:]}"
        )
    found: Mapping[str, float] = orjson.loads(done.stdout)
    return found
