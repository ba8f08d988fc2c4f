"""A small city for tests of grading: a register, department files and statements."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hub.departments import import_items
from hub.domain.institution_list import parse_codes
from hub.domain.members import MemberId
from hub.grading import GradeReport, PeriodReport, grade
from hub.store import custody
from hub.store.engine import writing
from scoring_kernel.periods import Period
from tests.support.department_files import REGISTER, write_csv, write_item
from tests.support.memory_statements import MemoryStatements

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy import Engine

    from scoring_kernel import Catalog
    from security.at_rest import Vault

NOW: Final = datetime(2026, 7, 10, 2, 0, tzinfo=UTC)
PERIOD: Final = Period.parse("2026H1")
HOSPITALS: Final = tuple(f"H3303020{number:04d}" for number in range(1, 13))
CUSTODIAN: Final = MemberId("yixin://330302/node/district")
PHARMACY: Final = "P33030200099"
EVENT_ITEMS: Final = ("03", "07", "12", "13", "17", "18", "19", "21")
ITEM_VALUES: Final = {
    "01": "3",
    "02": "60,80,100",
    "04": "6000,300",
    "05": "{rank},{rank}0.00",
    "06": "92.50",
    "08": "30,30,2,1000.00,1000.00,0,4300,4300,12,12,10,10",
    "09": "93.00",
    "10": "950.00,1000.00",
    "11": "90.00",
    "14": "95.00",
    "15": "980.00,1000.00",
    "16": "880.00",
    "22": "300,9",
    "23": "250,1.0200,0.9800",
}


class World:
    """One city; every hospital is good, the later ones have more rejected visits."""

    def __init__(self, engine: Engine, catalog: Catalog, vault: Vault, directory: Path) -> None:
        self.engine, self.catalog, self.vault = engine, catalog, vault
        self.directory = directory
        self.statements = MemoryStatements(catalog)

    def import_all(self) -> None:
        """Import every item for both periods."""
        self.register((code, "2" if code < HOSPITALS[6] else "1") for code in HOSPITALS)
        for period in (PERIOD, PERIOD.base()):
            for number, values in ITEM_VALUES.items():
                rows = [
                    f"{code},{period.name},{values.format(rank=rank)}"
                    for rank, code in enumerate(HOSPITALS, start=1)
                ]
                self.take(number, period, rows)
            for number in EVENT_ITEMS:
                self.take(number, period, ())

    def state_all(self) -> None:
        """State every measure of every hospital."""
        for code in HOSPITALS:
            self.state(code)

    def register(self, hospitals: Iterable[tuple[str, str]]) -> None:
        """Import the register: hospitals with their levels, and one pharmacy."""
        rows = [
            f"{code},医院{code[-3:]},91330300MA0000000N,{level},general,330302,一号,张三,"
            "0577-88880001,100,2010-01-01"
            for code, level in hospitals
        ]
        rows.append(f"{PHARMACY},大药房,,0,pharmacy,330302,二号,李四,0577-88880002,,2015-01-01")
        path = write_csv(self.directory / "item_20.csv", REGISTER, rows)
        self.take_file(path)

    def take(self, number: str, period: Period, rows: Iterable[str]) -> None:
        """Import rows of an item."""
        self.take_file(write_item(self.directory, self.catalog, number, period.name, rows))

    def take_file(self, path: Path) -> None:
        """Import one file that has no fault."""
        report = import_items(self.engine, self.catalog, path, vault=self.vault, now=NOW)
        assert report.quarantined == 0, report

    def state(self, code: str, visits: int = 1000) -> None:
        """State every measure of a hospital for both periods."""
        for months, factor in ((PERIOD.months, visits), (PERIOD.base().months, 1000)):
            self.statements.state(
                "settlement",
                code,
                months,
                settlements=factor,
                medfee_fen=factor * 30_000,
                fund_fen=factor * 18_000,
                inscp_fen=factor * 25_000,
            )
            self.statements.state(
                "inpatient",
                code,
                months,
                discharges=50,
                readmissions_15d=2,
                inpatient_settlements=50,
                settlement_lists=50,
            )
            self.statements.state("interface", code, months, messages=2000, messages_accepted=1990)
            self.statements.state(
                "completeness", code, months, messages_received=2000, messages_complete=2000
            )

    def entrust(self, *codes: str) -> None:
        """Give a member that joined the custody of hospitals."""
        rows = parse_codes(",".join(codes), CUSTODIAN, 202501)
        with writing(self.engine) as connection:
            custody.propose(connection, CUSTODIAN, rows)
            custody.activate(connection, CUSTODIAN)

    def grade(self, *, incomplete: bool = False, subject_class: str = "institution") -> GradeReport:
        """Grade the hospitals, or another class, for the period."""
        (report,) = self.grade_classes(incomplete=incomplete, subject_class=subject_class).classes
        return report

    def grade_classes(
        self, *, incomplete: bool = False, subject_class: str | None = None
    ) -> PeriodReport:
        """Grade every class that has subjects for the period."""
        return grade(
            self.engine,
            self.statements,
            self.catalog,
            vault=self.vault,
            period=PERIOD,
            now=NOW,
            subject_class=subject_class,
            incomplete=incomplete,
        )
