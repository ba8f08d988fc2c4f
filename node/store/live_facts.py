"""Facts of the live state (实时状态): what of each kind of record the judging needs, and where.

Rules:
- A fact has a place: the digest of the visit, person, institution, staff member, item or trace
  code that it is looked up by. Ids are digests under the node's key; no name and no id is kept.
- A fact has a key within its place, made of the record's primary key: a new version of a record
  takes the place of the former one, in whatever order they come.
- The body is JSON: the values of the kernel's fact of this kind, in its order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from node.store.live_digests import Digests, Place
from scoring_kernel.rules.live.encounter import DAY_S

__all__ = [
    "Fact",
    "FactKind",
    "FactSpec",
    "VisitRow",
    "all_of",
    "columns",
    "equal",
    "facts_of",
    "having",
    "moments",
    "numbers",
    "one_each",
    "sent",
    "settlements",
    "stocks",
    "visits",
]

RECORD_ID: Final = "record_id"
_MSGID: Final = slice(12, 30)


class FactKind(IntEnum):
    """Kinds of fact, as they are stored; numbers are never used again for another."""

    ADMISSION = 1
    SETTLEMENT = 2
    DISCHARGE = 3
    CANCELLATION = 4
    SETTLEMENT_LIST = 5
    DIAGNOSIS = 6
    FEE_DETAIL = 7
    TRACE_CODE = 8
    IDENTITY_EVENT = 9
    INSURANCE_STATUS = 10
    DEATH = 11
    BENEFIT_FREEZE = 12
    APPROVED_PURCHASE = 13
    STAFF_MEMBER = 14
    STAFF_QUALIFICATION = 15
    AGREEMENT_STATUS = 16
    INSTITUTION_PROFILE = 17
    PRICE_CAP = 19
    REVERSAL = 20
    """A settlement was reversed."""
    ROSTERED = 21
    """Staff of the institution was stated."""
    TRACED_PURCHASES = 22
    """Trace codes of what the institution buys were stated."""
    TRACE_MOVEMENT = 23
    """A trace code on a line of stock itself."""
    SETTLED_VISIT = 24
    """Which visit a settlement is of."""
    STOCK_DELETION = 25
    """Movements of a batch were deleted (3507)."""


class Fact(NamedTuple):
    """One fact, ready to be stored."""

    place: int
    kind: int
    key: int
    day: int
    """Day of the fact, days since 1970; 0 where it has none."""
    month: int
    """Month of its record, yyyymm."""
    body: bytes


class VisitRow(NamedTuple):
    """Whose visit a fact is of."""

    person: int
    visit: int
    institution: str
    day: int


Convert = Callable[[pa.Table, str, Digests], Sequence[Any]]
"""Makes the values of a body out of a column."""
Where = Callable[[pa.Table], pa.Table]


def all_of(table: pa.Table) -> pa.Table:
    """All records."""
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSpec:
    """How records of one kind become facts of one kind."""

    kind: FactKind
    place: Place
    place_columns: tuple[str, ...]
    key_columns: tuple[str, ...] = ()
    body: tuple[tuple[str, Convert], ...] = ()
    day: str
    """Column of the fact's day."""
    person: str | None = None
    """Column of the person whose visit it is."""
    where: Where = all_of
    """Which of the records."""


def plain(table: pa.Table, name: str, _digests: Digests) -> Sequence[Any]:
    found: list[Any] = table.column(name).to_pylist()
    return found


def moments(table: pa.Table, name: str, _digests: Digests) -> Sequence[Any]:
    """Moments as seconds of the wall clock since 1970."""
    found: list[Any] = table.column(name).cast(pa.int64()).to_pylist()
    return found


def numbers(table: pa.Table, name: str, digests: Digests) -> Sequence[Any]:
    """Numbers of ids that are no places."""
    word = digests.word
    return [None if value is None else word(value) for value in table.column(name).to_pylist()]


def settlements(table: pa.Table, name: str, digests: Digests) -> Sequence[Any]:
    """Number of a settlement, the same for one institution's setl_id."""
    pairs = zip(_words(table, "institution"), table.column(name).to_pylist(), strict=True)
    return [None if setl is None else digests.settlement(code, setl) for code, setl in pairs]


def stocks(table: pa.Table, name: str, digests: Digests) -> Sequence[Any]:
    """Numbers of the batches of stock by which a deletion names movements; None of no batch."""
    batches, types = (table.column(one).to_pylist() for one in (name, "data_type"))
    return [
        None if None in (batch, what) else digests.stock(code, batch, what)
        for code, batch, what in zip(_words(table, "institution"), batches, types, strict=True)
    ]


def visits(table: pa.Table, name: str, digests: Digests) -> Sequence[Any]:
    """Numbers of visits."""
    pairs = zip(_words(table, "institution"), table.column(name).to_pylist(), strict=True)
    return [None if mdtrt is None else digests.visit(code, mdtrt) for code, mdtrt in pairs]


def sent(table: pa.Table, name: str, _digests: Digests) -> Sequence[Any]:
    """Moment and number of the message that each record came in; 0 where it came in none."""
    values = table.column(name)
    found = pc.utf8_slice_codeunits(values, _MSGID.start, _MSGID.stop)
    ours = pc.match_substring_regex(values, "^[HP][0-9]{29}")
    sent: list[int] = pc.if_else(ours, found, "0").cast(pa.int64()).to_pylist()
    return sent


def columns(*names: str, **converted: Convert) -> tuple[tuple[str, Convert], ...]:
    """Columns of a body in order; those that are converted are named with how."""
    return tuple((name, converted.get(name, plain)) for name in names)


def having(name: str) -> Where:
    """Records that have a value."""
    return lambda table: table.filter(pc.is_valid(table.column(name)))


def equal(name: str, value: object) -> Where:
    """Records that have this value."""
    return lambda table: table.filter(pc.equal(table.column(name), pa.scalar(value)))


def one_each(where: Where) -> Where:
    """Of some records one for each institution."""

    def first(table: pa.Table) -> pa.Table:
        found = where(table)
        _, rows = np.unique(found.column("institution").to_numpy(), return_index=True)
        return found.take(rows)

    return first


def facts_of(
    spec: FactSpec, table: pa.Table, digests: Digests
) -> Iterator[tuple[Fact, VisitRow | None]]:
    """Make facts of records.

    Args:
        spec: How records of the kind become facts.
        table: The records.
        digests: Makes digests of ids.
    """
    table = spec.where(table)
    if not table.num_rows:
        return
    days = moments(table, spec.day, digests)
    months = table.column("month").to_pylist()
    places = list(zip(*(_words(table, name) for name in spec.place_columns), strict=True))
    keys = (
        list(zip(*(_words(table, name) for name in spec.key_columns), strict=True))
        if spec.key_columns
        else [()] * table.num_rows
    )
    made = [convert(table, name, digests) for name, convert in spec.body]
    bodies = list(zip(*made, strict=True)) if made else [()] * table.num_rows
    persons = _words(table, spec.person) if spec.person else [""] * table.num_rows
    of, dumps = digests.of, orjson.dumps
    kind, place = int(spec.kind), spec.place
    for words, key, body, moment, month, person in zip(
        places, keys, bodies, days, months, persons, strict=True
    ):
        at, day = of(place, *words), (moment or 0) // DAY_S
        fact = Fact(at, kind, of(-1, *key) if key else 0, day, month, dumps(body))
        yield fact, VisitRow(of(Place.PERSON, person), at, words[0], day) if person else None


def _words(table: pa.Table, name: str) -> list[str]:
    found: list[str] = pc.coalesce(table.column(name).cast(pa.string()), "").to_pylist()
    return found
