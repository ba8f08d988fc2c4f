"""Heartbeats as they come in: bounded, read, and compared with what the hub itself knows."""

from typing import Final

from hub.domain.heartbeats import DecodedHeartbeat
from hub.errors import StatementError
from protos.yixin.v1 import exchange_pb2
from security.encoding import parse_exactly
from security.errors import RemoteSyncError
from security.exchange.heads import MAX_COUNTER, read_chain_heads

HEARTBEAT: Final = "heartbeat"
MAX_BYTES: Final = 8 * 1024
MAX_CLOCK_DIFFERENCE_MS: Final = 24 * 3_600_000
"""As far as an envelope's own clock may differ."""

_FORMAT: Final = 1
_DIGEST_LENGTHS: Final = (0, 32)
_PROGRAM_CHARS: Final = 64


def decode_heartbeat(payload: bytes, now_ms: int) -> DecodedHeartbeat:
    """Read a heartbeat.

    Args:
        payload: Serialised Heartbeat.
        now_ms: Logged time, milliseconds since the epoch, UTC.

    Raises:
        StatementError: Malformed, out of bounds, or from the future. An old one is read: it may
            have waited in an outbox.
    """
    try:
        found = parse_exactly(exchange_pb2.Heartbeat, payload, MAX_BYTES)
        read_chain_heads(found.sent)
        read_chain_heads(found.received)
    except (ValueError, RemoteSyncError) as error:
        raise StatementError(f"The heartbeat is malformed: {error}.") from error
    faults = {
        f"format {found.format}, expected {_FORMAT}": found.format != _FORMAT,
        f"its clock is {(found.at_ms - now_ms) // 1000} s ahead": found.at_ms
        > now_ms + MAX_CLOCK_DIFFERENCE_MS,
        "its clock was never set": found.at_ms <= 0,
        "a count is out of bounds": max(found.ledger_size, found.operator_log_size) > MAX_COUNTER,
        "a digest has not 32 bytes": len(found.pack_digest) not in _DIGEST_LENGTHS
        or len(found.operator_log_head) not in _DIGEST_LENGTHS,
        "the program's version is no printable word": not found.program.isprintable()
        or len(found.program) > _PROGRAM_CHARS,
    }
    for fault, is_found in faults.items():
        if is_found:
            raise StatementError(f"The heartbeat is malformed: {fault}.")
    return DecodedHeartbeat(
        at_ms=found.at_ms,
        ledger_size=found.ledger_size,
        pack_digest=found.pack_digest,
        program=found.program,
        operator_log_head=found.operator_log_head,
        operator_log_size=found.operator_log_size,
    )
