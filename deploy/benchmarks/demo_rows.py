"""P11: the demonstration from an installed environment to printed grades.

Cost grows linearly with claims; hubs and nodes have a start-up cost of a few seconds.
"""

import subprocess
from pathlib import Path
from typing import Final

import orjson

from deploy.benchmarks.measuring import Bound, Row, stopwatch
from deploy.demo.processes import command_line, environment
from deploy.errors import BenchmarkError

LIMIT_S: Final = 60.0
_TIMEOUT_S: Final = 600.0


def measure_demo(work: Path) -> Row:
    """Measure one run of ``yixin demo --once``.

    Args:
        work: Directory for the summary.

    Returns:
        Wall time in seconds; the reference is the limit, so the ratio must not exceed 1.

    Raises:
        BenchmarkError: The demonstration failed.
    """
    summary = work / "demo.json"
    with stopwatch() as watch:
        done = subprocess.run(  # noqa: S603  # This program, fixed arguments.
            command_line("demo", "--once", "--json", str(summary)),
            capture_output=True,
            check=False,
            env=environment(),
            timeout=_TIMEOUT_S,
        )
    if done.returncode:
        raise BenchmarkError(
            f"`yixin demo --once` ended with {done.returncode}; it said:"
            f" {done.stderr.decode(errors='replace')[-2_000:]}"
        )
    if orjson.loads(summary.read_bytes())["audit"] != "valid":
        raise BenchmarkError("the demonstration's audit is not valid")
    return Row(
        name="P11 yixin demo to printed grades",
        unit="s",
        ours=watch.wall_s,
        reference=LIMIT_S,
        ratio=watch.wall_s / LIMIT_S,
        bound=Bound.AT_MOST,
        target=1.0,
        growth="linear in claims, after a constant start-up",
    )
