"""What an indicator comes to: whole millionths, or the reason why there is no number.

Rules:
- An input nobody has gives no number, whatever the reason: not 0, not the last one known.
- A reason is said in words, in Chinese and English; the first that applies is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why there is no number (无数据原因)."""

    zh: str
    en: str


Outcome: TypeAlias = "int | Reason"
"""Millionths of the indicator's unit, or why there is none."""

NO_RECORDS: Final = Reason(zh="本期没有相关记录", en="no record of it in this window")
NOT_COUNTED: Final = Reason(
    zh="所需的度量这几个月没有统计", en="the measures it needs were not counted for these months"
)
NOT_STATED: Final = Reason(
    zh="该机构尚未上报所需的度量", en="the institution has not stated the measures it needs"
)
EMPTY: Final = Reason(zh="分母为零", en="its denominator is zero")
NO_BASE: Final = Reason(zh="对比期没有数据", en="no number in the window it is compared with")
ZERO_BASE: Final = Reason(
    zh="对比期数值不为正", en="not positive in the window it is compared with"
)
NO_PEERS: Final = Reason(zh="同级同类不足，无法比较", en="too few peers to compare with")
NO_SPREAD: Final = Reason(
    zh="同级同类过半数值相同，离差为零", en="more than half of the peers agree: the MAD is zero"
)
