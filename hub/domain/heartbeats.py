"""Heartbeats (心跳) of members: what one says, and when a member counts as silent."""

from dataclasses import dataclass
from typing import Final

__all__ = ["EVERY_MS", "SILENT_AFTER_MS", "DecodedHeartbeat", "is_silent"]

EVERY_MS: Final = 6 * 3_600_000
"""A member that sends nothing else sends a heartbeat as often, milliseconds."""
SILENT_AFTER_MS: Final = 2 * EVERY_MS + 3_600_000
"""Two heartbeats and an hour for the line: one that is late alarms nobody, two do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedHeartbeat:
    """What a member says of itself."""

    at_ms: int
    """Its clock, milliseconds since the epoch, UTC."""
    ledger_size: int
    """Leaves of its record tree."""
    pack_digest: bytes
    """SHA-256 of the pack in force, or empty."""
    program: str
    """Version of its program."""
    operator_log_head: bytes
    """Head of its operator log's chain, or empty."""
    operator_log_size: int
    """Entries of its operator log."""


def is_silent(heard_at_ms: int | None, joined_at_ms: int, now_ms: int) -> bool:
    """Whether nothing came from a member for too long.

    Args:
        heard_at_ms: When its last envelope was logged; None when none ever was.
        joined_at_ms: When it joined: from then on it is expected to speak.
        now_ms: Present moment; all in milliseconds since the epoch, UTC.

    >>> is_silent(None, 0, SILENT_AFTER_MS)
    False
    >>> is_silent(None, 0, SILENT_AFTER_MS + 1)
    True
    """
    return now_ms - max(joined_at_ms, heard_at_ms or 0) > SILENT_AFTER_MS
