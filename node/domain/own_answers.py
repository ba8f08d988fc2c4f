"""The three transactions that a node answers by itself, and what it answers.

| transaction | answer |
|---|---|
| 3101 明细审核事前分析服务, 3102 事中 | where no rule looked: no finding, and 未判定 in words |
| 3103 事前事中服务反馈 | kept |

An empty ``result`` alone would read as "nothing wrong": the words say that no rule looked. What
rules find is told by ``node.api.his.prechecks``.
Every other transaction is the core platform's: a settlement is never invented.

Source:
    National interface, transactions 3101 to 3103; output of 3101: ``result``, a list.
"""

from collections.abc import Mapping
from typing import Final, TypeGuard

__all__ = ["NODE_SILENT", "is_own", "own_answer"]

_OWN: Final = frozenset({"3101", "3102", "3103"})
_NOT_JUDGED: Final = (
    "未判定：审核规则未启用或尚未载入，结果不代表无问题 / not judged: no rules are loaded here"
)
NODE_SILENT: Final = (
    "未判定：节点未在时限内应答，结果不代表无问题 / not judged: the node gave no answer in time"
)
_FEEDBACK: Final = "3103"


def is_own(infno: object) -> TypeGuard[str]:
    """Tell whether a value from outside names a transaction that needs no platform.

    >>> is_own("3101"), is_own("2207"), is_own(["3101"])
    (True, False, False)
    """
    return isinstance(infno, str) and infno in _OWN


def own_answer(infno: str) -> tuple[Mapping[str, object], str]:
    """Give ``output`` and ``err_msg`` of one of the node's own transactions.

    >>> own_answer("3101")[0]
    {'result': []}
    >>> own_answer("3103")
    ({}, '')
    """
    return ({}, "") if infno == _FEEDBACK else ({"result": []}, _NOT_JUDGED)
