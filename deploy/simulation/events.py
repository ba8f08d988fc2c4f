"""What departments decided about medical institutions: handlings, penalties, judgments, honours.

Events of the three years before the last simulated period belong to the history that a rating
reads; documents are numbered once and for all, so a later file repeats an earlier one's events.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from deploy.simulation.city import City, Institution
from deploy.simulation.conduct import Misconduct

EVENTS_TAG: Final = 5
HISTORY_YEARS: Final = 3
HANDLED_BELOW: Final = 0.30
"""Institutions below this rank are handled under their agreement in the last period."""

AUTHORITIES: Final[Mapping[str, str]] = {
    "03": "温州市医疗保障局（仿真）",
    "07": "温州市卫生健康委员会（仿真）",
    "12": "温州市医疗保障局（仿真）",
    "13": "温州市卫生健康委员会（仿真）",
    "17": "温州市中级人民法院（仿真）",
    "18": "温州市中级人民法院（仿真）",
    "19": "温州市市场监督管理局（仿真）",
    "21": "温州市医疗保障局（仿真）",
    "l07": "温州市医疗保障局（仿真）",
}
"""Deciding authority per information item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One decision about, or one entry in a list of, one subject."""

    item: str
    """Information item."""
    subject: str
    """Subject id: institution or staff code, pseudonym or unified social credit code."""
    authority: str
    """Who decided."""
    number: str
    """Document number, unique per authority."""
    day: date
    """Day of the decision or of the entry."""
    details: Mapping[str, str]
    """Columns of the item besides subject, authority, number and day."""
    misconduct: Misconduct | None = None
    """What the ground truth calls it, where it says so itself."""


_LABELS: Final = dict(
    zip("0123456789ldersptc", "零一二三四五六七八九列药单参员店方卷", strict=True)
)
"""A sign of an agency's abbreviation for every sign of an item's number."""


def document_number(item: str, year: int, index: int, place: int) -> str:
    """Number a document (文书号): an agency of this simulation, the year, a number.

    Args:
        item: Information item.
        year: Year of the decision.
        index: Index of whom it is about.
        place: Place among the decisions about the same, below 100.

    Returns:
        The number, unique by item, year, index and place.

    >>> document_number("r03", 2026, 4, 7)
    '\u4eff\u771f\u53c2\u96f6\u4e09\u30142026\u301500000507\u53f7'
    """
    label = "".join(_LABELS[sign] for sign in item)
    return f"仿真{label}\u3014{year}\u3015{index + 1:06d}{place:02d}号"


def _amount(rng: np.random.Generator, low: int, high: int) -> dict[str, str]:
    return {"amount_yuan": f"{int(rng.integers(low, high))}.00"}


def _found_out(
    rng: np.random.Generator, kinds: frozenset[Misconduct]
) -> list[tuple[str, dict[str, str]]]:
    """Say what the misconduct of the last period led to, in that period."""
    decided: list[tuple[str, dict[str, str]]] = []
    if Misconduct.AGREEMENT_SUSPENSION in kinds:
        decided.append(("03", {"handling": "suspension", **_amount(rng, 100_000, 500_000)}))
        decided.append(("l07", {"state": "suspension", "until_day": ""}))
    if Misconduct.FRAUD_CASE in kinds:
        decided.append(("21", {"fraud": "1", **_amount(rng, 200_000, 900_000)}))
        decided.append(("17", {}))
    if Misconduct.INSURANCE_PENALTY in kinds:
        decided.append(("21", {"fraud": "0", **_amount(rng, 10_000, 90_000)}))
        decided.append(("03", {"handling": "refusal", **_amount(rng, 10_000, 50_000)}))
    if Misconduct.HEALTH_PENALTY in kinds:
        decided.append(("07", _amount(rng, 5_000, 60_000)))
    if Misconduct.MARKET_PENALTY in kinds:
        decided.append(("19", _amount(rng, 5_000, 60_000)))
    if Misconduct.DISHONEST_DEBTOR in kinds:
        decided.append(("18", {"until_day": ""}))
    return decided


def _warned(rng: np.random.Generator, rank: float) -> list[tuple[str, dict[str, str]]]:
    """Handle small faults: the lower the rank, the more often."""
    decided: list[tuple[str, dict[str, str]]] = []
    if rank < HANDLED_BELOW:
        decided.append(("03", {"handling": "interview", "amount_yuan": "0.00"}))
    if rank < 0.10:
        decided.append(("03", {"handling": "rectification", "amount_yuan": "0.00"}))
    if rank < 0.05:
        decided.append(("03", {"handling": "payment_suspended", **_amount(rng, 1_000, 9_000)}))
    return decided


def _honoured(rank: float) -> list[tuple[str, dict[str, str]]]:
    """Honour the best."""
    decided = []
    if rank > 0.50:
        decided.append(("12", {"level": "county"}))
    if rank > 0.75:
        decided.append(("13", {"level": "city"}))
    if rank > 0.93:
        decided.append(("13", {"level": "provincial"}))
    return decided


def _remembered(rng: np.random.Generator, rank: float) -> list[tuple[str, dict[str, str]]]:
    """Decide about one earlier year."""
    decided: list[tuple[str, dict[str, str]]] = []
    chance = float(rng.random())
    if chance < 0.5 * (1.0 - rank) ** 2:
        decided.append(("03", {"handling": "interview", "amount_yuan": "0.00"}))
        decided.append(("21", {"fraud": "0", **_amount(rng, 1_000, 30_000)}))
    if chance < 0.3 * (1.0 - rank) ** 2:
        decided.append(("07", _amount(rng, 1_000, 20_000)))
        decided.append(("19", _amount(rng, 1_000, 20_000)))
    if rank > 0.8:
        decided.append(("12", {"level": "county"}))
    return decided


def events_of(
    city: City,
    institution: Institution,
    kinds: frozenset[Misconduct],
    *,
    first_day: date,
    last_day: date,
) -> list[Event]:
    """List everything decided about a medical institution.

    Args:
        city: The city.
        institution: The institution.
        kinds: Its misconduct in the last period.
        first_day: First day of the last period.
        last_day: Last day of the last period.

    Returns:
        Events of the last period and of the three years before it.
    """
    rng = city.rng(EVENTS_TAG, institution.index)
    rank = institution.rank
    dated: list[tuple[date, str, dict[str, str]]] = []
    span = (last_day - first_day).days
    for item, details in [*_found_out(rng, kinds), *_warned(rng, rank), *_honoured(rank)]:
        dated.append((first_day + timedelta(days=int(rng.integers(5, span))), item, details))
    for year in range(1, HISTORY_YEARS + 1):
        for item, details in _remembered(rng, rank):
            earlier = first_day - timedelta(days=365 * year - int(rng.integers(20, 340)))
            dated.append((earlier, item, details))
    return [
        Event(
            item=item,
            subject=institution.code,
            authority=AUTHORITIES[item],
            number=document_number(item, day.year, institution.index, place + 1),
            day=day,
            details=details,
        )
        for place, (day, item, details) in enumerate(dated)
    ]
