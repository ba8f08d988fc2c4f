"""When who goes where and what is charged: the claims of one institution in one period.

Visits and line counts are spread evenly and shuffled, not drawn independently: a clinic with
seventy visits must not grow by a fifth through bad luck. Times are seconds from the period's
first midnight, Asia/Shanghai.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from deploy.simulation.city import City, Institution
from deploy.simulation.conduct import Conduct
from deploy.simulation.price_list import INPATIENT_ITEMS, OUTPATIENT_ITEMS

DAY_S: Final = 86_400
VISITS_TAG: Final = 4
_OPENING_S, _CLOSING_S = 8 * 3600, 17 * 3600
_DISCHARGE_S: Final = 9 * 3600
_LAST_ADMISSION_SHARE: Final = 0.86
"""Stays begin early enough in the period to be settled in it."""
_MISTAKES_SHARE: Final = 0.02
"""Share of stays with a mistake at the counter, of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Charged lines of one visit, in parallel: place in the price list and count."""

    items: tuple[int, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """An outpatient visit (门诊) or a purchase in a pharmacy."""

    person: int
    """Place of the person in the city."""
    doctor: int
    """Place of the doctor in the institution."""
    begin_s: int
    """Registration."""
    lines: Lines
    """What is charged."""
    doubled: bool
    """Whether its first line is charged twice."""
    reversed: bool
    """Whether the settlement is reversed (撤销) an hour later."""
    pending: bool
    """Whether the settlement's response was never received."""
    fails: bool
    """Whether the first attempt to settle is refused."""

    @property
    def handed_out_s(self) -> int:
        """About when drugs are handed out: a visit ends on the day on which it begins."""
        return self.begin_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """An inpatient stay (住院)."""

    person: int
    doctor: int
    admitted_s: int
    days: int
    """Whole days until discharge, at least 1."""
    lines: Lines
    """What is charged besides the bed; empty for a stay without treatment."""
    lettered: bool
    """Whether a settlement list (结算清单) is sent."""
    hanging: bool
    """Whether nobody is treated (挂床)."""
    follows: str
    """Why the person is here again: empty, ``readmission`` or ``split``."""
    fails: bool
    mistaken: bool
    """Whether an admission was entered by mistake before it and cancelled (入院撤销)."""
    undone: bool
    """Whether its first discharge is cancelled (出院撤销) and entered again."""

    @property
    def discharged_s(self) -> int:
        """Moment of the discharge: nine in the morning."""
        return (self.admitted_s // DAY_S + self.days) * DAY_S + _DISCHARGE_S

    @property
    def handed_out_s(self) -> int:
        """About when drugs are handed out: all at the discharge."""
        return self.discharged_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """All claims of one institution in one period."""

    visits: tuple[Visit, ...]
    stays: tuple[Stay, ...]

    def in_turn(self) -> list[Visit | Stay]:
        """Give visits and stays in the order in which their drugs are handed out."""
        both: list[Visit | Stay] = [*self.visits, *self.stays]
        return sorted(both, key=lambda one: one.handed_out_s)


def workload_of(
    city: City, institution: Institution, conduct: Conduct, *, claims: int, ordinal: int, days: int
) -> Workload:
    """Make an institution's claims.

    Args:
        city: The city.
        institution: A medical institution or a pharmacy.
        conduct: How it behaves in the period.
        claims: Claims of a period at no growth.
        ordinal: Period's number, to key the draws.
        days: Days of the period.

    Returns:
        Visits and stays in order of time.
    """
    rng = city.rng(VISITS_TAG, institution.index, ordinal)
    wanted = max(4, round(claims * (1.0 + conduct.visits_growth)))
    stays = round(wanted * institution.tier.inpatient_share)
    if institution.tier.inpatient_share:
        stays = max(stays, 2)
    return Workload(
        visits=_visits(rng, city, institution, conduct, count=wanted - stays, days=days),
        stays=_stays(rng, city, institution, conduct, count=stays, days=days),
    )


def _spread(rng: np.random.Generator, count: int, low: float, high: float) -> np.ndarray:
    """Spread ``count`` numbers evenly over [low, high), shuffled."""
    if not count:
        return np.zeros(0)
    return low + (high - low) * (rng.permutation(count) + rng.random(count)) / count


def _pick(rng: np.random.Generator, count: int, share: float) -> list[bool]:
    """Mark a share of ``count`` places, rounded, at random."""
    marks = np.zeros(count, dtype=bool)
    marks[rng.permutation(count)[: round(count * share)]] = True
    chosen: list[bool] = marks.tolist()
    return chosen


def _lines(rng: np.random.Generator, sizes: list[int], items: int, most_units: int) -> list[Lines]:
    """Draw the lines of all visits at once, then cut them; no item twice in a visit."""
    total = sum(sizes)
    starts = rng.integers(0, items, total).tolist()
    counts = rng.integers(1, most_units + 1, total).tolist()
    cut, place = [], 0
    for size in sizes:
        chosen = tuple(dict.fromkeys(starts[place : place + size]))
        cut.append(Lines(items=chosen, counts=tuple(counts[place : place + len(chosen)])))
        place += size
    return cut


def _visits(
    rng: np.random.Generator,
    city: City,
    institution: Institution,
    conduct: Conduct,
    *,
    count: int,
    days: int,
) -> tuple[Visit, ...]:
    begins = np.sort(
        np.floor(_spread(rng, count, 0, days)) * DAY_S
        + np.floor(_spread(rng, count, _OPENING_S, _CLOSING_S))
    ).astype(np.int64)
    pharmacy = institution.is_pharmacy
    sizes = np.floor(_spread(rng, count, 1, 4 if pharmacy else 9)).astype(np.int64)
    items = len(OUTPATIENT_ITEMS)
    lines = _lines(rng, sizes.tolist(), items, 2 if pharmacy else 3)
    people = rng.integers(0, len(city.persons), count).tolist()
    doctors = rng.integers(0, max(1, len(institution.doctors)), count).tolist()
    doubled = _pick(rng, count, conduct.duplicate_share)
    returned = _pick(rng, count, 0.012)
    pending = _pick(rng, count, 0.0 if pharmacy else 0.004)
    fails = _pick(rng, count, conduct.failure_share * 3)
    return tuple(
        Visit(
            person=people[i],
            doctor=doctors[i],
            begin_s=int(begins[i]),
            lines=lines[i],
            doubled=doubled[i],
            reversed=returned[i] and not pending[i],
            pending=pending[i],
            fails=fails[i],
        )
        for i in range(count)
    )


def _stays(
    rng: np.random.Generator,
    city: City,
    institution: Institution,
    conduct: Conduct,
    *,
    count: int,
    days: int,
) -> tuple[Stay, ...]:
    if not count:
        return ()
    again = min(count // 2, max(1 if count >= 8 else 0, round(count * conduct.readmission_share)))
    split = min(count // 2 - again, round(count * conduct.split_share))
    first = count - again - split
    admitted = np.sort(np.floor(_spread(rng, first, 0, days * _LAST_ADMISSION_SHARE - 26)))
    lengths = np.floor(_spread(rng, count, 3, 13)).astype(np.int64)
    hours = rng.integers(_OPENING_S, _CLOSING_S, count).tolist()
    gaps = rng.integers(3, 12, count).tolist()
    lines = _lines(rng, np.floor(_spread(rng, count, 12, 34)).astype(np.int64).tolist(),
                   len(INPATIENT_ITEMS), 3)  # fmt: skip
    start = int(rng.integers(0, len(city.persons)))
    low, high = (round(share * len(city.persons)) for share in institution.catchment)
    width = max(1, high - low)
    people = [min(low, len(city.persons) - 1) + (start + i) % width for i in range(first)]
    doctors = rng.integers(0, len(institution.doctors), count).tolist()
    lettered = _pick(rng, count, conduct.list_share)
    hanging = _pick(rng, count, conduct.hanging_share)
    fails = _pick(rng, count, conduct.failure_share * 3)
    mistaken, undone = _pick(rng, count, _MISTAKES_SHARE), _pick(rng, count, _MISTAKES_SHARE)
    stays = []
    for i in range(count):
        origin = i if i < first else i - first
        follows = "" if i < first else "readmission" if i < first + again else "split"
        day = int(admitted[origin])
        if follows:
            day += int(lengths[origin]) + (1 if follows == "split" else gaps[i])
        stays.append(
            Stay(
                person=people[origin],
                doctor=doctors[i],
                admitted_s=day * DAY_S + hours[i],
                days=int(lengths[i]),
                lines=Lines(items=(), counts=()) if hanging[i] else lines[i],
                lettered=lettered[i],
                hanging=hanging[i],
                follows=follows,
                fails=fails[i],
                mistaken=mistaken[i],
                undone=undone[i],
            )
        )
    return tuple(sorted(stays, key=lambda stay: stay.admitted_s))
