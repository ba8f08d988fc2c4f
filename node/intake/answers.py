"""Answers in the official envelope to what was taken in.

| field | content |
|---|---|
| infcode | 0: received; -1: not received, or not done |
| inf_refmsgid | 30 digits: division, moment to the second, ten digits of sequence |
| refmsg_time, respond_time | yyyyMMddHHmmssSSS, Asia/Shanghai |
| err_msg | at most 200 characters, Chinese first: field, masked value, how to mend it |
| output | an object; empty when nothing was done |

The node never invents what only the platform can put out: a request that waits for
the platform's response gets no output.

Source:
    National interface, message head (报文头).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import orjson

from node.domain.fault_words import WORDS_ZH
from node.domain.faults import Fault
from node.domain.masking import printable
from node.intake.outcomes import Outcome, Taken

__all__ = [
    "FAILED",
    "MAX_MESSAGE",
    "RECEIVED",
    "fault_text",
    "reference_id",
    "respond",
    "taken_text",
]

RECEIVED: Final = 0
FAILED: Final = -1
MAX_MESSAGE: Final = 200
"""Characters of ``err_msg``."""

_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_NO_DIVISION: Final = "000000"
_DIVISION_DIGITS: Final = 6
_SEQUENCES: Final = 10**10
_SHOWN_ZH: Final[Mapping[str, str]] = {"nothing": "空", "an object": "对象", "a list": "列表"}
_WAITING: Final = "已收存，等待平台应答 / kept; waiting for its response"
_NOT_SETTLED: Final = "已收存；本节点不代替医保平台结算 / kept, but this node does not settle"


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
    moment = now.astimezone(_SHANGHAI).strftime("%Y%m%d%H%M%S")
    return f"{division if is_division else _NO_DIVISION}{moment}{sequence % _SEQUENCES:010d}"


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
            "err_msg": _cut(message),
            "output": output or {},
        }
    )


def taken_text(taken: Taken, *, settles_elsewhere: bool) -> tuple[int, str]:
    """Say in ``infcode`` and ``err_msg`` what became of a message.

    Args:
        taken: The message, durable.
        settles_elsewhere: True for a copy of a message that the platform answers anyway;
            False where the sender expects the platform's answer from this node.

    Returns:
        (infcode, err_msg); a message that is repeated gets the answer it got before.
    """
    if taken.fault is not None:
        return FAILED, fault_text(taken.fault)
    waits = taken.standing is Outcome.PENDING or (
        taken.standing is Outcome.SEEN and taken.accepted is None
    )
    if not waits:
        return RECEIVED, ""
    return (RECEIVED, _WAITING) if settles_elsewhere else (FAILED, _NOT_SETTLED)


def fault_text(fault: Fault) -> str:
    """Tell a vendor's system of a fault: field, masked value, what is wrong, how to mend it.

    >>> from node.domain.faults import Rule
    >>> fault_text(Fault.of(Rule.FIELD_MISSING, "request.data.psn_no", None, "a value"))
    'request.data.psn_no=空：必填项为空，请填写后重发 [field_missing]'
    """
    wrong, mend = WORDS_ZH[fault.rule]
    shown = _SHOWN_ZH.get(fault.value, fault.value)
    subject = f"{fault.field}={shown}" if fault.field else "报文"
    tail = f"：{wrong}，{mend} [{fault.rule}]"
    return _cut(subject[: MAX_MESSAGE - len(tail)] + tail)


def _cut(text: str) -> str:
    return printable(text)[:MAX_MESSAGE]


def _milliseconds(moment: datetime) -> str:
    local = moment.astimezone(_SHANGHAI)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}"
