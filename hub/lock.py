"""The writer lock of a hub: one process writes to a state directory at a time.

The lock is the kernel's (``flock``), so it is gone with the process that held it, however that
process ended. The file holds the owner's process id for the message only.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hub.errors import LockHeldError

LOCK_FILE: Final = "hub.lock"


@contextmanager
def writer_lock(directory: Path) -> Iterator[None]:
    """Hold the writer lock of a state directory.

    Raises:
        LockHeldError: Another process holds it.
    """
    descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise LockHeldError(
                f"Another process (pid {owner}) is writing to {directory}; "
                "wait until it has finished, or stop it."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
