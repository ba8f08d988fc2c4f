"""A process that ingests a file and dies at its n-th SQL statement, as kill -9 would let it.

Usage: python -m tests.support.killed_ingest DIRECTORY FILE ACKNOWLEDGED STATEMENT
"""

import os
import signal
import sys
from pathlib import Path

import node.intake.ingest
import node.store.record_store
import node.store.staging
from node.intake import ingest_file
from scoring_kernel import load_catalog
from tests.support.node_messages import NOW, open_store

SMALL = (
    (node.intake.ingest, "BATCH_LINES", 4),
    (node.intake.ingest, "FLUSH_MIN_ROWS", 1),
    (node.store.record_store, "FLUSH_ROWS", 10),
    (node.store.record_store, "RUN_KEYS", 1),
    (node.store.staging, "BULK_ROWS", 8),
    (node.store.staging, "MAX_SMALL_SEGMENTS", 2),
)
"""Sizes at which a short file goes through every step of the store."""


def main() -> None:
    """Ingest in small batches and small segments until the n-th statement."""
    directory, path, acknowledged, last = sys.argv[1:]
    for module, name, value in SMALL:
        setattr(module, name, value)
    store = open_store(Path(directory))
    left = int(last)

    def count(_statement: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def told(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        del stage, total, unit
        with Path(acknowledged).open("a", encoding="ascii") as file:
            file.write(f"{done}\n")

    store._connection.set_trace_callback(count)  # noqa: SLF001 - the test dies inside the store
    ingest_file(store, load_catalog(), Path(path), now=NOW, progress=told)
    store.close()


if __name__ == "__main__":
    main()
