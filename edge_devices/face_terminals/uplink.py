"""What is said to the node, and when (上行): greeting, events in order, pauses; no I/O.

Protocol, in order:
    0. Offline, the node is greeted when the pause is over: 1, 2, 4 … 60 s, each shortened by
       chance, so that the terminals of a node do not come all at once. The pause begins anew when
       nothing waits, or something was taken: a node that greets and takes nothing is not pressed.
    1. Its answer says up to which event it holds this queue.
    2. Events go from the next one on, one batch at a time; its answer says how far it is now.
    3. The greeting is repeated every few minutes: thresholds and transforms change.
    4. A lost line begins again at 0. What was not answered for is sent again, and the node knows
       it by its number.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from edge_devices.errors import NodeRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

__all__ = ["MAX_BATCH", "MAX_BATCH_BYTES", "TRANSITIONS", "LinkEvent", "LinkState", "Uplink"]

MAX_BATCH: Final = 256
"""Events of one batch."""
MAX_BATCH_BYTES: Final = 1024 * 1024
"""Bytes of one batch."""
FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(seconds=60)
GREET_EVERY: Final = timedelta(minutes=5)


class LinkState(StrEnum):
    """How the line to the node stands."""

    OFFLINE = "offline"
    GREETING = "greeting"
    READY = "ready"
    SENDING = "sending"


class LinkEvent(StrEnum):
    """What happens to it."""

    GREET = "greet"
    GREETED = "greeted"
    SEND = "send"
    TAKEN = "taken"
    LOST = "lost"


TRANSITIONS: Final[Mapping[tuple[LinkState, LinkEvent], LinkState]] = {
    (LinkState.OFFLINE, LinkEvent.GREET): LinkState.GREETING,
    (LinkState.READY, LinkEvent.GREET): LinkState.GREETING,
    (LinkState.GREETING, LinkEvent.GREETED): LinkState.READY,
    (LinkState.READY, LinkEvent.SEND): LinkState.SENDING,
    (LinkState.SENDING, LinkEvent.TAKEN): LinkState.READY,
    (LinkState.OFFLINE, LinkEvent.LOST): LinkState.OFFLINE,
    (LinkState.GREETING, LinkEvent.LOST): LinkState.OFFLINE,
    (LinkState.READY, LinkEvent.LOST): LinkState.OFFLINE,
    (LinkState.SENDING, LinkEvent.LOST): LinkState.OFFLINE,
}  # every pair not listed is a ValueError: the caller is wrong


class Uplink:
    """One terminal's line to its node."""

    def __init__(self, now: datetime, rng: Random) -> None:
        """Begin offline; the first greeting is due at once.

        Args:
            now: The moment.
            rng: Shortens pauses.
        """
        self.state = LinkState.OFFLINE
        self.through = 0
        self._rng: Final = rng
        self._pause = FIRST_PAUSE
        self._greet_at = now
        self._sent = 0

    @property
    def is_up(self) -> bool:
        """Whether the node answered the last time it was asked."""
        return self.state in {LinkState.READY, LinkState.SENDING}

    @property
    def greet_at(self) -> datetime:
        """When the next greeting is due."""
        return self._greet_at

    def is_greeting_due(self, now: datetime) -> bool:
        """Whether the node is to be greeted now."""
        return self.state in {LinkState.OFFLINE, LinkState.READY} and now >= self._greet_at

    def greet(self) -> None:
        """The greeting is on its way."""
        self._move(LinkEvent.GREET)

    def greeted(self, through: int, newest: int, now: datetime) -> bool:
        """The node answered the greeting.

        Args:
            through: Last event that it holds of this queue.
            newest: Newest event of this queue.
            now: The moment.

        Returns:
            Whether the queue is an older copy of itself: the node holds events that are not in
            it, and another queue must begin before anything is sent.
        """
        self._move(LinkEvent.GREETED)
        if through >= newest:
            self._pause = FIRST_PAUSE
        self._greet_at = now + GREET_EVERY
        self.through = through
        return through > newest

    def began_anew(self, now: datetime) -> None:
        """Another queue has begun: it is greeted with at once."""
        self.through = 0
        self.greet_now(now)

    def greet_now(self, now: datetime) -> None:
        """Do not wait for the next greeting."""
        self._greet_at = min(self._greet_at, now)

    def can_send(self, newest: int) -> bool:
        """Whether a batch is due, given the newest event of the queue."""
        return self.state is LinkState.READY and newest > self.through

    def send(self, last: int) -> None:
        """A batch up to this event is on its way."""
        self._move(LinkEvent.SEND)
        self._sent = last

    def taken(self, through: int) -> None:
        """The node answered a batch.

        Raises:
            NodeRefusedError: It says that it holds less than before, more than was sent, or
                nothing of it.
        """
        if not self.through < through <= self._sent:
            raise NodeRefusedError(
                f"events {self.through + 1} to {self._sent} were sent, and the node says that it "
                f"holds those up to {through}; they are sent again. If this stays so, look into "
                "the node's log for this device"
            )
        self._move(LinkEvent.TAKEN)
        self._pause = FIRST_PAUSE
        self.through = through

    def lost(self, now: datetime) -> None:
        """The line is down, or the node refused."""
        self._move(LinkEvent.LOST)
        self._greet_at = now + self._pause * (0.5 + 0.5 * self._rng.random())
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _move(self, event: LinkEvent) -> None:
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise ValueError(f"a line that is {self.state} cannot {event}") from None
