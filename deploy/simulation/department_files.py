"""The files departments hand in, and the lists of who is there and who reports for whom.

Columns are those of the loaded catalogue: a row that lacks one, or has one too many, ends the
simulation.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from deploy.errors import SimulationError
from deploy.simulation.city import City, Institution
from deploy.simulation.departments import ROWS, SHARED_WITH_PHARMACIES, Figures, register_row
from deploy.simulation.events import HISTORY_YEARS, Event
from deploy.simulation.pharmacy_rows import PHARMACY_ROWS
from scoring_kernel import Catalog
from scoring_kernel.periods import Period

INSTITUTION_COLUMNS: Final = ("institution", "name", "level", "type", "division")


def write_csv(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, object]],
    *,
    encoding: str = "utf-8",
) -> None:
    """Write one CSV file with a header.

    Args:
        path: File to write; its directory is made.
        columns: Columns in order.
        rows: Rows, each with exactly these columns.
        encoding: How its signs are written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departments:
    """The departments of a city, who know the catalogue and write to one directory."""

    catalog: Catalog
    """The catalogue whose items they hand in."""
    out: Path
    """Directory of the simulation."""

    def write(
        self, item: str, rows: Sequence[Mapping[str, object]], period: Period | None = None
    ) -> None:
        """Write one file of an information item.

        Args:
            item: Number of the item.
            rows: Rows, each with exactly the item's columns, in any order.
            period: Rating period of the file; None for a register.

        Raises:
            SimulationError: The catalogue has no such item, or a row has other columns.
        """
        known = self.catalog.items.get(item)
        if known is None:
            raise SimulationError(f"the catalogue has no item {item}; mend the simulator")
        for row in rows:
            if row.keys() != set(known.header):
                wrong = sorted(row.keys() ^ set(known.header))
                raise SimulationError(
                    f"item {item}: the simulator and the catalogue differ in {', '.join(wrong)};"
                    " mend the simulator"
                )
        name = f"item_{item}.csv" if period is None else f"item_{item}_{period.name}.csv"
        write_csv(self.out / "departments" / name, known.header, rows)

    def write_registers(self, city: City) -> None:
        """Write the institutions, each custodian's part of them, and item 20.

        Args:
            city: The city.
        """
        write_csv(
            self.out / "institutions.csv",
            (*INSTITUTION_COLUMNS, "custodian"),
            ({**_line(item), "custodian": item.custodian} for item in city.institutions),
        )
        for custodian in city.custodians:
            own = (_line(item) for item in city.institutions if item.custodian == custodian)
            write_csv(self.out / "custody" / f"{custodian}.csv", INSTITUTION_COLUMNS, own)
        self.write("20", [register_row(item) for item in city.institutions])

    def write_row_items(self, figures: Sequence[Figures], period: Period) -> None:
        """Write the half-yearly items of institutions of one period.

        Args:
            figures: Figures of every institution in the period.
            period: The period.
        """
        for item, make in {**ROWS, **PHARMACY_ROWS}.items():
            rows = [
                {"institution": known.institution.code, "period": period.name, **row}
                for known in figures
                if _concerns(item, known.institution) and (row := make(known))
            ]
            if rows:
                self.write(item, rows, period)

    def write_decisions(self, events: Sequence[Event], period: Period) -> None:
        """Write every item of events or lists for one period, empty ones too.

        Args:
            events: All events of the city.
            period: The period: events up to its last day, as far back as its rating reads.
        """
        first = date(period.first_day.year - HISTORY_YEARS, period.first_day.month, 1)
        for item in self.catalog.items.values():
            if item.kind not in {"event", "listing"}:
                continue
            day = "event_day" if item.kind == "event" else "from_day"
            rows = [
                {
                    item.subject_field: event.subject,
                    "authority": event.authority,
                    "document_number": event.number,
                    day: event.day.isoformat(),
                    **({"revoked_day": ""} if item.kind == "event" else {}),
                    **event.details,
                }
                for event in events
                if event.item == item.number and first <= event.day <= period.last_day
            ]
            self.write(item.number, rows, period)


def _line(institution: Institution) -> dict[str, object]:
    tier = institution.tier
    values = (institution.code, institution.name, tier.level, tier.type, institution.division)
    return dict(zip(INSTITUTION_COLUMNS, values, strict=True))


def _concerns(item: str, institution: Institution) -> bool:
    """Say whether a half-yearly item is about an institution."""
    if institution.is_pharmacy:
        return item in PHARMACY_ROWS or item in SHARED_WITH_PHARMACIES
    return item not in PHARMACY_ROWS
