"""The zone in which days are counted: Asia/Shanghai."""

from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["SHANGHAI"]

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
