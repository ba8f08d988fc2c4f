"""Words for numbers and results, the same for every command of a node and of a hub."""

from collections.abc import Mapping
from typing import Final

__all__ = ["VERDICTS", "counted", "yuan"]

VERDICTS: Final[Mapping[str, str]] = {
    "violation": "违规",
    "suspicion": "可疑",
    "warning": "提醒",
}
"""Results of a rule, as an officer reads them."""


def yuan(fen: int) -> str:
    """Write fen as yuan.

    >>> yuan(123456), yuan(-5)
    ('1,234.56', '-0.05')
    """
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def counted(count: int, one: str, many: str = "") -> str:
    """Say how many there are of something.

    >>> counted(1, "rule"), counted(0, "rule"), counted(2, "near miss", "near misses")
    ('1 rule', '0 rules', '2 near misses')
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"
