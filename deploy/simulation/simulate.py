"""Simulates a city and writes it to a directory.

One period's messages of one custodian are in memory at a time, to be put in order of time:
about one kilobyte a message.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson

from deploy.errors import SimulationError
from deploy.simulation.city import City, build_city
from deploy.simulation.conduct import Misconduct, conduct_of, misconduct_of
from deploy.simulation.decision_table import DECISIONS
from deploy.simulation.decisions import addressees, decisions_about
from deploy.simulation.department_files import Departments, write_csv
from deploy.simulation.departments import figures_of
from deploy.simulation.desk import Calendar, Desk, Tally, Work
from deploy.simulation.dispensary import Dispensary, TableRow
from deploy.simulation.events import events_of
from deploy.simulation.ground_truth import (
    TRUTH_COLUMNS,
    TruthRow,
    claims_truth,
    decisions_truth,
    events_truth,
)
from deploy.simulation.injected.injection import Injection, inject
from deploy.simulation.inpatient import write_stay
from deploy.simulation.outpatient import write_sale, write_visit
from deploy.simulation.places import PHARMACY_CLAIMS_SHARE
from deploy.simulation.population import CLASSES, STAFF, Subject, build_population, of_class
from deploy.simulation.population_files import write_registers, write_rows
from deploy.simulation.price_list import DRUGS
from deploy.simulation.shelves import TRACED, Shelves
from deploy.simulation.staffing import send_alignments, send_staff
from deploy.simulation.stock_messages import TABLE_COLUMNS
from deploy.simulation.visits import Stay, workload_of
from scoring_kernel import load_catalog
from scoring_kernel.periods import Period

DEFAULT_PERIODS: Final = ("2025H1", "2026H1")
Progress = Callable[[str, int, int], None]
"""Called with what is being written, institutions done and institutions in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to simulate."""

    institutions: int
    """Medical institutions; pharmacies come on top."""
    claims: int
    """Claims over all periods, roughly: growth adds some."""
    periods: tuple[str, ...] = DEFAULT_PERIODS
    """Names of the rating periods; misconduct happens in the last."""
    seed: int = 1
    """Seed of everything."""
    cases: bool = False
    """Whether cases and near misses of every supervision rule are written into the last period."""
    stock_table: bool | None = None
    """Whether one institution hands in its stock as a table; None: unless there are cases, since
    what it sells carries no trace codes, which a rule finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What stays the same while the messages are written."""

    city: City
    population: tuple[Subject, ...]
    departments: Departments
    out: Path
    periods: tuple[Period, ...]
    misconduct: Mapping[str, frozenset[Misconduct]]
    claims_per_weight: float
    pharmacy_claims: int
    progress: Progress
    shelves: Mapping[str, Shelves] = field(repr=False)
    """Traced stock by institution; it lives from period to period."""
    staff: Mapping[str, tuple[Subject, ...]] = field(repr=False)
    """Staff by institution."""
    table: tuple[str, list[TableRow]] = field(repr=False)
    """The institution that hands in its stock as a table, and the rows."""
    injected: Injection | None = field(repr=False)
    """Cases of the supervision rules in the last period."""

    def kinds(self, ordinal: int) -> Mapping[str, frozenset[Misconduct]]:
        """Give the institutions' misconduct in a period: none but in the last."""
        return self.misconduct if ordinal == len(self.periods) - 1 else {}


def simulate(order: Order, out: Path, progress: Progress) -> dict[str, object]:
    """Simulate a city and write it.

    Args:
        order: What to simulate.
        out: Directory to write to; made, and refused when it holds anything.
        progress: Told how far it is.

    Returns:
        The manifest, which is also written as ``manifest.json``.

    Raises:
        SimulationError: The order is out of bounds, or ``out`` is not empty.
        PeriodError: A period's name is not one.
    """
    periods = tuple(sorted(map(Period.parse, order.periods), key=lambda item: item.first_day))
    if len({item.name for item in periods}) != len(order.periods) or not periods:
        raise SimulationError(f"found periods {order.periods}; expected at least one, each once")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SimulationError(f"{out} is not an empty directory; name a new one")
    city = build_city(institutions=order.institutions, claims=order.claims, seed=order.seed)
    # Before anything is written: a city may be too small for cases.
    injected = inject(city, periods[-1]) if order.cases else None
    departments = Departments(catalog=load_catalog(), out=out)
    departments.write_registers(city)
    medical = [item for item in city.institutions if not item.is_pharmacy]
    misconduct = misconduct_of(city)
    population = build_population(city)
    shared = order.claims / len(periods)
    work = _Work(
        city=city,
        population=population,
        departments=departments,
        out=out,
        periods=periods,
        misconduct=misconduct,
        claims_per_weight=shared
        * (1 - PHARMACY_CLAIMS_SHARE)
        / sum(item.tier.claims_weight for item in medical),
        pharmacy_claims=round(
            shared * PHARMACY_CLAIMS_SHARE / max(1, len(city.institutions) - len(medical))
        ),
        progress=progress,
        shelves={
            item.code: Shelves(item, DRUGS if item is medical[-1] else TRACED)
            for item in city.institutions
        },
        staff=_by_institution(of_class(population, *STAFF)),
        table=(medical[-1].code if _has_table(order) else "", []),
        injected=injected,
    )
    truth: list[TruthRow] = []
    totals: dict[str, Tally] = {}
    for ordinal, period in enumerate(periods):
        tallies = _write_period(work, period, ordinal)
        totals[period.name] = _sum(tallies)
        truth += claims_truth(city, work.kinds(ordinal), period, tallies)
    truth += _write_decided(work)
    write_csv(out / "ground_truth.csv", TRUTH_COLUMNS, truth)
    if work.injected is not None:
        work.injected.write(out, city)
    code, rows = work.table
    if code:
        write_csv(out / "tables" / f"{code}.stock.csv", TABLE_COLUMNS, rows, encoding="gb18030")
    manifest = _manifest(work, order, totals)
    (out / "manifest.json").write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return manifest


def _has_table(order: Order) -> bool:
    return not order.cases if order.stock_table is None else order.stock_table


def _write_decided(work: _Work) -> list[TruthRow]:
    """Write registers, decisions and lists, and the figures read with a lag; say what is true."""
    city, last = work.city, work.periods[-1]
    days = {"first_day": last.first_day, "last_day": last.last_day}
    write_registers(work.departments, city, work.population, last)
    if last.prior() not in work.periods:
        write_rows(work.departments, city, work.population, last.prior(), works=None)
    found_out = [
        event
        for item in city.institutions
        if not item.is_pharmacy
        for event in events_of(city, item, work.misconduct.get(item.code, frozenset()), **days)
    ]
    everybody = addressees(city, work.population)
    decided = [
        event
        for one in everybody
        for event in decisions_about(city, one, DECISIONS[one.subject_class], **days)
    ]
    for period in work.periods:
        work.departments.write_decisions([*found_out, *decided], period)
    return [
        *events_truth(city, work.misconduct, last, found_out),
        *decisions_truth(everybody, last, decided),
    ]


def _write_period(work: _Work, period: Period, ordinal: int) -> dict[str, Tally]:
    """Write one period's messages and half-yearly items; returns tallies by code."""
    calendar = Calendar(period.first_day, period.last_day)
    tallies: dict[str, Tally] = {}
    works: dict[str, Work] = {}
    figures = []
    done = 0
    injected = work.injected if period is work.periods[-1] else None
    for custodian in work.city.custodians:
        lines: list[tuple[int, bytes]] = []
        for item in work.city.institutions:
            if item.custodian != custodian:
                continue
            desk = Desk(item, calendar, ordinal=ordinal)
            again = _write_institution(work, desk, ordinal)
            lines += desk.lines
            if injected is not None:
                lines += injected.desks[item.code].lines
                injected.scene.misconduct(item, desk.wrong)
                desk.tally.add(injected.desks[item.code].tally)
            tallies[item.code] = desk.tally
            works |= desk.works
            known = figures_of(work.city, item, desk.tally, readmissions=again, ordinal=ordinal)
            figures.append((item.index, known))
            done += 1
            work.progress(f"messages of {period.name}", done, len(work.city.institutions))
        path = work.out / "messages" / custodian / f"{period.name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines.sort(key=lambda line: line[0])
        with path.open("wb") as file:
            file.writelines(line + b"\n" for _, line in lines)
    figures.sort(key=lambda pair: pair[0])
    work.departments.write_row_items([known for _, known in figures], period)
    write_rows(work.departments, work.city, work.population, period, works=works)
    return tallies


def _write_institution(work: _Work, desk: Desk, ordinal: int) -> int:
    """Write one institution's messages; returns how many stays were readmissions."""
    item = desk.institution
    years = work.periods[ordinal].first_day.year - work.periods[0].first_day.year
    kinds = work.kinds(ordinal).get(item.code, frozenset())
    conduct = conduct_of(work.city, item, years=years, kinds=kinds)
    load = workload_of(
        work.city,
        item,
        conduct,
        claims=work.pharmacy_claims
        if item.is_pharmacy
        else round(work.claims_per_weight * item.tier.claims_weight),
        ordinal=ordinal,
        days=desk.calendar.days,
    )
    code, rows = work.table
    dispensary = Dispensary(
        desk=desk, shelves=work.shelves[item.code], table=rows if item.code == code else None
    )
    # In turn, so that no pack is handed out that was delivered later.
    for one in load.in_turn():
        if isinstance(one, Stay):
            write_stay(work.city, dispensary, conduct, one)
        elif item.is_pharmacy:
            write_sale(work.city, dispensary, one)
        else:
            write_visit(work.city, dispensary, conduct, one)
    dispensary.close(work.city, ordinal=ordinal)
    send_staff(desk, work.staff[item.code])
    if not ordinal:
        send_alignments(desk)
    return sum(bool(stay.follows) for stay in load.stays)


def _by_institution(staff: Iterable[Subject]) -> dict[str, tuple[Subject, ...]]:
    """Group staff by where they work."""
    found: dict[str, tuple[Subject, ...]] = {}
    for one in staff:
        if one.institution is not None:
            found[one.institution.code] = (*found.get(one.institution.code, ()), one)
    return found


def _sum(tallies: Mapping[str, Tally]) -> Tally:
    """Add tallies up."""
    whole = Tally()
    for tally in tallies.values():
        whole.add(tally)
    return whole


def _manifest(work: _Work, order: Order, totals: Mapping[str, Tally]) -> dict[str, object]:
    """Sum up what was written."""
    city = work.city
    whole = _sum(totals)
    return {
        "order": asdict(order),
        "custodians": [
            {
                "name": name,
                "division": division,
                "institutions": sum(item.custodian == name for item in city.institutions),
            }
            for name, division in city.custodians.items()
        ],
        "institutions": sum(not item.is_pharmacy for item in city.institutions),
        "pharmacies": sum(item.is_pharmacy for item in city.institutions),
        "persons": len(city.persons),
        "subjects": {name: len(of_class(work.population, name)) for name in CLASSES},
        "messages": whole.messages,
        "detail_lines": whole.detail_lines,
        "table": {"institution": work.table[0], "rows": len(work.table[1])},
        "periods": {name: asdict(tally) for name, tally in totals.items()},
    }
