"""The files departments hand in, and the lists of who is there and who reports for whom."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from deploy.simulation.city import City, Institution
from deploy.simulation.departments import REGISTER_COLUMNS, ROW_ITEMS, Figures, item_row
from deploy.simulation.departments import register_row as _register_row
from deploy.simulation.events import HISTORY_YEARS, Event
from scoring_kernel.periods import Period

EVENT_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "03": ("handling", "amount_yuan"),
    "07": ("amount_yuan",),
    "12": ("level",),
    "13": ("level",),
    "17": (),
    "18": (),
    "19": ("amount_yuan",),
    "21": ("amount_yuan", "fraud"),
}
"""Columns of the event items after institution, authority, number and day."""
INSTITUTION_COLUMNS: Final = ("institution", "name", "level", "type", "division")
_EVENT_KEY: Final = ("institution", "authority", "document_number", "event_day")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write one CSV file, UTF-8, with a header.

    Args:
        path: File to write; its directory is made.
        columns: Columns in order.
        rows: Rows, each with exactly these columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _line(institution: Institution) -> dict[str, object]:
    tier = institution.tier
    values = (institution.code, institution.name, tier.level, tier.type, institution.division)
    return dict(zip(INSTITUTION_COLUMNS, values, strict=True))


def write_registers(city: City, out: Path) -> None:
    """Write the institutions, each custodian's part of them, and item 20.

    Args:
        city: The city.
        out: Directory of the simulation.
    """
    write_csv(
        out / "institutions.csv",
        (*INSTITUTION_COLUMNS, "custodian"),
        ({**_line(item), "custodian": item.custodian} for item in city.institutions),
    )
    for custodian in city.custodians:
        own = (_line(item) for item in city.institutions if item.custodian == custodian)
        write_csv(out / "custody" / f"{custodian}.csv", INSTITUTION_COLUMNS, own)
    write_csv(
        out / "departments" / "item_20.csv",
        REGISTER_COLUMNS,
        (_register_row(item) for item in city.institutions),
    )


def write_row_items(figures: Sequence[Figures], period: Period, out: Path) -> None:
    """Write the half-yearly items of one period.

    Args:
        figures: Figures of every medical institution in the period.
        period: The period.
        out: Directory of the simulation.
    """
    for item in ROW_ITEMS:
        rows = [row for known in figures if (row := item_row(item, known, period.name))]
        if rows:
            path = out / "departments" / f"item_{item}_{period.name}.csv"
            write_csv(path, tuple(rows[0]), rows)


def write_event_items(events: Sequence[Event], period: Period, out: Path) -> None:
    """Write the event items of one period with the history that its rating reads.

    Args:
        events: All events of the city.
        period: The period: events up to its last day and from three years before its first.
        out: Directory of the simulation.
    """
    first = date(period.first_day.year - HISTORY_YEARS, period.first_day.month, 1)
    for item, columns in EVENT_COLUMNS.items():
        rows = [
            {
                "institution": event.institution,
                "authority": event.authority,
                "document_number": event.number,
                "event_day": event.day.isoformat(),
                **event.details,
            }
            for event in events
            if event.item == item and first <= event.day <= period.last_day
        ]
        path = out / "departments" / f"item_{item}_{period.name}.csv"
        write_csv(path, (*_EVENT_KEY, *columns), rows)
