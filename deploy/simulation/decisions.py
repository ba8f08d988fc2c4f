"""What departments decided about everyone but the medical institutions, and who is listed.

Documents are numbered once and for all, so a later file repeats an earlier one's events.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from deploy.simulation.city import City, Institution
from deploy.simulation.conduct import Misconduct
from deploy.simulation.events import HANDLED_BELOW, Event, document_number
from deploy.simulation.population import CLASSES, Subject

DECISIONS_TAG: Final = 9
PHARMACY: Final = "designated_retail_pharmacy"
MEDICAL: Final = "designated_medical_institution"
_DECIDED: Final = (*CLASSES, PHARMACY, MEDICAL)
"""Classes in the order that keys their draws; new ones come last."""
_DAYS_PER_YEAR: Final = 365
_FIRST_PLACE: Final = 51
"""Places of documents before it are those of what follows from a hospital's misconduct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One sort of decision or entry in a list, and whom it meets."""

    item: str
    """Information item."""
    authority: str
    """Who decides."""
    low: float = 0.0
    high: float = 1.01
    """Ranks it meets: from ``low`` to below ``high``."""
    years: tuple[int, ...] = (0,)
    """Years before the last period; 0 is the last period itself."""
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Columns of the item besides subject, authority, number and day."""
    amount: tuple[int, int] | None = None
    """Least and most of the column ``amount_yuan``, yuan; None where the item has none."""
    misconduct: Misconduct | None = None
    """What the ground truth calls it; None for what is no misconduct."""
    handled_only: bool = False
    """Whether it meets staff only whose institution was handled in the period."""

    def meets(self, rank: float, institution: Institution | None) -> bool:
        """Say whether it meets a subject.

        Args:
            rank: The subject's rank.
            institution: Where a member of staff works; None for everyone else.
        """
        handled = institution is not None and institution.rank < HANDLED_BELOW
        return self.low <= rank < self.high and (handled or not self.handled_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """Somebody that decisions can be about."""

    subject_class: str
    """Subject class, as its model is called."""
    index: int
    """Makes document numbers unique within an item."""
    key: tuple[int, ...]
    """Keys the draws."""
    code: str
    """Subject id."""
    rank: float
    """Place within the class, 0 worst to 1 best."""
    institution: Institution | None
    """The institution itself, or where a member of staff works."""


def addressees(city: City, population: Sequence[Subject]) -> tuple[Addressee, ...]:
    """List everybody that decisions can be about.

    Args:
        city: The city.
        population: Everyone but its institutions.

    Returns:
        Institutions, then the population.
    """
    institutions = (
        Addressee(
            subject_class=PHARMACY if one.is_pharmacy else MEDICAL,
            index=one.index,
            key=(one.index,),
            code=one.code,
            rank=one.rank,
            institution=one,
        )
        for one in city.institutions
    )
    others = (
        Addressee(
            subject_class=one.subject_class,
            index=one.index,
            key=one.key,
            code=one.code,
            rank=one.rank,
            institution=one.institution,
        )
        for one in population
    )
    return (*institutions, *others)


def decisions_about(
    city: City,
    addressee: Addressee,
    table: Iterable[Decision],
    *,
    first_day: date,
    last_day: date,
) -> list[Event]:
    """List everything decided about somebody by a table.

    Args:
        city: The city.
        addressee: About whom.
        table: Sorts of decisions for the class.
        first_day: First day of the last period.
        last_day: Last day of the last period.

    Returns:
        Events of the last period and of the years before it.
    """
    rng = city.rng(DECISIONS_TAG, _DECIDED.index(addressee.subject_class), *addressee.key)
    made: list[Event] = []
    span = (last_day - first_day).days
    for sort in table:
        if not sort.meets(addressee.rank, addressee.institution):
            continue
        for year in sort.years:
            if year:
                back = _DAYS_PER_YEAR * year - int(rng.integers(20, 340))
                day = first_day - timedelta(days=back)
            else:
                day = first_day + timedelta(days=int(rng.integers(5, span)))
            details = dict(sort.columns)
            if sort.amount is not None:
                details["amount_yuan"] = f"{int(rng.integers(*sort.amount))}.00"
            place = _FIRST_PLACE + len(made)
            number = document_number(sort.item, day.year, addressee.index, place)
            if "act_id" in details:
                details["act_id"] = f"行为{addressee.index + 1:06d}-{place:02d}"
            made.append(
                Event(
                    item=sort.item,
                    authority=sort.authority,
                    subject=addressee.code,
                    number=number,
                    day=day,
                    details=details,
                    misconduct=None if year else sort.misconduct,
                )
            )
    return made
