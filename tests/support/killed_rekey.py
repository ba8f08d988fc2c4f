"""A process that re-keys a node's templates and kills itself after so many batches of three.

Usage: python -m tests.support.killed_rekey DIRECTORY BATCHES
"""

import os
import signal
import sys
from pathlib import Path
from typing import Final

import node.presence.rekeying
from tests.support.face_templates import CLERK
from tests.support.node_messages import open_store

BATCH: Final = 3


def main() -> None:
    """Re-key, and be gone."""
    directory, batches = sys.argv[1:]
    node.presence.rekeying.BATCH = BATCH  # type: ignore[misc]

    def progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        del stage, total, unit
        if done >= BATCH * int(batches):
            os.kill(os.getpid(), signal.SIGKILL)

    with open_store(Path(directory)) as store:
        node.presence.rekeying.rekey(store.edge.templates, CLERK, progress=progress)


if __name__ == "__main__":
    main()
