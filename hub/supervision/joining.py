"""Joining the records of several nodes, and keeping what is found.

Numbered as run, all but the first in one transaction:

0. What is kept too long goes (``hub.supervision.expiring``).
1. Every join reads the marks that meet at two institutions, mark by mark, and finds what no single
   node can see (``hub.domain.joins``). A finding under the tokens of two periods is one.
2. The clues of several nodes about the same staff are joined (``hub.domain.staff_joins``).
3. Findings are kept under their stable ids; one that is not found again although its records are
   all still here is gone, never deleted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from hub.domain.clues import PlaceOf, day_of, moment_of
from hub.domain.joins import KIND_OF, Finding, HeldRow, find_all
from hub.domain.staff_joins import find_staff
from hub.store import join_records, joined_clues
from hub.store.engine import writing
from hub.store.joined_clues import JoinedClue, PutFindings
from hub.supervision.expiring import expire
from scoring_kernel.joining import Join, Joining, JoinKind, JoinRule, staff_mark, staff_of
from security.moments import day_number, shanghai_day, to_ms
from security.progress import ProgressReporter, no_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinReport:
    """What one run of the joins did."""

    expired: int
    """Records that were deleted because their retention is over."""
    records: int
    """Records that are held."""
    found: Mapping[str, int]
    """Findings by join."""
    new: int
    """Of these, those that were not known."""
    updated: int
    """Of these, those that were known and say something else now, or had been gone."""
    unchanged: int
    """Of these, all others."""
    gone: int
    """Findings that no longer hold."""
    crowded: Mapping[str, int] = field(default_factory=dict)
    """Marks with too many records to be one person's or one pack's, by kind; not joined."""
    key_faults: Mapping[str, int] = field(default_factory=dict)
    """Periods whose tokens were made under more than one key, with the number of keys."""


def join_all(
    engine: Engine, joining: Joining, now: datetime, progress: ProgressReporter = no_progress
) -> JoinReport:
    """Run every join over what the hub holds.

    Args:
        engine: The hub's database.
        joining: Thresholds, retention and scores.
        now: Present moment, UTC-aware.
        progress: Takes the number of joins done.

    Raises:
        HubStoreError: The database failed; nothing was changed.
    """
    now_ms = to_ms(now)
    today = shanghai_day(now_ms)
    # 0. What is kept too long.
    expired = expire(engine, joining, now)
    put: dict[str, PutFindings] = {}
    with writing(engine) as connection:
        places = join_records.places(connection)
        # 1 and 2. The joins, each on its own.
        for number, join in enumerate(Join):
            progress("joining", number, len(Join), "joins")
            found = (
                _found(connection, join, joining, places)
                if join in KIND_OF
                else _found_staff(connection, join, joining)
            )
            put[str(join)] = joined_clues.put_joined(
                connection, joining.joins[join].id, found, now_ms
            )
        # 3. What holds no longer.
        gone = joined_clues.sweep_joined(connection, now_ms, day_number(today))
        crowded = {str(kind): join_records.crowded(connection, kind) for kind in JoinKind}
        return JoinReport(
            expired=expired.records,
            records=join_records.figures(connection).records,
            found={join: one.found for join, one in put.items()},
            new=sum(one.new for one in put.values()),
            updated=sum(one.updated for one in put.values()),
            unchanged=sum(one.unchanged for one in put.values()),
            gone=gone,
            crowded={kind: count for kind, count in crowded.items() if count},
            key_faults={
                period: count
                for period, count in join_records.count_keys(connection).items()
                if count > 1
            },
        )


def _found(
    connection: Connection, join: Join, joining: Joining, places: Mapping[str, PlaceOf]
) -> list[JoinedClue]:
    """Findings of a join among records, each once: near a border two marks may show the same."""
    kind = KIND_OF[join]
    found: dict[bytes, Finding] = {}
    for _, rows in join_records.meeting(connection, kind):
        for finding in find_all(join, rows, joining, places):
            if finding.id not in found or finding.is_of_own_period:
                found[finding.id] = finding
    return [_joined(one, joining.joins[join], kind, joining) for one in found.values()]


def _joined(finding: Finding, rule: JoinRule, kind: JoinKind, joining: Joining) -> JoinedClue:
    later = finding.sources[-1]
    day = day_of(later.row.begins)
    return JoinedClue(
        id=finding.id,
        source=rule.id,
        mark=finding.mark,
        is_person=kind.has_token,
        staff=staff_of(finding.mark) if kind is JoinKind.SESSION else None,
        begins=finding.sources[0].row.begins,
        month=day.year * 100 + day.month,
        score=rule.score,
        verdict=rule.verdict,
        sources=[_source(one, kind) for one in finding.sources],
        numbers=dict(finding.numbers),
        expires_day=_first_expiry(finding, kind, joining),
    )


def _found_staff(connection: Connection, join: Join, joining: Joining) -> list[JoinedClue]:
    """Findings among clues about the same staff."""
    rule = joining.joins[join]
    return [
        JoinedClue(
            id=one.id,
            source=rule.id,
            mark=staff_mark(one.staff),
            is_person=False,
            staff=one.staff,
            begins=0,
            month=one.clues[-1].month,
            score=rule.score,
            verdict=rule.verdict,
            sources=[
                {
                    "member": each.member,
                    "institution": each.institution,
                    "month": each.month,
                    "source": each.source,
                    "clue": each.id.hex(),
                }
                for each in one.clues
            ],
            numbers={"institutions": one.institutions, "members": one.members},
            expires_day=day_number(joining.hub_clues.expires(one.clues[0].month)),
        )
        for rows in joined_clues.named_staff(connection)
        for one in find_staff(rows, rule)
    ]


def _source(held: HeldRow, kind: JoinKind) -> dict[str, object]:
    """A record that a finding rests on: whose it is, when, and its leaf; never a token."""
    source: dict[str, object] = {
        "member": held.member,
        "institution": held.institution,
        "begins": moment_of(held.row.begins),
        "ends": moment_of(held.row.ends),
        "leaf": held.row.leaf,
    }
    if kind is JoinKind.DISPENSE:
        source["drug_class"] = held.row.drug_class
    return source


def _first_expiry(finding: Finding, kind: JoinKind, joining: Joining) -> int:
    ends: list[date] = [day_of(one.row.ends) for one in finding.sources]
    return day_number(joining.expires(kind, min(ends)))
