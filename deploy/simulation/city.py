"""Institutions, doctors and insured persons of the simulated city.

Every draw comes from a generator keyed (seed, what, which): adding a pharmacy changes no
hospital's patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from typing import Final

import numpy as np

from deploy.errors import SimulationError
from deploy.simulation.codes import (
    UNASSIGNED_AREA_FIRST,
    UNASSIGNED_AREAS,
    credit_code,
    identity_number,
    institution_code,
    staff_code,
)
from deploy.simulation.places import (
    CITY_DIVISION,
    COUNTY_DIVISION,
    DIVISIONS,
    HOSPITAL_DIVISIONS,
    PHARMACY,
    TIERS,
    Tier,
    tier_counts,
)

COUNTY_CUSTODIAN: Final = "county"
MAX_INSTITUTIONS: Final = 20_000
MAX_CLAIMS: Final = 50_000_000
_SURNAMES: Final = "张王李赵陈杨黄周吴徐孙马朱胡林郭何高罗郑"
_STREETS: Final = ("仿真大道", "模型街", "示例路", "样板巷")
PERSONS_TAG, QUALITY_TAG = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An insured person (参保人) who does not exist."""

    number: str = field(repr=False)
    """Person number (人员编号), 26 digits."""
    identity: str = field(repr=False)
    """Identity number of an unassigned area."""
    name: str = field(repr=False)
    """Made-up name."""
    sex: str
    """1 man, 2 woman."""
    born: str = field(repr=False)
    """Day of birth, yyyy-mm-dd."""
    insurance: str
    """Kind of insurance: 310 employees, 390 residents."""
    person_type: str
    """Category of the person (人员类别)."""
    division: str
    """Division the person is insured in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """A designated institution (定点医药机构) of the city."""

    index: int
    """Place in the city, from 0; medical institutions first."""
    code: str
    """Institution code."""
    name: str
    """Name that says it is simulated."""
    credit_code: str
    """Unified social credit code."""
    tier: Tier
    """Level, type and size."""
    division: str
    """Division code."""
    custodian: str
    """Whose node reports for it: its own code, or ``county``."""
    doctors: tuple[str, ...]
    """Codes of its insurance doctors; pharmacies have none."""
    first_agreement_day: date
    """First day of its first service agreement."""
    rank: float
    """Place among the medical institutions by conduct, 0 worst to 1 best."""
    catchment: tuple[float, float] = (0.0, 1.0)
    """Which of the insured are its inpatients, shares of all from and to: nobody lies in two
    hospitals at once."""

    @property
    def is_pharmacy(self) -> bool:
        """Whether it is a pharmacy (定点零售药店)."""
        return self.code.startswith("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """Everyone in the city."""

    seed: int
    """Seed every draw depends on."""
    institutions: tuple[Institution, ...]
    """Medical institutions, then pharmacies."""
    persons: tuple[Person, ...] = field(repr=False)
    """Insured persons."""

    @property
    def custodians(self) -> Mapping[str, str]:
        """Division of each custodian, by its name."""
        own = {item.custodian: item.division for item in self.institutions}
        return {**own, COUNTY_CUSTODIAN: COUNTY_DIVISION}

    def rng(self, *key: int) -> np.random.Generator:
        """Give the generator of one part of the city.

        Args:
            key: What the draws are for, non-negative.

        Returns:
            A fresh generator: the same key gives the same draws.
        """
        return np.random.default_rng(np.random.SeedSequence([self.seed, *key]))


def build_city(*, institutions: int, claims: int, seed: int) -> City:
    """Build the city.

    Args:
        institutions: Medical institutions, 3 to 20,000; about a sixth as many pharmacies are
            added.
        claims: Claims that will be made, over all periods, at least ten per institution; the
            number of persons follows it.
        seed: Seed, not negative.

    Returns:
        The city.

    Raises:
        SimulationError: A number is out of its bounds.
    """
    if not 3 <= institutions <= MAX_INSTITUTIONS:
        raise SimulationError(
            f"found {institutions} institutions; expected 3 to {MAX_INSTITUTIONS:,}"
        )
    if not 10 * institutions <= claims <= MAX_CLAIMS:
        raise SimulationError(
            f"found {claims} claims for {institutions} institutions; expected at least"
            f" {10 * institutions} (ten for each) and at most {MAX_CLAIMS:,}"
        )
    if seed < 0:
        raise SimulationError(f"found seed {seed}; expected 0 or more")
    city = City(seed=seed, institutions=(), persons=())
    made = _medical_institutions(city, institutions)
    made += _pharmacies(city, round(institutions / 6), first=len(made))
    persons = _persons(city, max(400, claims // 4))
    return City(seed=seed, institutions=tuple(made), persons=persons)


def _medical_institutions(city: City, count: int) -> list[Institution]:
    tiers = [tier for tier, number in zip(TIERS, tier_counts(count), strict=True)
             for _ in range(number)]  # fmt: skip
    ranks = (city.rng(QUALITY_TAG).permutation(count) + 0.5) / count
    weights = [0.0, *accumulate(tier.claims_weight * tier.inpatient_share for tier in tiers)]
    made = []
    for index, tier in enumerate(tiers):
        if index < len(HOSPITAL_DIVISIONS):
            division = HOSPITAL_DIVISIONS[index]
        else:
            division = list(DIVISIONS)[index % len(DIVISIONS)]
        code = institution_code("H", division, index + 1)
        made.append(
            _institution(
                index=index,
                code=code,
                tier=tier,
                division=division,
                custodian=code if index < len(HOSPITAL_DIVISIONS) else COUNTY_CUSTODIAN,
                rank=float(ranks[index]),
                catchment=(weights[index] / weights[-1], weights[index + 1] / weights[-1]),
            )
        )
    return made


def _pharmacies(city: City, count: int, *, first: int) -> list[Institution]:
    made = []
    for place in range(count):
        division = list(DIVISIONS)[(place + city.seed) % len(DIVISIONS)]
        made.append(
            _institution(
                index=first + place,
                code=institution_code("P", division, place + 1),
                tier=PHARMACY,
                division=division,
                custodian=COUNTY_CUSTODIAN,
                rank=(place + 0.5) / count,
            )
        )
    return made


def _institution(
    *,
    index: int,
    code: str,
    tier: Tier,
    division: str,
    custodian: str,
    rank: float,
    catchment: tuple[float, float] = (0.0, 1.0),
) -> Institution:
    """Fill in what follows from code, tier and rank."""
    years = 3 + 9 * rank + index % 3
    return Institution(
        index=index,
        code=code,
        name=f"{DIVISIONS[division]}仿真{tier.title}{index + 1}号",
        credit_code=credit_code(division, 10_000 + index),
        tier=tier,
        division=division,
        custodian=custodian,
        doctors=tuple(
            staff_code("D", division, staff_serial(index, n)) for n in range(tier.doctors)
        ),
        first_agreement_day=date(2026, 1, 1) - timedelta(days=round(365.25 * years)),
        rank=rank,
        catchment=catchment,
    )


def staff_serial(index: int, place: int) -> int:
    """Give the serial of a member of an institution's staff.

    Args:
        index: Place of the institution in the city.
        place: Place among the institution's staff of one kind, 0 to 99.

    Returns:
        Six digits, unique in a division: institutions ten thousand apart are in two divisions.
    """
    return (index * 100 + place) % 1_000_000


def _persons(city: City, count: int) -> tuple[Person, ...]:
    rng = city.rng(PERSONS_TAG)
    ages = rng.integers(1, 92, count).tolist()
    days = rng.integers(0, 365, count).tolist()
    men = rng.integers(0, 2, count).tolist()
    employed = (rng.random(count) < 0.45).tolist()
    divisions = list(DIVISIONS)
    persons = []
    for place in range(count):
        age = ages[place]
        born = date(2025 - age, 1, 1) + timedelta(days=days[place])
        employee = employed[place] and age >= 18
        if employee:
            person_type = "1201" if age >= 60 else "1101"
        else:
            person_type = "1403" if age < 18 else "15"
        persons.append(
            Person(
                number=f"{CITY_DIVISION}{place + 1:020d}",
                identity=identity_number(
                    UNASSIGNED_AREA_FIRST + place // 500 % UNASSIGNED_AREAS,
                    born.strftime("%Y%m%d"),
                    place % 500 * 2 + men[place],
                ),
                name=f"{_SURNAMES[place % len(_SURNAMES)]}仿真",
                sex="1" if men[place] else "2",
                born=born.isoformat(),
                insurance="310" if employee else "390",
                person_type=person_type,
                division=divisions[place % len(divisions)],
            )
        )
    return tuple(persons)


def address(institution: Institution) -> str:
    """Give an institution's made-up address.

    Args:
        institution: The institution.

    Returns:
        Division, street and number.
    """
    street = _STREETS[institution.index % len(_STREETS)]
    return f"{DIVISIONS[institution.division]}{street}{institution.index + 1}号"
