"""When a source is begun anew (看门狗): a policy over moments; no I/O.

Rules:
- A source that gave no frame for a while although one was wanted is stalled: its process ends.
- It is begun anew after 1, 2, 4 … 60 s; a frame makes the next wait the shortest again.
- Many restarts in a short time make it unavailable; that is told once, and so is its recovery.
  It is begun anew all the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TRANSITIONS", "RestartPolicy", "SourceEvent", "SourceState", "Watchdog"]


class SourceState(StrEnum):
    """How a source stands."""

    OPENING = "opening"
    RUNNING = "running"
    WAITING = "waiting"
    """It ended; it is begun anew at ``restart_at``."""


class SourceEvent(StrEnum):
    """What happens to a source."""

    BEGUN = "begun"
    OPENED = "opened"
    FRAME = "frame"
    FAILED = "failed"


TRANSITIONS: Final[Mapping[tuple[SourceState, SourceEvent], SourceState]] = {
    (SourceState.WAITING, SourceEvent.BEGUN): SourceState.OPENING,
    (SourceState.OPENING, SourceEvent.OPENED): SourceState.RUNNING,
    (SourceState.RUNNING, SourceEvent.FRAME): SourceState.RUNNING,
    (SourceState.OPENING, SourceEvent.FAILED): SourceState.WAITING,
    (SourceState.RUNNING, SourceEvent.FAILED): SourceState.WAITING,
}  # every pair not listed is a ValueError: the caller is wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """Limits of the watchdog."""

    stall: timedelta = timedelta(seconds=5)
    """Without a frame for so long, though one is wanted, a source is stalled."""
    opening: timedelta = timedelta(seconds=15)
    """Longest time to open."""
    first_wait: timedelta = timedelta(seconds=1)
    """Before the first restart; doubled each time."""
    longest_wait: timedelta = timedelta(seconds=60)
    """Between two restarts."""
    restarts: int = 5
    """From so many on, within ``window``, the source is unavailable."""
    window: timedelta = timedelta(minutes=10)
    """See ``restarts``."""


class Watchdog:
    """Watches one source."""

    def __init__(self, policy: RestartPolicy, now: datetime) -> None:
        """Begin with a source that is to be begun at once.

        Args:
            policy: The limits.
            now: The moment.
        """
        self._policy: Final = policy
        self.state = SourceState.WAITING
        self.restart_at = now
        self.is_unavailable = False
        self.fault = ""
        self._since = now
        self._wanted_since: datetime | None = None
        self._wait = policy.first_wait
        self._failures: deque[datetime] = deque()

    def begun(self, now: datetime) -> None:
        """The source's process was started."""
        self._move(SourceEvent.BEGUN)
        self._since = now
        self._wanted_since = None

    def opened(self) -> None:
        """The source says that it is open."""
        self._move(SourceEvent.OPENED)

    def wanted(self, now: datetime) -> None:
        """A frame is wanted from now on."""
        if self._wanted_since is None:
            self._wanted_since = now

    def frame(self) -> bool:
        """A frame came, or the whole of a recording was given.

        Returns:
            Whether the source had been unavailable, which is told once.
        """
        self._move(SourceEvent.FRAME)
        self._wanted_since = None
        self._wait = self._policy.first_wait
        self.fault = ""
        recovered, self.is_unavailable = self.is_unavailable, False
        if recovered:
            self._failures.clear()
        return recovered

    def failed(self, fault: str, now: datetime) -> bool:
        """The source's process ended, or was ended.

        Args:
            fault: In words, without anything secret.
            now: The moment.

        Returns:
            Whether it is unavailable from now on, which is told once.
        """
        self._move(SourceEvent.FAILED)
        self.fault = fault
        self.restart_at = now + self._wait
        self._wait = min(2 * self._wait, self._policy.longest_wait)
        self._failures.append(now)
        while now - self._failures[0] > self._policy.window:
            self._failures.popleft()
        is_many = len(self._failures) >= self._policy.restarts
        is_news, self.is_unavailable = is_many and not self.is_unavailable, is_many
        return is_news

    @property
    def deadline(self) -> datetime | None:
        """When the source is to be begun, or counts as stalled; None: it may rest."""
        if self.state is SourceState.WAITING:
            return self.restart_at
        if self.state is SourceState.OPENING:
            return self._since + self._policy.opening
        return None if self._wanted_since is None else self._wanted_since + self._policy.stall

    def _move(self, event: SourceEvent) -> None:
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise ValueError(f"a source that is {self.state} cannot be {event}") from None
