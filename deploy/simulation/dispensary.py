"""The dispensary (药房) of one institution in one period: hands packs out, takes them back.

Of an institution whose software has no stock interface the codes of packs are not known: its
settlements carry none, and its stock is a table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.simulation.city import City
from deploy.simulation.desk import Desk
from deploy.simulation.price_list import ChargeItem
from deploy.simulation.shelves import Packs, Sale, Shelves
from deploy.simulation.stock_messages import MessageBook, TableBook, send_sale, settled_codes

TableRow = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispensary:
    """Shelves behind a counter."""

    desk: Desk
    shelves: Shelves = field(repr=False)
    table: list[TableRow] | None = field(default=None, repr=False)
    """Takes the stock as rows where the institution has no interface for it."""

    @property
    def _book(self) -> MessageBook | TableBook:
        if self.table is None:
            return MessageBook(desk=self.desk)
        return TableBook(desk=self.desk, rows=self.table)

    def hand_out(self, item: ChargeItem, count: int, second: int) -> list[Packs]:
        """Hand packs of a drug out.

        Args:
            item: What was charged.
            count: How many packs.
            second: When.

        Returns:
            The packs; nothing for what is not traced.
        """
        taken = self.shelves.take(self._book, self.desk.calendar, item, count=count, second=second)
        self.desk.tally.packs_sold += sum(len(packs.codes) for packs in taken)
        return taken

    def settled(self, lines: Mapping[str, Sequence[Packs]]) -> dict[str, object]:
        """Write the part of a settlement that names the packs (2207).

        Args:
            lines: Packs by the number of their charged line.

        Returns:
            The node of the request; empty where no pack is known by its code.
        """
        if self.table is not None:
            return {}
        codes = [code for serial, taken in lines.items() for code in settled_codes(serial, taken)]
        return {"drug_trac_info": codes} if codes else {}

    def sold(self, taken: Sequence[Packs], sale: Sale, second: int) -> None:
        """Write a sale (3505A), where the institution has an interface for it.

        Args:
            taken: What was sold.
            sale: Whom it was sold to.
            second: When.
        """
        if self.table is None:
            send_sale(self.desk, taken, sale, second)

    def take_back(self, taken: Sequence[Packs], sale: Sale, second: int) -> None:
        """Take packs back after their settlement was reversed.

        Args:
            taken: What comes back.
            sale: Whom it had been sold to.
            second: When.
        """
        for packs in taken:
            self.shelves.put_back(packs)
            self._book.returned(packs, sale, second)

    def close(self, city: City, *, ordinal: int) -> None:
        """Count the stock on the last evening of the period.

        Args:
            city: The city, for its draws.
            ordinal: Number of the period.
        """
        self.shelves.close(city, self._book, self.desk.calendar, ordinal=ordinal)
