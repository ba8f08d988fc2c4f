"""Completeness and freshness (完整性、时效): what each institution owes this node, late ones first.

Judged per institution under custody:
0. messages: silent for longer than its own rhythm and the catalogue's freshness allow;
1. days between its first and last message on which only others sent;
2. messages whose response is still awaited after the days granted to messages;
3. inpatient settlements without a settlement list (结算清单) after the days granted to lists;
4. kinds of record that stay away longer than their own rhythm and freshness allow, while
   messages come.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from node.domain.institutions import Institution
from node.domain.records import MESSAGE
from node.domain.rhythm import Rhythm, missing_days, rhythm
from node.store import NodeStore
from scoring_kernel import Catalog
from security.moments import SHANGHAI

__all__ = ["Completeness", "Lateness", "completeness"]

STRETCH_DAYS: Final = 92
"""Days looked back for rhythms."""
LIST_DAYS: Final = 366
"""Days looked back for settlements without a list."""
SHOWN_DAYS: Final = 10
_LIST: Final = "settlement_list"

_DayPairs = Iterable[tuple[str, date]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """One thing that is late."""

    what: str
    """``message``, ``response``, ``settlement_list`` or a kind of record."""
    since: str
    """Day of the newest arrival, or of the oldest thing owed; empty for never."""
    count: int
    """Days away, or things owed."""
    text: str
    """What is late and against what, for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What one institution owes."""

    institution: str
    last_message: str
    """Day of the newest message; empty for none."""
    waiting: int
    """Messages that wait for their response, late or not."""
    missing_days: tuple[str, ...]
    """The newest days on which only others sent."""
    missing_count: int
    late: tuple[Lateness, ...]
    """What is late; empty when all is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owed:
    """Inpatient settlements without a list."""

    count: int
    since: date


def completeness(store: NodeStore, catalog: Catalog, now: datetime) -> tuple[Completeness, ...]:
    """Tell what every institution under custody owes.

    Args:
        store: The node's store.
        catalog: Days within which kinds of record are owed.
        now: The time, UTC-aware.

    Returns:
        Institutions with the most that is late first, then by code.

    Raises:
        StoreError: A segment was changed on disk.
    """
    today = now.astimezone(SHANGHAI).date()
    start = today - timedelta(days=STRETCH_DAYS)
    stretch = [start + timedelta(days=number) for number in range(STRETCH_DAYS + 1)]
    arrived = store.desk.arrival_days([f"{day:%Y%m%d}" for day in stretch])
    messages = {
        institution: {day for text in texts if (day := _day(text)) is not None and day <= today}
        for institution, texts in arrived.items()
    }
    kinds = _kind_days(store, catalog, start, today)
    waiting = {one.institution: one for one in store.desk.waiting()}
    lists = _owed_lists(store, catalog, today)
    everyone = {day for days in messages.values() for day in days if day >= start}
    found = []
    for institution in _custody(store.institutions()):
        days = messages.get(institution, set())
        waits = waiting.get(institution)
        recorded = any(institution in found for found in kinds.values())
        late = _late_messages(days, _freshness(catalog, MESSAGE), today, recorded=recorded)
        if waits is not None:
            since = _day(waits.since) or today
            late += _late_responses(waits.messages, since, _freshness(catalog, MESSAGE), today)
        if institution in lists:
            late.append(_late_lists(lists[institution]))
        silent = any(one.what == MESSAGE for one in late)
        for kind, by_institution in kinds.items() if not silent else ():
            late += _late_kind(
                kind, by_institution.get(institution, set()), _freshness(catalog, kind), today
            )
        missing = missing_days({day for day in days if day >= start}, everyone)
        found.append(
            Completeness(
                institution=institution,
                last_message=max(days).isoformat() if days else "",
                waiting=waits.messages if waits else 0,
                missing_days=tuple(day.isoformat() for day in missing[-SHOWN_DAYS:]),
                missing_count=len(missing),
                late=tuple(late),
            )
        )
    return tuple(sorted(found, key=lambda one: (-len(one.late), one.institution)))


def _custody(institutions: Iterable[Institution]) -> list[str]:
    return [one.code for one in institutions if not one.foreign]


def _freshness(catalog: Catalog, kind: str) -> int:
    found = catalog.records[kind].freshness_days if kind in catalog.records else None
    return 1 if found is None else found


def _late_messages(
    days: set[date], freshness: int, today: date, *, recorded: bool
) -> list[Lateness]:
    """Judge the messages of an institution; one whose records came as files owes none."""
    found = rhythm(days, today, freshness)
    if found is None:
        return (
            []
            if recorded
            else [
                Lateness(
                    what=MESSAGE,
                    since="",
                    count=0,
                    text="nothing ever came; connect its system, or correct the custody",
                )
            ]
        )
    return [_away(MESSAGE, "messages", found)] if found.late else []


def _late_responses(count: int, since: date, freshness: int, today: date) -> list[Lateness]:
    if (today - since).days <= freshness:
        return []
    return [
        Lateness(
            what="response",
            since=since.isoformat(),
            count=count,
            text=f"messages that wait for their response: {count}, the oldest since {since};"
            " send request and response together",
        )
    ]


def _late_lists(owed: _Owed) -> Lateness:
    return Lateness(
        what=_LIST,
        since=owed.since.isoformat(),
        count=owed.count,
        text=f"inpatient settlements without a settlement list (4101): {owed.count}, the oldest"
        f" of {owed.since}",
    )


def _late_kind(kind: str, days: set[date], freshness: int, today: date) -> list[Lateness]:
    found = rhythm(days, today, freshness)
    return [_away(kind, f"records of {kind}", found)] if found is not None and found.late else []


def _away(what: str, things: str, found: Rhythm) -> Lateness:
    return Lateness(
        what=what,
        since=found.last.isoformat(),
        count=found.away_days,
        text=f"no {things} for {found.away_days} days, never before more than"
        f" {found.longest_before}; the last are of {found.last}",
    )


def _kind_days(
    store: NodeStore, catalog: Catalog, start: date, today: date
) -> dict[str, dict[str, set[date]]]:
    """Read the days of every kind that is owed within days, by institution."""
    counts = store.counts().records
    kinds = [
        kind
        for kind in catalog.records.values()
        if kind.stored == "segment"
        and kind.freshness_days is not None
        and (kind.day, "timestamp[s]") in kind.schema
        and counts.get(kind.id)
    ]
    engine = store.relations([kind.id for kind in kinds], _months(start, today))
    try:
        return {
            kind.id: _grouped(
                engine.execute(
                    f"select distinct institution, cast({kind.day} as date) as day"  # noqa: S608 - names of the catalogue
                    f" from {kind.id} where day >= ?",
                    [start],
                ).fetchall()
            )
            for kind in kinds
        }
    finally:
        engine.close()


def _owed_lists(store: NodeStore, catalog: Catalog, today: date) -> Mapping[str, _Owed]:
    """Find inpatient settlements that stand and have no list after the days granted."""
    start = today - timedelta(days=LIST_DAYS)
    due = today - timedelta(days=_freshness(catalog, _LIST))
    engine = store.relations(["settlement", _LIST], _months(start, today))
    try:
        rows = engine.execute(
            "select institution, count(*), min(day) from ("
            "  select institution, setl_id, cast(min(settled_at) as date) as day from settlement"
            "  where inpatient group by institution, setl_id having sum(sign) > 0"
            ") as standing anti join settlement_list using (institution, setl_id)"
            " where day between ? and ? group by institution",
            [start, due],
        ).fetchall()
    finally:
        engine.close()
    return {row[0]: _Owed(count=row[1], since=row[2]) for row in rows}


def _grouped(pairs: _DayPairs) -> dict[str, set[date]]:
    grouped: dict[str, set[date]] = {}
    for institution, day in pairs:
        grouped.setdefault(institution, set()).add(day)
    return grouped


def _months(start: date, end: date) -> list[int]:
    """Name the months (yyyymm) from one day to another, and the next: clocks may run ahead."""
    first, last = start.year * 12 + start.month - 1, end.year * 12 + end.month
    return [number // 12 * 100 + number % 12 + 1 for number in range(first, last + 1)]


def _day(text: str) -> date | None:
    """Read the day of a msgid; None where its digits are none."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
