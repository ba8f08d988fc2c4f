"""Join records and clues on their way to the hub: persons become tokens, rows become parts.

Rules:
- What replaces each other at the hub is stated as a whole: the records of an institution, kind and
  day, the clues of an institution and month. Too much for one part is cut, in a fixed order.
- Whose token is not held is left out of the join records; a clue goes without its person then.
- Only institutions in the node's custody are spoken of.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from typing import Final, NamedTuple

from node.domain.clue_drafts import ClueDraft, JoinFacts, Place
from node.sync.flow import Link
from node.sync.restating import Restating
from protos.yixin.v1 import clue_pb2
from scoring_kernel.joining import Joining, JoinKind, staff_mark
from scoring_kernel.periods import Period
from security.encoding import pae
from security.moments import day_number

__all__ = [
    "KeyedPeriod",
    "Outgoing",
    "period_of_month",
    "periods_of_rows",
    "state_clues",
    "state_join_records",
    "trace_digest",
]

PART_ROWS: Final = 8_000
"""Rows of one part of a day: about 300 KiB."""
PART_CLUES: Final = 1_000
"""Clues of one part of a month."""
MAX_MEASURES: Final = 32
"""Sets of measures that a clue points at."""
MAX_PARTS: Final = 256
"""Parts of a day or month that a hub takes; what is beyond is not sent."""
_TRACE: Final = "yixin/link/trace/v1"
_MARK_BYTES: Final = 16
_EPOCH: Final = date(1970, 1, 1)
_MINUTES_PER_DAY: Final = 1_440
_KINDS: Final = {
    JoinKind.STAY: clue_pb2.JOIN_KIND_STAY,
    JoinKind.PRESENCE: clue_pb2.JOIN_KIND_PRESENCE,
    JoinKind.DISPENSE: clue_pb2.JOIN_KIND_DISPENSE,
    JoinKind.TRACE: clue_pb2.JOIN_KIND_TRACE,
    JoinKind.SESSION: clue_pb2.JOIN_KIND_SESSION,
}
_VERDICTS: Final = {
    "violation": clue_pb2.CLUE_VERDICT_VIOLATION,
    "suspicion": clue_pb2.CLUE_VERDICT_SUSPICION,
    "warning": clue_pb2.CLUE_VERDICT_WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedPeriod:
    """A period and the tokens that are held of it."""

    period: str
    keys_digest: bytes = field(repr=False)
    """Names the keys of its tokens."""
    tokens: Mapping[str, bytes] = field(repr=False)
    """Tokens by person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What all of one sending have in common."""

    link: Link
    joining: Joining
    custody: Collection[str]
    """Institutions this node speaks for."""
    today: date
    """Day in Shanghai."""
    pack_digest: bytes = field(repr=False)
    """SHA-256 of the catalogue."""


class _Row(NamedTuple):
    """A join record without a name, in the order in which records are sorted."""

    institution: str
    day: int
    mark: bytes
    begins: int
    ends: int
    drug_class: str
    leaf: int


def trace_digest(code: str) -> bytes:
    """Digest of a trace code (追溯码), 16 bytes; it hides nothing from whoever has the codes."""
    return hashlib.sha256(pae(_TRACE, code.strip().encode())).digest()[:_MARK_BYTES]


def state_join_records(
    out: Outgoing, facts: JoinFacts, period: KeyedPeriod | None, places: Iterable[Place]
) -> int:
    """Put changed join records of a kind and period into the outbox.

    Args:
        out: What all of this sending have in common.
        facts: Facts of one kind.
        period: Period and tokens; None for kinds without persons.
        places: Where institutions stand.

    Returns:
        Number of changed parts.
    """
    kind = JoinKind(facts.kind)
    name, keys = (period.period, period.keys_digest) if period else ("", b"")
    known = {one.institution: one for one in places}
    first = out.today - timedelta(days=out.joining.retention_days[kind] - 1)

    def payload(days: list[clue_pb2.JoinDay]) -> clue_pb2.JoinRecords:
        codes = sorted({day.institution for day in days} & known.keys())
        return clue_pb2.JoinRecords(
            period=name,
            keys_digest=keys,
            kind=_KINDS[kind],
            days=days,
            places=[
                clue_pb2.Place(
                    institution=code,
                    latitude_e6=known[code].latitude_e6,
                    longitude_e6=known[code].longitude_e6,
                )
                for code in codes
            ],
        )

    restating: Restating[clue_pb2.JoinDay] = Restating(
        link=out.link,
        prefix=f"join|{kind}|{name}|",
        common=keys,
        payload=payload,
        empty=_empty_day,
        is_kept=lambda key: int(key.split("|")[1]) >= day_number(first),
        payload_type="join_records",
        data_class="join_record",
        pack_digest=out.pack_digest,
    )
    return restating.state(_days(_rows(out, facts, period)))


def state_clues(
    out: Outgoing, drafts: Iterable[ClueDraft], periods: Mapping[str, KeyedPeriod]
) -> int:
    """Put changed clues into the outbox.

    Args:
        out: What all of this sending have in common.
        drafts: Clues of the node.
        periods: Periods and tokens; of others, clues go without their persons.

    Returns:
        Number of changed parts.
    """
    restating: Restating[clue_pb2.ClueMonth] = Restating(
        link=out.link,
        prefix="clue|",
        common=b"",
        payload=lambda months: clue_pb2.Clues(months=months),
        empty=_empty_month,
        is_kept=lambda key: not out.joining.hub_clues.is_over(int(key.split("|")[1]), out.today),
        payload_type="clues",
        data_class="clue",
        pack_digest=out.pack_digest,
    )
    return restating.state(_months(out, drafts, periods))


def period_of_month(month: int) -> str:
    """Period of a month, yyyymm.

    >>> period_of_month(202606), period_of_month(202607)
    ('2026H1', '2026H2')
    """
    return Period(year=month // 100, half=1 if month % 100 <= 6 else 2).name


def periods_of_rows(out: Outgoing, facts: JoinFacts) -> Iterator[tuple[str, str]]:
    """Every period under which a person's facts are sent, and the person."""
    periods_of = cache(out.joining.periods_of)
    for _, who, begins, ends, _, _ in _columns(out, facts):
        for period in periods_of(_day(begins), _day(ends)):
            yield period, who


def _columns(out: Outgoing, facts: JoinFacts) -> Iterator[tuple[str, str, int, int, str, int]]:
    columns = (facts.rows.column(name).to_pylist() for name in facts.rows.column_names)
    return (row for row in zip(*columns, strict=True) if row[0] in out.custody)


def _rows(out: Outgoing, facts: JoinFacts, period: KeyedPeriod | None) -> list[_Row]:
    periods_of = cache(out.joining.periods_of)
    found: list[_Row] = []
    for institution, who, begins, ends, drug_class, leaf in _columns(out, facts):
        if period is None:
            mark: bytes | None = _plain_mark(facts.kind, who)
        elif period.period in periods_of(_day(begins), _day(ends)):
            mark = period.tokens.get(who)
        else:
            mark = None
        if mark is not None:
            day = day_number(_day(ends))
            found.append(_Row(institution, day, mark, begins, ends, drug_class, leaf))
    found.sort()
    return found


def _plain_mark(kind: str, who: str) -> bytes:
    """What tells one from another where no person is meant: a pack's digest, or a staff's code."""
    return staff_mark(who) if kind == JoinKind.SESSION else trace_digest(who)


def _days(rows: Sequence[_Row]) -> Iterator[tuple[str, clue_pb2.JoinDay]]:
    for (institution, day), group in groupby(rows, key=lambda row: row[:2]):
        of_day = list(group)[: PART_ROWS * MAX_PARTS]
        for part, start in enumerate(range(0, len(of_day), PART_ROWS)):
            name = f"{institution}|{day}|{part}"
            yield name, _join_day(name, of_day[start : start + PART_ROWS])


def _join_day(name: str, rows: Sequence[_Row]) -> clue_pb2.JoinDay:
    made = _empty_day(name)
    classes = sorted({row.drug_class for row in rows if row.drug_class})
    places = {drug_class: index for index, drug_class in enumerate(classes)}
    made.classes.extend(classes)
    made.rows.CopyFrom(
        clue_pb2.JoinColumns(
            marks=b"".join(row.mark for row in rows),
            begins=[row.begins for row in rows],
            ends=[row.ends for row in rows],
            classes=[places.get(row.drug_class, 0) for row in rows],
            leaves=[row.leaf for row in rows],
        )
    )
    return made


def _empty_day(name: str) -> clue_pb2.JoinDay:
    institution, day, part = name.split("|")
    return clue_pb2.JoinDay(institution=institution, day=int(day), part=int(part))


def _months(
    out: Outgoing, drafts: Iterable[ClueDraft], periods: Mapping[str, KeyedPeriod]
) -> Iterator[tuple[str, clue_pb2.ClueMonth]]:
    ours = (one for one in drafts if one.institution in out.custody)
    ordered = sorted(ours, key=lambda one: (one.institution, one.month, one.id))
    for (institution, month), group in groupby(ordered, lambda one: (one.institution, one.month)):
        of_month = list(group)[: PART_CLUES * MAX_PARTS]
        period = periods.get(period_of_month(month))
        for part, start in enumerate(range(0, len(of_month), PART_CLUES)):
            name = f"{institution}|{month}|{part}"
            yield name, _clue_month(name, of_month[start : start + PART_CLUES], period)


def _clue_month(
    name: str, drafts: Sequence[ClueDraft], period: KeyedPeriod | None
) -> clue_pb2.ClueMonth:
    made = _empty_month(name)
    tokens = period.tokens if period else {}
    made.clues.extend(_clue(one, tokens.get(one.person or "", b"")) for one in drafts)
    if period is not None and any(clue.person for clue in made.clues):
        made.period, made.keys_digest = period.period, period.keys_digest
    return made


def _clue(draft: ClueDraft, person: bytes) -> clue_pb2.Clue:
    return clue_pb2.Clue(
        id=draft.id,
        source=draft.source,
        version=draft.version,
        staff=sorted(set(draft.staff)),
        person=person,
        score=draft.score,
        amount_fen=draft.amount_fen,
        verdict=_VERDICTS[draft.verdict],
        evidence=[
            clue_pb2.EvidencePointer(kind=one.kind, leaf=one.leaf, involved=one.involved)
            for one in draft.evidence
        ],
        evidence_count=max(draft.evidence_count, len(draft.evidence)),
        measures=[
            clue_pb2.MeasurePointer(
                set=one.measure_set, month=one.month, months=one.months, digest=one.digest
            )
            for one in draft.measures[:MAX_MEASURES]
        ],
    )


def _empty_month(name: str) -> clue_pb2.ClueMonth:
    institution, month, part = name.split("|")
    return clue_pb2.ClueMonth(institution=institution, month=int(month), part=int(part))


def _day(minute: int) -> date:
    return _EPOCH + timedelta(days=minute // _MINUTES_PER_DAY)
