"""Whether this process may append to the log.

Rules: a hub whose log must be witnessed begins every run read-only, since it cannot know by itself
whether its database was put back to an earlier day; it appends when enough witnesses have
confirmed what it holds. What stands against it stays until somebody recovers the log.
"""

import threading
from typing import Final

_WAITING: Final = (
    "{confirmed} of {quorum} witnesses confirmed it since the start. It opens by itself when they "
    "answer; see `yixin hub log status`, and keep `yixin hub serve` running."
)


class HubMode:
    """Read-write, or read-only for a reason; safe to share between threads."""

    __slots__ = ("_confirmed", "_fault", "_lock", "_quorum")

    def __init__(self, quorum: int = 0, fault: str = "") -> None:
        """Begin a run.

        Args:
            quorum: Witnesses that must confirm the log before anything is appended.
            fault: What stands against the log already; empty for nothing.
        """
        self._lock = threading.Lock()
        self._quorum = quorum
        self._fault = fault
        self._confirmed: set[str] = set()

    @property
    def is_writable(self) -> bool:
        """Whether the log may grow."""
        return not self.reason

    @property
    def reason(self) -> str:
        """Why it may not grow; empty when it may."""
        with self._lock:
            if self._fault:
                return self._fault
            confirmed = len(self._confirmed)
            if confirmed >= self._quorum:
                return ""
            return _WAITING.format(confirmed=confirmed, quorum=self._quorum)

    @property
    def confirmed(self) -> frozenset[str]:
        """Hubs that confirmed the log since the start."""
        with self._lock:
            return frozenset(self._confirmed)

    def confirm(self, hub: str) -> bool:
        """Note that a witness found nothing against the log.

        Returns:
            Whether it was the first time.
        """
        with self._lock:
            is_new = hub not in self._confirmed
            self._confirmed.add(hub)
            return is_new

    def freeze(self, reason: str) -> None:
        """Let the log grow no more in this run; the first reason stays."""
        with self._lock:
            self._fault = self._fault or reason

    def thaw(self) -> None:
        """Forget what stood against the log: it was recovered."""
        with self._lock:
            self._fault = ""
