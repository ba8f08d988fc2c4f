"""The registers and half-yearly items of staff, insured persons and organisations."""

from collections.abc import Mapping, Sequence
from typing import Final

from deploy.simulation.cases import RowMaker, case_of
from deploy.simulation.city import City
from deploy.simulation.department_files import Departments
from deploy.simulation.desk import Work
from deploy.simulation.organisation_rows import ORGANISATION_ROWS
from deploy.simulation.population import (
    EMPLOYER,
    INSURED_PERSON,
    STAFF,
    SUPPLIER,
    THIRD_PARTY,
    Subject,
    of_class,
)
from deploy.simulation.registers import REGISTERS, technician_rows
from deploy.simulation.subject_rows import SUBJECT_ROWS
from scoring_kernel import Catalog
from scoring_kernel.periods import Period

_CLASSES: Final[Mapping[str, tuple[str, ...]]] = {
    "s": STAFF,
    "r": (INSURED_PERSON,),
    "e": (EMPLOYER,),
    "d": (SUPPLIER,),
    "t": (THIRD_PARTY,),
}
"""Subject classes by the letter of the items about them."""
_ROWS: Final[Mapping[str, RowMaker]] = {**SUBJECT_ROWS, **ORGANISATION_ROWS}


def lagged_items(catalog: Catalog) -> frozenset[str]:
    """Find the items that a model reads with one period's lag.

    Args:
        catalog: The catalogue.

    Returns:
        Numbers of items with a column ``@prior`` in some model.
    """
    return frozenset(
        column.split(".")[1]
        for model in catalog.models.values()
        for column in model.input_columns
        if column.startswith("item.") and column.endswith("@prior")
    )


def write_registers(
    departments: Departments, city: City, population: Sequence[Subject], last: Period
) -> None:
    """Write the registers of everyone but the institutions.

    Args:
        departments: Who writes.
        city: The city.
        population: Everyone but its institutions.
        last: The last period.
    """
    for item, make in REGISTERS.items():
        field = departments.catalog.items[item].subject_field
        rows = [
            {field: one.code, **make(case_of(city, one, item, last))}
            for one in of_class(population, *_CLASSES[item[0]])
        ]
        if item == "s01":
            rows += technician_rows(city, last)
        departments.write(item, rows)


def write_rows(
    departments: Departments,
    city: City,
    population: Sequence[Subject],
    period: Period,
    *,
    works: Mapping[str, Work] | None,
) -> None:
    """Write the half-yearly items of everyone but the institutions for one period.

    Args:
        departments: Who writes.
        city: The city.
        population: Everyone but its institutions.
        period: The period.
        works: What the messages say about each doctor; None for a period without messages, of
            which only the items that are read with a lag are written.
    """
    lagged = lagged_items(departments.catalog)
    for item, make in _ROWS.items():
        if works is None and item not in lagged:
            continue
        field = departments.catalog.items[item].subject_field
        rows = [
            {
                field: one.code,
                "period": period.name,
                **make(case_of(city, one, item, period, (works or {}).get(one.code))),
            }
            for one in of_class(population, *_CLASSES[item[0]])
        ]
        departments.write(item, rows, period)
