"""Everyone else who is graded: staff, insured persons, employers, suppliers, third parties.

Staff of an institution depend on it alone; of the insured persons a department knows pseudonyms.
Organisations carry serials that the institutions of the city never reach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from deploy.simulation.city import City, Institution, Person, staff_serial
from deploy.simulation.codes import ENTERPRISE, credit_code, pseudonym, staff_code
from deploy.simulation.places import DIVISIONS

POPULATION_TAG: Final = 7
PHYSICIAN, NURSE, PHARMACIST = "physician", "nurse", "pharmacist"
INSURED_PERSON: Final = "insured_person"
EMPLOYER, SUPPLIER, THIRD_PARTY = "employer", "supplier", "third_party_provider"
STAFF: Final = (PHYSICIAN, NURSE, PHARMACIST)
CLASSES: Final = (*STAFF, INSURED_PERSON, EMPLOYER, SUPPLIER, THIRD_PARTY)
"""Subject classes, as their models are called."""

_OWN_SHARE: Final = 0.7
"""What of the rank of a member of staff is their own; the rest is their institution's."""
_DOCTORS_PER_NURSE: Final = 3
_DOCTORS_PER_PHARMACIST: Final = 12
_PHARMACY_STAFF: Final = 2
_FIRST_SERIALS: Final[Mapping[str, int]] = {
    EMPLOYER: 100_000,
    SUPPLIER: 400_000,
    THIRD_PARTY: 700_000,
}
"""First serials of organisations; institutions have those from 10,000 to 33,333."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Someone a department reports on."""

    subject_class: str
    """One of ``CLASSES``."""
    index: int
    """Place within everyone, from 0."""
    key: tuple[int, ...]
    """Keys the subject's draws, whatever else is in the city."""
    code: str
    """Subject id: staff code, pseudonym or unified social credit code."""
    rank: float
    """Place within the class by conduct, 0 worst to 1 best."""
    institution: Institution | None = field(default=None, repr=False)
    """Where a member of staff works."""
    person: Person | None = field(default=None, repr=False)
    """Who an insured person is; no department learns it."""
    division: str
    """Division code."""


def build_population(city: City) -> tuple[Subject, ...]:
    """Make everyone else of a city.

    Args:
        city: The city.

    Returns:
        Subjects by class, in the order of ``CLASSES``: the insurance doctors that messages name
        and some nurses and pharmacists of every institution, and persons, employers, suppliers
        and third parties in proportion to the medical institutions.
    """
    medical = sum(not item.is_pharmacy for item in city.institutions)
    made = [one for item in city.institutions for one in _staff(city, item)]
    staff = [one for name in STAFF for one in made if one.subject_class == name]
    everyone = (
        *staff,
        *_persons(city, max(40, medical * 13 // 4)),
        *_organisations(city, EMPLOYER, max(12, medical)),
        *_organisations(city, SUPPLIER, max(12, medical * 2 // 3)),
        *_organisations(city, THIRD_PARTY, max(10, medical // 4)),
    )
    return tuple(replace(one, index=index) for index, one in enumerate(everyone))


def of_class(population: Sequence[Subject], *classes: str) -> tuple[Subject, ...]:
    """Choose the subjects of some classes.

    Args:
        population: Everyone.
        classes: Subject classes.

    Returns:
        Their subjects, in order.
    """
    return tuple(one for one in population if one.subject_class in classes)


def _staff(city: City, institution: Institution) -> list[Subject]:
    """Make an institution's staff; their ranks are spread evenly before they are mixed."""
    doctors = len(institution.doctors)
    if institution.is_pharmacy:
        posts = [(PHARMACIST, "Y")] * _PHARMACY_STAFF
    else:
        posts = [(PHYSICIAN, "D")] * doctors
        posts += [(NURSE, "N")] * max(1, doctors // _DOCTORS_PER_NURSE)
        posts += [(PHARMACIST, "HY")] * max(1, doctors // _DOCTORS_PER_PHARMACIST)
    rng = city.rng(POPULATION_TAG, 0, institution.index)
    own = ((rng.permutation(len(posts)) + rng.random(len(posts))) / len(posts)).tolist()
    made: list[Subject] = []
    for place, (name, prefix) in enumerate(posts):
        number = sum(one.subject_class == name for one in made)
        code = staff_code(prefix, institution.division, staff_serial(institution.index, number))
        made.append(
            Subject(
                subject_class=name,
                index=0,
                key=(institution.index, place),
                code=code,
                rank=_mixed(own[place], institution.rank),
                institution=institution,
                division=institution.division,
            )
        )
    return made


def _mixed(own: float, shared: float) -> float:
    """Mix two even ranks and spread the mixture evenly again.

    >>> [round(_mixed(one, one), 9) for one in (0.0, 0.5, 1.0)]
    [0.0, 0.5, 1.0]
    """
    mixed = _OWN_SHARE * own + (1 - _OWN_SHARE) * shared
    tail = 2 * _OWN_SHARE * (1 - _OWN_SHARE)
    if mixed < 1 - _OWN_SHARE:
        return mixed**2 / tail
    if mixed > _OWN_SHARE:
        return 1 - (1 - mixed) ** 2 / tail
    return (mixed - (1 - _OWN_SHARE) / 2) / _OWN_SHARE


def _persons(city: City, wanted: int) -> list[Subject]:
    """Choose insured persons evenly from the city's."""
    count = min(wanted, len(city.persons))
    ranks = _ranks(city, INSURED_PERSON, count)
    made = []
    for index in range(count):
        person = city.persons[index * len(city.persons) // count]
        made.append(
            Subject(
                subject_class=INSURED_PERSON,
                index=0,
                key=(index,),
                code=pseudonym(city.seed, person.number),
                rank=ranks[index],
                person=person,
                division=person.division,
            )
        )
    return made


def _organisations(city: City, name: str, count: int) -> list[Subject]:
    ranks = _ranks(city, name, count)
    divisions = list(DIVISIONS)
    made = []
    for index in range(count):
        division = divisions[index % len(divisions)]
        serial = _FIRST_SERIALS[name] + index
        made.append(
            Subject(
                subject_class=name,
                index=0,
                key=(index,),
                code=credit_code(division, serial, category=ENTERPRISE),
                rank=ranks[index],
                division=division,
            )
        )
    return made


def _ranks(city: City, name: str, count: int) -> list[float]:
    """Spread the ranks of a class evenly, in random order."""
    rng = city.rng(POPULATION_TAG, 1 + CLASSES.index(name))
    ranks: list[float] = ((rng.permutation(count) + 0.5) / count).tolist()
    return ranks
