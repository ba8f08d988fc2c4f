"""P10: faces, against the bare products and calls that the same work cannot do without.

Frame to decision: a picture examined by three models, compared and judged, against the bare calls
of OpenCV and ONNX Runtime on the same picture, of which the second look at the face is one. One to
many: the exact search over all templates
of a node, mapped into memory, against one product of an ordinary array with the same vector. One
core each, in a process of its own.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from deploy.benchmarks.measuring import Bound, Row, Skipped
from deploy.demo.processes import environment
from deploy.errors import BenchmarkError
from deploy.protos import REPOSITORY

FACES: Final = REPOSITORY.parent / "shared" / "data" / "faces"
"""Models and a photo, beside the repository; no part of it."""
TEMPLATES: Final = 100_000
DECISION_TARGET: Final = 1.15
SEARCH_TARGET: Final = 1.5
_MB: Final = 1e6
_ONE_CORE: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_TIMEOUT_S: Final = 1_800.0


def measure_faces(*, templates: int, repeats: int, data: Path = FACES) -> tuple[Row | Skipped, Row]:
    """Measure faces.

    Args:
        templates: Templates that a search reads.
        repeats: Runs of each side.
        data: Where models and a photo lie.

    Returns:
        Frame to decision, and one to many; milliseconds.

    Raises:
        BenchmarkError: A run failed, or found something wrong.
    """
    return _measure_decision(data, repeats), _measure_search(templates, repeats)


def _measure_decision(data: Path, repeats: int) -> Row | Skipped:
    name = "P10 frame to decision"
    if not data.is_dir():
        return Skipped(name=name, reason=f"no models and no photo: {data} is absent")
    found = _run("deploy.benchmarks.face_decision", str(data), str(repeats))
    return Row(
        name=f"{name}, two looks on both sides ({found['peak_bytes'] / _MB:.0f} MB resident)",
        unit="ms",
        ours=found["ours_ms"],
        reference=found["reference_ms"],
        ratio=found["ours_ms"] / found["reference_ms"],
        bound=Bound.AT_MOST,
        target=DECISION_TARGET,
        growth="constant per frame",
    )


def _measure_search(templates: int, repeats: int) -> Row:
    found = _run("deploy.benchmarks.face_run", str(templates), str(repeats))
    return Row(
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
