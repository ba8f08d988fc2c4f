"""A made-up region of the rules' benchmark, month by month: its places, people and visits.

Rules:
- Nearly everything is in order; about one line in a hundred is not, of every kind a rule looks
  for, so that a rule has candidates to read and a few hits to write.
- It is made of numbers, columns at a time, and imports nothing of the rules but their knowledge.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from deploy.benchmarks.rules_items import Bools, Ints, Items
from deploy.simulation.codes import institution_code

__all__ = [
    "DAY_S",
    "DOCTORS",
    "HOSPITALS",
    "ICD",
    "MONTHS",
    "Texts",
    "Visits",
    "World",
    "make_visits",
    "make_world",
    "rare",
]

MONTHS: Final = (202607, 202608, 202609, 202610, 202611, 202612)
DAYS: Final = 28
"""Days of a month on which anything happens."""
DAY_S: Final = 86_400
HOSPITALS: Final = 170
PHARMACIES: Final = 30
DOCTORS: Final = 30
"""Of one institution."""
_LINES: Final = {"outpatient": 4, "pharmacy": 3}
_SHARES: Final = {"outpatient": 0.55, "pharmacy": 0.1}
_STAY_LINES: Final = 5
_MEAN_STAY: Final = 8
_LINES_PER_PERSON: Final = 16
ICD: Final = 240

Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What does not change from month to month."""

    items: Items
    institutions: Texts
    """Codes: hospitals, then pharmacies."""
    rank: Ints
    """Of institutions."""
    persons: int
    gender: Texts
    born_day: Ints
    """Days since 1970."""
    insutype: Texts
    lines_per_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """Visits of one month by number, shape (n,) each; moments in seconds since 1970."""

    month: int
    first: int
    """Number of the first visit among all months."""
    place: Ints
    person: Ints
    begins: Ints
    settled: Ints
    days: Ints
    """Days of a stay; 0 for others."""
    lines: Ints
    """Number of lines."""
    med_type: Texts
    doctor: Ints
    """Within the institution."""
    icd: Ints
    basket: Ints
    """Number of a basket that several visits share; -1 for none."""
    odd: Bools
    """Stays with an oddity of their own."""

    @property
    def count(self) -> int:
        """Number of visits."""
        return len(self.place)

    @property
    def inpatient(self) -> Bools:
        """Which of them are stays."""
        return self.days > 0


def rare(rng: np.random.Generator, count: int, share: float) -> Bools:
    """Choose about a share of things."""
    return rng.random(count) < share


def make_world(lines: int, items: Items, rng: np.random.Generator) -> World:
    """Make a region for so many lines in half a year.

    Args:
        lines: Detail lines over all months, roughly.
        items: What is charged.
        rng: Source of chance.
    """
    codes = [institution_code("H", "330302", n + 1) for n in range(HOSPITALS)]
    codes += [institution_code("P", "330302", n + 1) for n in range(PHARMACIES)]
    rank = rng.integers(1, 4, HOSPITALS + PHARMACIES)
    rank[HOSPITALS:] = 0
    persons = max(2_000, lines // _LINES_PER_PERSON)
    return World(
        items=items,
        institutions=np.array(codes),
        rank=rank,
        persons=persons,
        gender=np.where(rare(rng, persons, 0.5), "1", "2"),
        born_day=rng.integers(-14_600, 20_000, persons),
        insutype=np.where(rare(rng, persons, 0.4), "310", "390"),
        lines_per_month=max(2_000, lines // len(MONTHS)),
    )


def make_visits(world: World, at: int, first: int, rng: np.random.Generator) -> Visits:
    """Make the visits of one month.

    Args:
        world: The region.
        at: Place of the month in ``MONTHS``.
        first: Visits of the months before.
        rng: Source of chance.
    """
    month = MONTHS[at]
    start = int(np.datetime64(f"{month // 100}-{month % 100:02d}-01", "s").astype(np.int64))
    lines = world.lines_per_month
    seen = round(lines * _SHARES["outpatient"] / _LINES["outpatient"])
    bought = round(lines * _SHARES["pharmacy"] / _LINES["pharmacy"])
    rest = 1 - sum(_SHARES.values())
    stays = max(40, round(lines * rest / (_STAY_LINES * _MEAN_STAY)))
    count = stays + seen + bought
    kind = np.repeat([0, 1, 2], [stays, seen, bought])

    days = np.where(kind == 0, rng.integers(1, 2 * _MEAN_STAY, count), 0)
    day = (rng.random(count) * (DAYS - days)).astype(np.int64)
    second = rng.integers(8 * 3600, 18 * 3600, count)
    night = (rng.integers(0, HOSPITALS, count) < 2) & (kind == 1)
    second[night] = rng.integers(22 * 3600, 23 * 3600, int(night.sum()))
    begins = start + day * DAY_S + second
    place = np.where(
        kind == 2,
        HOSPITALS + rng.integers(0, PHARMACIES, count),
        rng.integers(0, HOSPITALS, count),
    )
    place[night] = rng.integers(0, 2, int(night.sum()))
    settled = np.where(kind == 0, begins + days * DAY_S + 3600, begins + 3600)
    person = rng.integers(0, world.persons, count)
    icd = rng.integers(0, ICD, count)
    each = rng.integers(2, 7, count)
    visits = Visits(
        month=month,
        first=first,
        place=place,
        person=person,
        begins=begins,
        settled=settled,
        days=days,
        lines=np.where(kind == 0, days * _STAY_LINES, np.where(kind == 1, each, each // 2 + 1)),
        med_type=np.where(
            kind == 0,
            "21",
            np.where(kind == 2, "41", rng.choice(["11", "14", "13"], count, p=[0.75, 0.2, 0.05])),
        ),
        doctor=rng.integers(0, DOCTORS, count),
        icd=icd,
        basket=np.full(count, -1),
        odd=rare(rng, count, 0.02) & (kind == 0),
    )
    _entangle(visits, stays, seen, start, rng)
    _gather(visits, stays + seen, start, rng)
    return visits


def _entangle(visits: Visits, stays: int, seen: int, start: int, rng: np.random.Generator) -> None:
    """Let some visits meet: split stays, overlapping ones, purchases during a stay, two places."""
    few = max(2, stays // 100)
    # Split: the same person, place and diagnosis a few days after the first stay.
    before, after = np.arange(few), np.arange(few, 2 * few)
    visits.days[before] = visits.days[after] = 3
    visits.begins[before] = start + rng.integers(0, 14, few) * DAY_S + 36_000
    visits.begins[after] = visits.begins[before] + 6 * DAY_S
    for column in (visits.person, visits.place, visits.icd):
        column[after] = column[before]
    # Overlap: the same person elsewhere a day later.
    early, late = np.arange(2 * few, 3 * few), np.arange(3 * few, 4 * few)
    visits.begins[early] = start + rng.integers(0, 14, few) * DAY_S + 36_000
    visits.days[early] = visits.days[late] = 5
    visits.begins[late] = visits.begins[early] + DAY_S
    visits.person[late] = visits.person[early]
    visits.place[late] = (visits.place[early] + 1) % HOSPITALS
    moved = np.concatenate((before, after, early, late))
    visits.settled[moved] = visits.begins[moved] + visits.days[moved] * DAY_S + 3600
    visits.lines[moved] = visits.days[moved] * _STAY_LINES
    # Purchases in the middle of a stay.
    long = np.flatnonzero(visits.days[:stays] >= 4)
    buyers = stays + rng.choice(seen, min(seen, max(2, seen // 200)), replace=False)
    of = rng.choice(long, len(buyers))
    visits.person[buyers] = visits.person[of]
    visits.begins[buyers] = visits.begins[of] + 2 * DAY_S
    visits.settled[buyers] = visits.begins[buyers] + 3600
    # At two places within ten minutes.
    pairs = stays + rng.choice(seen // 2, max(2, seen // 2_000), replace=False) * 2
    visits.person[pairs + 1] = visits.person[pairs]
    visits.begins[pairs + 1] = visits.begins[pairs] + 600
    visits.settled[pairs + 1] = visits.settled[pairs] + 600


def _gather(visits: Visits, first: int, start: int, rng: np.random.Generator) -> None:
    """Let groups of six buy the same at a pharmacy on three days, and many buy one package."""
    for group in range(3):
        rows = first + group * 18 + np.arange(18)
        rows = rows[rows < visits.count]
        turn = np.arange(len(rows))
        visits.person[rows] = visits.person[first + group * 18] + turn % 6
        visits.place[rows] = HOSPITALS + group
        visits.begins[rows] = start + (turn // 6 * 3 + 2) * DAY_S + 36_000 + turn % 6 * 60
        visits.settled[rows] = visits.begins[rows] + 60
        visits.basket[rows] = group
        visits.lines[rows] = 3
    rows = first + 60 + rng.choice(max(1, visits.count - first - 60), 60, replace=False)
    rows = rows[rows < visits.count]
    visits.place[rows] = HOSPITALS + 5
    visits.basket[rows] = 10
    visits.lines[rows] = 2
