"""Joining the records of several nodes, and keeping what is found.

Numbered as run, in one transaction:

0. Records that are kept too long go.
1. Every join reads the marks that meet at two institutions, mark by mark, and finds what no single
   node can see (``hub.domain.joins``).
2. Findings are kept under their stable ids; one that is not found again although its records are
   all still here is gone, never deleted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from hub.domain.clues import PlaceOf, day_number, day_of, moment_of, shanghai_day
from hub.domain.joins import KIND_OF, Finding, HeldRow, find_all
from hub.store import clues, join_records
from hub.store.clues import JoinedClue
from hub.store.engine import writing
from scoring_kernel.joining import Join, Joining, JoinKind
from security.moments import to_ms
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
    found: dict[str, int] = {}
    new = 0
    with writing(engine) as connection:
        # 0. What is kept too long.
        expired = join_records.purge(connection, today)
        places = join_records.places(connection)
        # 1. The joins, each on its own.
        for number, join in enumerate(Join):
            progress("joining", number, len(Join), "joins")
            kept, fresh = clues.put_joined(
                connection, _found(connection, join, joining, places), now_ms
            )
            found[str(join)] = kept
            new += fresh
        # 2. What holds no longer.
        gone = clues.sweep_joined(connection, now_ms, day_number(today))
        crowded = {str(kind): join_records.crowded(connection, kind) for kind in JoinKind}
        return JoinReport(
            expired=expired,
            records=join_records.figures(connection).records,
            found=found,
            new=new,
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
) -> Iterator[JoinedClue]:
    rule = joining.joins[join]
    kind = KIND_OF[join]
    for _, rows in join_records.meeting(connection, kind):
        for finding in find_all(join, rows, joining, places):
            later = finding.sources[-1]
            day = day_of(later.row.begins)
            yield JoinedClue(
                id=finding.id,
                source=rule.id,
                mark=finding.mark,
                is_person=kind is not JoinKind.TRACE,
                begins=finding.sources[0].row.begins,
                month=day.year * 100 + day.month,
                score=rule.score,
                verdict=rule.verdict,
                sources=[_source(one, kind) for one in finding.sources],
                numbers=dict(finding.numbers),
                expires_day=_first_expiry(finding, kind, joining),
            )


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
