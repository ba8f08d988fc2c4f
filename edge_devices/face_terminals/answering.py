"""Where answers go (核验结果通道): lines of JSON into a FIFO or a file.

Rules: a FIFO whose reader is away holds some lines; those beyond are dropped, which is said once
until somebody reads again. Nothing waits for a reader: the event is on disk whatever becomes of
the answer.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, Final

import orjson

from edge_devices.errors import DeviceConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["AnswerLines"]


class AnswerLines:
    """Writes answers."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        """Open.

        Args:
            path: A FIFO, or a file that is made where it is not there, and appended to.
            say: Takes a line for the operator.

        Raises:
            DeviceConfigurationError: It cannot be opened.
        """
        self._say: Final = say
        self._path: Final = path
        self._is_dropping = False
        try:
            is_fifo = path.exists() and stat.S_ISFIFO(path.stat().st_mode)
            # Opened for reading too, a FIFO neither waits for a reader nor fails without one.
            how = os.O_RDWR | os.O_NONBLOCK if is_fifo else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor: Final = os.open(path, how | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DeviceConfigurationError(
                f"{path} cannot be opened for answers ({error.strerror}); make it with mkfifo, "
                "mode 0600, or name a file"
            ) from error

    def tell(self, answer: dict[str, Any]) -> None:
        """Write an answer, if there is room.

        Args:
            answer: An object of JSON.
        """
        try:
            # Shorter than PIPE_BUF: a line goes into a FIFO whole or not at all.
            os.write(self._descriptor, orjson.dumps(answer) + b"\n")
        except OSError as error:
            if not self._is_dropping:
                self._say(
                    f"Answers are dropped: {self._path} takes none ({error.strerror}). Start its "
                    "reader, or free the disk; the events themselves are kept"
                )
            self._is_dropping = True
        else:
            self._is_dropping = False

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)
