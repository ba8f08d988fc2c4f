"""Shelves of traced drugs: every pack has a code of its own (药品追溯码), from delivery to sale.

0. A few drugs of the price list are traced; of the others nothing is known.
1. A batch is delivered on the morning of the day on which the shelf cannot give what is asked.
2. The oldest pack goes first. What comes back is kept apart: sold drugs are not sold again.
3. Packs that are left over at the end of a period are there at the beginning of the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from deploy.simulation.city import City, Institution, Person
from deploy.simulation.desk import Calendar
from deploy.simulation.price_list import DRUGS, ChargeItem
from deploy.simulation.visits import DAY_S

STOCK_TAG: Final = 9
TRACED: Final = DRUGS[:4]
BATCH_PACKS: Final = 10
_HOUR_S: Final = 3600
_DELIVERED_S: Final = 7 * _HOUR_S
_BROKEN_S: Final = 19 * _HOUR_S + 1800
_COUNTED_S: Final = 20 * _HOUR_S
_BREAKS_SHARE: Final = 0.3


@dataclass(slots=True, kw_only=True)
class Batch:
    """Packs of one delivery."""

    item: ChargeItem
    number: str
    """The institution's own number of it (定点医药机构批次流水号)."""
    delivered: str
    """Day of the delivery, yyyy-mm-dd."""
    codes: list[str]
    """Packs for sale, the next one first."""
    returned: list[str] = field(default_factory=list)
    """Packs that came back."""

    @property
    def on_hand(self) -> list[str]:
        """Codes of all packs that are here."""
        return [*self.codes, *self.returned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packs:
    """Packs of one batch that go together."""

    batch: Batch
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What packs were handed out for."""

    person: Person
    mdtrt_id: str
    setl_id: str


class StockBook(Protocol):
    """Writes what happens to an institution's stock."""

    def bought(self, packs: Packs, second: int) -> None:
        """Write a delivery (3503)."""

    def broken(self, packs: Packs, second: int) -> None:
        """Write packs that are destroyed (3502)."""

    def counted(self, packs: Packs, second: int) -> None:
        """Write what a count found (3501)."""

    def returned(self, packs: Packs, sale: Sale, second: int) -> None:
        """Write packs that came back after a reversed settlement (3506)."""


class Shelves:
    """The traced stock of one institution; lives as long as the simulation."""

    def __init__(self, institution: Institution, items: Sequence[ChargeItem] = TRACED) -> None:
        """Begin with nothing.

        Args:
            institution: Whose stock.
            items: The drugs it keeps count of.
        """
        self._institution = institution
        self._batches: dict[ChargeItem, list[Batch]] = {item: [] for item in items}
        self._delivered = dict.fromkeys(items, 0)

    def _left(self) -> Iterator[Batch]:
        """Give the batches with something left, drug by drug, the oldest first."""
        for held in self._batches.values():
            yield from (batch for batch in held if batch.on_hand)

    def take(
        self, book: StockBook, calendar: Calendar, item: ChargeItem, *, count: int, second: int
    ) -> list[Packs]:
        """Take packs off the shelf, after a delivery where there are not enough.

        Args:
            book: Takes the delivery down.
            calendar: Texts of the period's moments.
            item: The drug.
            count: How many packs.
            second: When they are asked for.

        Returns:
            The packs, by batch; nothing for what is not counted.
        """
        held = self._batches.get(item)
        if held is None:
            return []
        while sum(len(batch.codes) for batch in held) < count:
            held.append(self._deliver(book, calendar, item, second // DAY_S * DAY_S))
        taken = []
        for batch in held:
            codes, batch.codes = batch.codes[:count], batch.codes[count:]
            count -= len(codes)
            if codes:
                taken.append(Packs(batch=batch, codes=tuple(codes)))
        self._batches[item] = [batch for batch in held if batch.on_hand]
        return taken

    def put_back(self, packs: Packs) -> None:
        """Keep packs that come back after they were sold; nobody gets them again.

        Args:
            packs: What comes back.
        """
        held = self._batches[packs.batch.item]
        if all(batch is not packs.batch for batch in held):
            held.append(packs.batch)
        packs.batch.returned.extend(packs.codes)

    def close(self, city: City, book: StockBook, calendar: Calendar, *, ordinal: int) -> None:
        """Count everything on the evening of the last day, and find what is broken.

        Args:
            city: The city, for its draws.
            book: Takes down what is found.
            calendar: The period.
            ordinal: Number of the period.
        """
        last = (calendar.days - 1) * DAY_S
        rng = city.rng(STOCK_TAG, self._institution.index, ordinal)
        for batch in list(self._left()):
            if batch.codes and rng.random() < _BREAKS_SHARE:
                broken = batch.codes.pop()
                book.broken(Packs(batch=batch, codes=(broken,)), last + _BROKEN_S)
        for batch in self._left():
            book.counted(Packs(batch=batch, codes=tuple(batch.on_hand)), last + _COUNTED_S)

    def _deliver(
        self, book: StockBook, calendar: Calendar, item: ChargeItem, midnight: int
    ) -> Batch:
        place, index = DRUGS.index(item), self._institution.index
        first = self._delivered[item] * BATCH_PACKS
        self._delivered[item] += 1
        batch = Batch(
            item=item,
            number=f"{self._institution.code}{place:03d}{self._delivered[item]:07d}",
            delivered=calendar.day(midnight),
            # Codes of the national platform have 20 digits and begin with 8.
            codes=[
                f"8{place:03d}{index:05d}{serial:011d}"
                for serial in range(first, first + BATCH_PACKS)
            ],
        )
        book.bought(Packs(batch=batch, codes=tuple(batch.codes)), midnight + _DELIVERED_S)
        return batch
