"""What an answer in the official envelope says of a message that was taken in.

``err_msg`` is Chinese first: field, masked value, how to mend it. The node
never invents what only the platform can put out: a request that waits for the platform's
response gets no output.

Source:
    National interface, message head (报文头).
"""

from collections.abc import Mapping
from typing import Final

from node.domain.fault_words import WORDS_ZH
from node.domain.faults import Fault
from node.domain.official_answers import FAILED, MAX_MESSAGE, RECEIVED, cut
from node.intake.outcomes import Outcome, Taken

__all__ = ["fault_text", "taken_text"]

_SHOWN_ZH: Final[Mapping[str, str]] = {"nothing": "空", "an object": "对象", "a list": "列表"}
_WAITING: Final = "已收存，等待平台应答 / kept; waiting for its response"
_NOT_SETTLED: Final = "已收存；本节点不代替医保平台结算 / kept, but this node does not settle"


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
    return cut(subject[: MAX_MESSAGE - len(tail)] + tail)
