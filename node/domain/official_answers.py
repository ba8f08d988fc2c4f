"""Answers in the official envelope of the national interface.

| field | content |
|---|---|
| infcode | 0: received; -1: not received, or not done |
| inf_refmsgid | 30 digits: division, moment to the second, ten digits of sequence |
| refmsg_time, respond_time | yyyyMMddHHmmssSSS, Asia/Shanghai |
| err_msg | at most 200 characters |
| output | an object; empty when nothing was done |

Source:
    National interface, message head (报文头).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import orjson

from node.domain.masking import printable
from security.moments import SHANGHAI

__all__ = ["FAILED", "MAX_MESSAGE", "RECEIVED", "cut", "reference_id", "respond"]

RECEIVED: Final = 0
FAILED: Final = -1
MAX_MESSAGE: Final = 200
"""Characters of ``err_msg``."""

_NO_DIVISION: Final = "000000"
_DIVISION_DIGITS: Final = 6
_SEQUENCES: Final = 10**10


def reference_id(division: str, now: datetime, sequence: int) -> str:
    """Make the receiver's message id (接收方报文ID).

    Args:
        division: Six digits of the division (mdtrtarea_admvs); zeros where it is none.
        now: The time, aware.
        sequence: Counts the answers of one process.

    >>> from datetime import UTC
    >>> reference_id("330302", datetime(2026, 3, 18, 1, 50, 39, tzinfo=UTC), 1)
    '330302202603180950390000000001'
    """
    is_division = len(division) == _DIVISION_DIGITS and division.isascii() and division.isdigit()
    stem = division if is_division else _NO_DIVISION
    return f"{stem}{_seconds(now)}{sequence % _SEQUENCES:010d}"


def respond(
    infcode: int,
    message: str,
    *,
    reference: str,
    received_at: datetime,
    answered_at: datetime,
    output: Mapping[str, object] | None = None,
) -> bytes:
    """Make the body of an answer.

    Args:
        infcode: ``RECEIVED`` or ``FAILED``.
        message: Words for ``err_msg``; cut at 200 characters.
        reference: The receiver's message id; see ``reference_id``.
        received_at: When the request came, aware.
        answered_at: When the answer is made, aware.
        output: What is put out; None for nothing.

    Returns:
        JSON in UTF-8.
    """
    return orjson.dumps(
        {
            "infcode": infcode,
            "inf_refmsgid": reference,
            "refmsg_time": _milliseconds(received_at),
            "respond_time": _milliseconds(answered_at),
            "err_msg": cut(message),
            "output": output or {},
        }
    )


def cut(text: str) -> str:
    """Cut words for ``err_msg`` to their length, on one line."""
    return printable(text)[:MAX_MESSAGE]


def _milliseconds(moment: datetime) -> str:
    return f"{_seconds(moment)}{moment.microsecond // 1000:03d}"


def _seconds(moment: datetime) -> str:
    """Write a moment as yyyyMMddHHmmss; by hand, because every answer has three."""
    local = moment.astimezone(SHANGHAI)
    return (
        f"{local.year:04d}{local.month:02d}{local.day:02d}"
        f"{local.hour:02d}{local.minute:02d}{local.second:02d}"
    )
