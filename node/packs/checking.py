"""A pack is opened and its golden vectors are run in a process of their own, before the switch.

Rules:
- What a pack breaks, it breaks there: a process that dies or takes too long is a failure.
- It gives way to the daemon, and says nothing but one JSON object.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from node.packs.holding import Checked

__all__ = ["check_apart", "check_file"]

TIMEOUT_S: Final = 900.0
MAX_ANSWER_BYTES: Final = 256 * 1024
MAX_FAILURES: Final = 20
NICE: Final = 10


def check_apart(path: Path) -> Checked:
    """Check a pack in a process of its own.

    Args:
        path: The pack's file, verified.
    """
    try:
        run = subprocess.run(  # noqa: S603  # this program
            [sys.executable, "-m", "node.packs.checking", os.fspath(path.absolute())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        found: dict[str, Any] = json.loads(run.stdout[:MAX_ANSWER_BYTES])
        return Checked(**(found | {"failures": tuple(found["failures"])}))
    except subprocess.TimeoutExpired:
        return _failed(f"the vectors took longer than {TIMEOUT_S:.0f} s")
    except (ValueError, TypeError, KeyError):
        return _failed("the process that ran the vectors ended without an answer")


def check_file(content: bytes) -> Checked:
    """Open a pack and run its vectors, in this process."""
    from node.packs.measuring import measure  # noqa: PLC0415  # DuckDB and ONNX only here
    from scoring_kernel.errors import KernelError  # noqa: PLC0415  # the same
    from scoring_kernel.golden import run_golden  # noqa: PLC0415  # the same
    from scoring_kernel.packs import open_pack  # noqa: PLC0415  # the same
    from security.errors import PackError  # noqa: PLC0415  # the same
    from security.packs.archive import read_archive  # noqa: PLC0415  # the same

    try:
        pack = open_pack(read_archive(content))
    except (PackError, KernelError) as error:
        return _failed(f"open: {error}")
    report = run_golden(pack, measure)
    last = pack.effective_to
    return Checked(
        passed=report.passed,
        vectors=report.vectors,
        failures=report.failures[:MAX_FAILURES],
        catalog=pack.catalog.digest.hex(),
        version=pack.version,
        from_day=int(pack.effective_from.strftime("%Y%m%d")),
        to_day=0 if last is None else int(last.strftime("%Y%m%d")),
        grace_days=pack.grace_days,
    )


def _failed(reason: str) -> Checked:
    printable = "".join(char if char.isprintable() else " " for char in reason)
    return Checked(
        passed=False,
        vectors=0,
        failures=(printable[:120],),
        catalog="",
        version="",
        from_day=0,
        to_day=0,
        grace_days=0,
    )


def _main(path: Path) -> None:
    os.nice(NICE)
    content = path.read_bytes()
    name = hashlib.sha256(content).hexdigest()
    found = check_file(content) if path.stem == name else _failed("open: its file was changed")
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
