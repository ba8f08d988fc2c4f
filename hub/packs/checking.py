"""The process in which a pack is checked, and who begins it.

It imports the kernel only when it is that process: the daemon that begins it need not.
"""

import sys
from pathlib import Path
from typing import Final

from security.packs.checking import Checked, answer, run_apart

__all__ = ["check_apart"]

MODULE: Final = "hub.packs.checking"


def check_apart(path: Path) -> Checked:
    """Check a pack in a process of its own.

    Args:
        path: The pack's file, verified.
    """
    return run_apart(path, MODULE)


def _main(path: Path) -> None:
    from scoring_kernel.pack_check import check_pack  # noqa: PLC0415 - DuckDB and ONNX only here

    answer(path, check_pack)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
