"""What was injected on purpose: who misbehaved how, and where it shows.

The table is for tests and for whoever writes rules; nobody who grades sees it.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from deploy.simulation.city import City, Institution
from deploy.simulation.conduct import Misconduct
from deploy.simulation.decisions import Addressee
from deploy.simulation.desk import Tally
from deploy.simulation.events import Event
from scoring_kernel.periods import Period

TRUTH_COLUMNS: Final = ("institution", "misconduct", "period", "detail", "subject")
"""``institution`` is empty where the subject is no institution and works at none."""
_EVENT_KINDS: Final[Mapping[Misconduct, str]] = {
    Misconduct.INSURANCE_PENALTY: "21",
    Misconduct.FRAUD_CASE: "21",
    Misconduct.AGREEMENT_SUSPENSION: "03",
    Misconduct.HEALTH_PENALTY: "07",
    Misconduct.MARKET_PENALTY: "19",
    Misconduct.DISHONEST_DEBTOR: "18",
}
"""Information item that shows each misconduct of a medical institution found out."""

TruthRow = dict[str, object]


def claims_truth(
    city: City,
    misconduct: Mapping[str, frozenset[Misconduct]],
    period: Period,
    tallies: Mapping[str, Tally],
) -> list[TruthRow]:
    """List the misconduct that is in the messages of a period.

    Args:
        city: The city.
        misconduct: Kinds by institution code in this period.
        period: The period.
        tallies: What was written, by institution code.

    Returns:
        Rows of ``TRUTH_COLUMNS``.
    """
    rows = []
    for item in city.institutions:
        kinds = misconduct.get(item.code, frozenset())
        for kind in sorted(kinds - set(_EVENT_KINDS)):
            found = tallies[item.code].misconduct.get(kind, 0)
            if kind is Misconduct.FUND_SURGE:
                rows.append(_truth(item, kind, period, "claims +35 %, fund share +8 points"))
            elif found:
                rows.append(_truth(item, kind, period, f"{found} claims"))
    return rows


def events_truth(
    city: City,
    misconduct: Mapping[str, frozenset[Misconduct]],
    period: Period,
    events: Iterable[Event],
) -> list[TruthRow]:
    """List the misconduct of medical institutions that departments found out.

    Args:
        city: The city.
        misconduct: Kinds by institution code in the last period.
        period: The last period.
        events: Events of the city.

    Returns:
        Rows of ``TRUTH_COLUMNS``.
    """
    mine: dict[str, list[Event]] = {}
    for event in events:
        mine.setdefault(event.subject, []).append(event)
    rows = []
    for item in city.institutions:
        for kind in sorted(misconduct.get(item.code, frozenset()) & set(_EVENT_KINDS)):
            numbers = [
                event.number
                for event in mine.get(item.code, [])
                if event.item == _EVENT_KINDS[kind]
                and event.day >= period.first_day
                and event.details.get("fraud")
                in {None, "1" if kind is Misconduct.FRAUD_CASE else "0"}
                and event.details.get("handling") in {None, "suspension"}
            ]
            rows.append(_truth(item, kind, period, " ".join(numbers)))
    return rows


def decisions_truth(
    addressees: Iterable[Addressee], period: Period, events: Iterable[Event]
) -> list[TruthRow]:
    """List the misconduct that decisions name themselves.

    Args:
        addressees: Everybody decisions can be about.
        period: The last period.
        events: What was decided about them.

    Returns:
        Rows of ``TRUTH_COLUMNS``, one per document.
    """
    known = {one.code: one.institution for one in addressees}
    rows: list[TruthRow] = []
    for event in events:
        if event.misconduct is None:
            continue
        institution = known[event.subject]
        values = (
            "" if institution is None else institution.code,
            event.misconduct.value,
            period.name,
            event.number,
            event.subject,
        )
        rows.append(dict(zip(TRUTH_COLUMNS, values, strict=True)))
    return rows


def _truth(item: Institution, kind: Misconduct, period: Period, detail: str) -> TruthRow:
    values = (item.code, kind.value, period.name, detail, item.code)
    return dict(zip(TRUTH_COLUMNS, values, strict=True))
