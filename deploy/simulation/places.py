"""Divisions of the simulated city, and how its institutions are named and sized.

Division codes are those of Wenzhou (GB/T 2260); institutions, names and numbers are made up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

CITY_DIVISION: Final = "330300"
PROVINCE_DIVISION: Final = "330000"

DIVISIONS: Final[Mapping[str, str]] = {
    "330302": "鹿城区",
    "330303": "龙湾区",
    "330304": "瓯海区",
    "330305": "洞头区",
    "330324": "永嘉县",
    "330326": "平阳县",
    "330327": "苍南县",
    "330328": "文成县",
    "330329": "泰顺县",
    "330381": "瑞安市",
    "330382": "乐清市",
    "330383": "龙港市",
}
COUNTY_DIVISION: Final = "330324"
"""Division of the county bureau whose node takes in everyone without a node of their own."""
HOSPITAL_DIVISIONS: Final = ("330302", "330381")
"""Divisions of the two hospitals that run a node themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One sort of institution: how many there are, how big, and how they are called."""

    level: str
    """Level: 3, 2, 1 or 0 (none)."""
    type: str
    """Type: general, tcm, specialist, primary or pharmacy."""
    title: str
    """Chinese noun of the name."""
    share: float
    """Share of all medical institutions."""
    claims_weight: float
    """Relative number of claims of one institution."""
    inpatient_share: float
    """Share of its claims that are inpatient stays."""
    beds: int
    """Licensed beds; 0 for none."""
    doctors: int
    """Insurance doctors."""
    fund_share: float
    """Share of covered outpatient charges that the fund pays."""


TIERS: Final = (
    Tier(
        level="3", type="general", title="附属医院", share=0.0, claims_weight=24.0,
        inpatient_share=0.22, beds=2400, doctors=60, fund_share=0.48,
    ),
    Tier(
        level="3", type="general", title="人民医院", share=0.065, claims_weight=6.0,
        inpatient_share=0.20, beds=1200, doctors=40, fund_share=0.50,
    ),
    Tier(
        level="2", type="general", title="医院", share=0.19, claims_weight=3.0,
        inpatient_share=0.16, beds=320, doctors=18, fund_share=0.58,
    ),
    Tier(
        level="2", type="tcm", title="中医院", share=0.08, claims_weight=3.0,
        inpatient_share=0.14, beds=240, doctors=14, fund_share=0.58,
    ),
    Tier(
        level="1", type="general", title="康复医院", share=0.26, claims_weight=2.0,
        inpatient_share=0.14, beds=60, doctors=8, fund_share=0.64,
    ),
    Tier(
        level="0", type="primary", title="卫生服务中心", share=0.38, claims_weight=1.5,
        inpatient_share=0.0, beds=20, doctors=4, fund_share=0.70,
    ),
)  # fmt: skip

PHARMACY: Final = Tier(
    level="0", type="pharmacy", title="药房", share=0.0, claims_weight=1.0,
    inpatient_share=0.0, beds=0, doctors=0, fund_share=0.35,
)  # fmt: skip
PHARMACY_CLAIMS_SHARE: Final = 0.06
"""Share of all claims that are purchases in a pharmacy."""


def tier_counts(institutions: int) -> tuple[int, ...]:
    """Share medical institutions out over the tiers.

    Args:
        institutions: Number of medical institutions, at least 3.

    Returns:
        Number per tier, in the order of ``TIERS``: two of the highest (they run a node of their
        own), at least one of the lowest, and ``institutions`` in all.

    >>> tier_counts(62)
    (2, 4, 12, 5, 16, 23)
    >>> tier_counts(3)
    (2, 0, 0, 0, 0, 1)
    """
    counts = [round(tier.share * institutions) for tier in TIERS]
    counts[0] = len(HOSPITAL_DIVISIONS)
    while sum(counts[:-1]) > institutions - 1:
        largest = max(range(1, len(counts) - 1), key=lambda place: counts[place])
        counts[largest] -= 1
    counts[-1] = institutions - sum(counts[:-1])
    return tuple(counts)
