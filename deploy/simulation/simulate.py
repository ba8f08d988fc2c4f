"""Simulates a city and writes it to a directory.

One period's messages of one custodian are in memory at a time, to be put in order of time:
about one kilobyte a message.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import orjson

from deploy.errors import SimulationError
from deploy.simulation.city import City, Institution, build_city
from deploy.simulation.conduct import Misconduct, conduct_of, misconduct_of
from deploy.simulation.department_files import (
    write_csv,
    write_event_items,
    write_registers,
    write_row_items,
)
from deploy.simulation.departments import figures_of
from deploy.simulation.desk import Calendar, Desk, Tally
from deploy.simulation.events import Event, events_of
from deploy.simulation.inpatient import write_stay
from deploy.simulation.outpatient import write_sale, write_visit
from deploy.simulation.places import PHARMACY_CLAIMS_SHARE
from deploy.simulation.visits import workload_of
from scoring_kernel.periods import Period

DEFAULT_PERIODS: Final = ("2025H1", "2026H1")
_EVENT_KINDS: Final[Mapping[Misconduct, str]] = {
    Misconduct.INSURANCE_PENALTY: "21",
    Misconduct.FRAUD_CASE: "21",
    Misconduct.AGREEMENT_SUSPENSION: "03",
    Misconduct.HEALTH_PENALTY: "07",
    Misconduct.MARKET_PENALTY: "19",
    Misconduct.DISHONEST_DEBTOR: "18",
}
"""Information item that shows each misconduct found out by a department."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What stays the same while the messages are written."""

    city: City
    out: Path
    periods: tuple[Period, ...]
    misconduct: Mapping[str, frozenset[Misconduct]]
    claims_per_weight: float
    pharmacy_claims: int
    progress: Progress

    def kinds(self, code: str, ordinal: int) -> frozenset[Misconduct]:
        """Give an institution's misconduct in a period: none but in the last."""
        last = ordinal == len(self.periods) - 1
        return self.misconduct.get(code, frozenset()) if last else frozenset()


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
    write_registers(city, out)
    medical = [item for item in city.institutions if not item.is_pharmacy]
    misconduct = misconduct_of(city)
    shared = order.claims / len(periods)
    work = _Work(
        city=city,
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
    )
    truth: list[dict[str, object]] = []
    totals: dict[str, Tally] = {}
    for ordinal, period in enumerate(periods):
        tallies = _write_period(work, period, ordinal)
        totals[period.name] = _sum(tallies)
        truth += _claims_truth(work, period, ordinal, tallies)
    last = periods[-1]
    events = [
        event
        for item in medical
        for event in events_of(
            city,
            item,
            misconduct.get(item.code, frozenset()),
            first_day=last.first_day,
            last_day=last.last_day,
        )
    ]
    for period in periods:
        write_event_items(events, period, out)
    truth += _events_truth(work, last, events)
    write_csv(out / "ground_truth.csv", ("institution", "misconduct", "period", "detail"), truth)
    manifest = _manifest(city, order, totals)
    (out / "manifest.json").write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    return manifest


def _write_period(work: _Work, period: Period, ordinal: int) -> dict[str, Tally]:
    """Write one period's messages and half-yearly items; returns tallies by code."""
    calendar = Calendar(period.first_day, period.last_day)
    tallies: dict[str, Tally] = {}
    figures = []
    done = 0
    for custodian in work.city.custodians:
        lines: list[tuple[int, bytes]] = []
        for item in work.city.institutions:
            if item.custodian != custodian:
                continue
            desk = Desk(item, calendar, ordinal=ordinal)
            again = _write_institution(work, desk, ordinal)
            lines += desk.lines
            tallies[item.code] = desk.tally
            if not item.is_pharmacy:
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
    write_row_items([known for _, known in figures], period, work.out)
    return tallies


def _write_institution(work: _Work, desk: Desk, ordinal: int) -> int:
    """Write one institution's messages; returns how many stays were readmissions."""
    item = desk.institution
    years = work.periods[ordinal].first_day.year - work.periods[0].first_day.year
    conduct = conduct_of(work.city, item, years=years, kinds=work.kinds(item.code, ordinal))
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
    for visit in load.visits:
        if item.is_pharmacy:
            write_sale(work.city, desk, visit)
        else:
            write_visit(work.city, desk, conduct, visit)
    for stay in load.stays:
        write_stay(work.city, desk, conduct, stay)
    return sum(bool(stay.follows) for stay in load.stays)


def _sum(tallies: Mapping[str, Tally]) -> Tally:
    """Add tallies up."""
    whole = Tally()
    for tally in tallies.values():
        for part in fields(Tally):
            if part.name != "misconduct":
                value = getattr(whole, part.name) + getattr(tally, part.name)
                setattr(whole, part.name, value)
        for kind, count in tally.misconduct.items():
            whole.note(kind, count)
    return whole


def _truth(item: Institution, kind: Misconduct, period: Period, detail: str) -> dict[str, object]:
    return {
        "institution": item.code,
        "misconduct": kind.value,
        "period": period.name,
        "detail": detail,
    }


def _claims_truth(
    work: _Work, period: Period, ordinal: int, tallies: Mapping[str, Tally]
) -> list[dict[str, object]]:
    """List the misconduct that is in the messages of a period."""
    rows = []
    for item in work.city.institutions:
        kinds = work.kinds(item.code, ordinal)
        for kind in sorted(kinds - set(_EVENT_KINDS)):
            found = tallies[item.code].misconduct.get(kind, 0)
            if kind is Misconduct.FUND_SURGE:
                rows.append(_truth(item, kind, period, "claims +35 %, fund share +8 points"))
            elif found:
                rows.append(_truth(item, kind, period, f"{found} claims"))
    return rows


def _events_truth(work: _Work, period: Period, events: list[Event]) -> list[dict[str, object]]:
    """List the misconduct that departments found out in the last period."""
    rows = []
    for item in work.city.institutions:
        for kind in sorted(work.misconduct.get(item.code, frozenset()) & set(_EVENT_KINDS)):
            numbers = [
                event.number
                for event in events
                if event.institution == item.code
                and event.item == _EVENT_KINDS[kind]
                and event.day >= period.first_day
                and event.details.get("fraud") in {None, "1" if _is_fraud(kind) else "0"}
                and event.details.get("handling") in {None, "suspension"}
            ]
            rows.append(_truth(item, kind, period, " ".join(numbers)))
    return rows


def _is_fraud(kind: Misconduct) -> bool:
    return kind is Misconduct.FRAUD_CASE


def _manifest(city: City, order: Order, totals: Mapping[str, Tally]) -> dict[str, object]:
    """Sum up what was written."""
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
        "messages": whole.messages,
        "detail_lines": whole.detail_lines,
        "periods": {name: asdict(tally) for name, tally in totals.items()},
    }
