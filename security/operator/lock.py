"""The writer lock: one process writes to a state directory at a time.

The lock is the kernel's (``flock``), so it is gone with the process that held it, however that
process ended. The file holds the owner's process id for the message only.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from security.errors import LockHeldError


@contextmanager
def writer_lock(directory: Path, name: str, doing: str = "writing to") -> Iterator[None]:
    """Hold the writer lock of a state directory.

    Args:
        directory: The state directory.
        name: Name of the lock's file in it, for example ``node.lock``.
        doing: What its holder does with the directory, for the message.

    Raises:
        LockHeldError: Another process holds it.
    """
    descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            raise LockHeldError(
                f"another process (pid {owner}) is {doing} {directory}; "
                "wait until it has finished, or stop it"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
