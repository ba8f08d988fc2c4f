"""How a terminal is (运行状况): a file every few seconds, and a word to systemd.

Rules:
- The file is written whole; a full disk is told in the next one and stops nothing.
- Nothing of a person is in it: counts, states, ages.
- What nobody tells of is not guessed: a figure of a process that is gone is None.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from security.errors import KeyFileError
from security.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FILE_NAME", "Health", "Memory", "memory_of", "notify_service"]

FILE_NAME: Final = "health.json"
MAX_FAULTS: Final = 16
MAX_FAULT_CHARS: Final = 80
_KIB_IN_MIB: Final = 1024

Memory = dict[str, int]
"""Resident memory, MiB: ``now`` and ``peak``."""


class Health:
    """What a terminal knows of itself."""

    def __init__(self, path: Path) -> None:
        """Begin.

        Args:
            path: The file.
        """
        self._path: Final = path
        self.verdicts: Final[Counter[str]] = Counter()
        self._faults: dict[str, str] = {}

    def fault(self, name: str, words: str) -> None:
        """Note a fault; no words: it is over."""
        if words:
            self._faults[name] = words
        else:
            self._faults.pop(name, None)

    @property
    def faults(self) -> tuple[str, ...]:
        """Words of the faults, as the node is told."""
        told = [f"{name}: {words}" for name, words in self._faults.items()]
        return tuple(one[:MAX_FAULT_CHARS] for one in told[:MAX_FAULTS])

    def write(self, values: Mapping[str, Any]) -> None:
        """Write the file.

        Args:
            values: What is to be told beside verdicts and faults.
        """
        told = {**values, "verdicts": dict(self.verdicts), "faults": dict(self._faults)}
        try:
            write_private(self._path, orjson.dumps(told, option=orjson.OPT_INDENT_2), replace=True)
        except (KeyFileError, OSError):
            self.fault("health", "health.json cannot be written: free the disk")
        else:
            self.fault("health", "")


def memory_of(process: int | str | None) -> Memory | None:
    """Resident memory of a process; None where it is gone.

    Args:
        process: Its number; ``self`` for this one.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    found = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    if "VmRSS" not in found or "VmHWM" not in found:
        return None
    return {
        "now": int(found["VmRSS"]) // _KIB_IN_MIB,
        "peak": int(found["VmHWM"]) // _KIB_IN_MIB,
    }


def notify_service(state: str) -> None:
    """Tell systemd (sd_notify); nothing where it does not ask.

    Args:
        state: For example ``READY=1``.

    Source:
        sd_notify(3).
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    place = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
        try:
            line.sendto(state.encode(), place)
        except OSError:
            return
