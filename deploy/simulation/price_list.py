"""What the simulated institutions charge for: drugs, services and consumables.

Codes obey the formats of the national lists (Western drugs 23 characters, Chinese patent
medicines 20, services 15, consumables 20) but name no real article; prices are in fen.
"""

from dataclasses import dataclass
from typing import Final

BED_SERIAL: Final = 0
"""Serial of the bed-day among the services: the one line a bed-hanging stay still has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeItem:
    """One line of the price list."""

    national_code: str
    """Code of the national list (医疗目录编码)."""
    local_code: str
    """The institution's own code (医药机构目录编码)."""
    price_fen: int
    """Price of one unit, fen."""
    category: str
    """Charge category (医疗收费项目类别), ``med_chrgitm_type``."""
    coverage: str
    """Coverage class (收费项目等级): 01 in full, 02 in part, 03 not at all."""


def _coverage(serial: int) -> str:
    """Give nine items of ten full coverage, and one of twenty none."""
    return "03" if serial % 20 == 19 else "02" if serial % 20 == 7 else "01"


def _drugs(count: int) -> list[ChargeItem]:
    return [
        ChargeItem(
            national_code=f"X{'ACJN'[serial % 4]}{serial % 9 + 1:02d}AB"
            f"{'CDEF'[serial % 4]}{serial:03d}A001{serial:09d}",
            local_code=f"YP{serial:04d}",
            price_fen=380 + serial * 437 % 9400,
            category="09",
            coverage=_coverage(serial),
        )
        for serial in range(count)
    ]


def _patent_medicines(count: int) -> list[ChargeItem]:
    return [
        ChargeItem(
            national_code=f"ZA{serial % 9 + 1:02d}BAC{serial:013d}",
            local_code=f"ZY{serial:04d}",
            price_fen=1150 + serial * 271 % 4800,
            category="11",
            coverage=_coverage(serial + 3),
        )
        for serial in range(count)
    ]


def _services(count: int) -> list[ChargeItem]:
    return [
        ChargeItem(
            national_code=f"00{1102 + serial:04d}{serial * 37 % 100000:05d}0000",
            local_code=f"XM{serial:04d}",
            price_fen=4500 if serial == BED_SERIAL else 500 + serial * 613 % 16000,
            category="01" if serial == BED_SERIAL else f"{serial % 6 + 2:02d}",
            coverage=_coverage(serial),
        )
        for serial in range(count)
    ]


def _consumables(count: int) -> list[ChargeItem]:
    return [
        ChargeItem(
            national_code=f"C{serial * 104729 % 10**19:019d}",
            local_code=f"HC{serial:04d}",
            price_fen=900 + serial * 1733 % 60000,
            category="08",
            coverage=_coverage(serial + 5),
        )
        for serial in range(count)
    ]


SERVICES: Final = tuple(_services(24))
DRUGS: Final = tuple(_drugs(40) + _patent_medicines(12))
OUTPATIENT_ITEMS: Final = SERVICES[1:] + DRUGS
INPATIENT_ITEMS: Final = SERVICES + DRUGS + tuple(_consumables(16))
BED_DAY: Final = SERVICES[BED_SERIAL]
