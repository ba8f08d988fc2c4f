"""Refusals of devices: what they may read of it, and what the daemon's log says.

Rules:
- What a device is refused for as a device reads alike, whatever the cause; what is wrong with a
  request of an admitted device is told, in words that hold no value of a record.
- The log says the id, the method and the cause; who repeats is counted, not repeated, and all
  refusals together are so many lines.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import grpc

from node.api.errors import describe
from node.errors import DeviceRefusedError, NodeError, PresenceError, StoreError, TemplateError
from scoring_kernel.errors import CalibrationError, TemplateMismatchError
from security.errors import SecurityError, cause_of

__all__ = ["JOIN_REFUSED", "RefusalLog", "Told", "told"]

REFUSED: Final = (
    "The node refuses this device. Ask its operator whether it is revoked or meant for another "
    "place; with a new token it can join again."
)
JOIN_REFUSED: Final = (
    "The device token is unknown, used or expired, or the request does not hold. Compare the "
    "clocks and ask the node's operator for a new token."
)
LATER: Final = "The node cannot take this now; nothing is lost, try again later."
OURS: Final = "The node failed at this, its log says why; nothing was taken."
_EVERY: Final = timedelta(minutes=10)
_LINES: Final = 100
"""Lines in that time: strangers can make causes without number."""
_MOST: Final = 1_024
_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How an error ends a call."""

    status: grpc.StatusCode
    wording: str


def told(error: Exception, refused: str = REFUSED) -> Told:
    """How an error is told to a device.

    Args:
        error: What happened.
        refused: The one wording for whoever is refused.
    """
    match error:
        case DeviceRefusedError() | SecurityError():
            return Told(status=grpc.StatusCode.PERMISSION_DENIED, wording=refused)
        case StoreError():
            return Told(status=grpc.StatusCode.UNAVAILABLE, wording=LATER)
        case TemplateError() | PresenceError() | TemplateMismatchError() | CalibrationError():
            wording = str(error)[:_CHARS]
            return Told(status=grpc.StatusCode.FAILED_PRECONDITION, wording=wording)
        case _:
            return Told(status=grpc.StatusCode.INTERNAL, wording=OURS)


class RefusalLog:
    """Says who was refused and why; the same one, and all together, only so often."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._known: OrderedDict[tuple[str, str], tuple[datetime, int]] = OrderedDict()
        self._said = 0
        self._since: datetime | None = None

    def note(self, who: str, method: str, error: Exception, now: datetime) -> None:
        """Note a refused call.

        Args:
            who: Device id, or host of a stranger.
            method: What was called.
            error: Why it was refused.
            now: Present moment, UTC-aware.
        """
        cause = cause_of(error) if _is_ours(error) else describe(error)[1]
        key = (who, f"{method}: {cause}"[:_CHARS])
        since, count = self._known.get(key, (now - _EVERY, 0))
        if now - since < _EVERY:
            self._known[key] = (since, count + 1)
            return
        more = f" ({count} times more since {since:%H:%M} UTC)" if count else ""
        self._tell(f"Device refused: {who} {key[1]}{more}", now)
        self._known[key] = (now, 0)
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def _tell(self, line: str, now: datetime) -> None:
        """Say a line, while there were not too many of late."""
        if self._since is None or now - self._since >= _EVERY:
            if self._said > _LINES:
                self._say(f"Devices refused: {self._said - _LINES} more that were not said.")
            self._since, self._said = now, 0
        self._said += 1
        if self._said <= _LINES:
            self._say(line)


def _is_ours(error: Exception) -> bool:
    return isinstance(error, (NodeError, SecurityError))
