"""Facts of the live state (实时状态): what of each kind of record the judging needs, and where.

Rules:
- A fact has a place: the digest of the visit, person, institution, staff member, item or trace
  code that it is looked up by. Ids are digests under the node's key; no name and no id is kept.
- A fact has a key within its place, made of the record's primary key: a new version of a record
  takes the place of the former one, in whatever order they come.
- The body is JSON: the values of the kernel's fact of this kind, in its order.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from node.store.live_digests import Digests, Place
from scoring_kernel.rules.live.encounter import DAY_S

__all__ = ["FACT_SPECS", "Fact", "FactKind", "FactSpec", "VisitRow", "facts_of"]

_RECORD_ID: Final = "record_id"
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
    CATALOGUE_ITEM = 18
    PRICE_CAP = 19


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


Convert = Callable[[pa.ChunkedArray, Digests], Sequence[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSpec:
    """How records of one kind become facts."""

    kind: FactKind
    place: Place
    place_columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    body: tuple[tuple[str, Convert], ...]
    day: str
    """Column of the fact's day."""
    person: str | None = None
    """Column of the person whose visit it is."""


def _plain(values: pa.ChunkedArray, _digests: Digests) -> Sequence[Any]:
    found: list[Any] = values.to_pylist()
    return found


def _moment(values: pa.ChunkedArray, _digests: Digests) -> Sequence[Any]:
    found: list[Any] = values.cast(pa.int64()).to_pylist()
    return found


def _digest(values: pa.ChunkedArray, digests: Digests) -> Sequence[Any]:
    word = digests.word
    return [None if value is None else word(value) for value in values.to_pylist()]


def _sent(values: pa.ChunkedArray, _digests: Digests) -> Sequence[Any]:
    """Moment and number of the message that each record came in; 0 where it came in none."""
    found = pc.utf8_slice_codeunits(values, _MSGID.start, _MSGID.stop)
    ours = pc.match_substring_regex(values, "^[HP][0-9]{29}")
    sent: list[int] = pc.if_else(ours, found, "0").cast(pa.int64()).to_pylist()
    return sent


def _of(*names: str, **converted: Convert) -> tuple[tuple[str, Convert], ...]:
    """Columns of a body in order; those that are converted are named with how."""
    return tuple((name, converted.get(name, _plain)) for name in names)


_SPAN: Final = _of("begins_at", "ends_at", begins_at=_moment, ends_at=_moment)
_ID: Final = _of(_RECORD_ID, record_id=_sent)
_VISIT: Final = ("institution", "mdtrt_id")

FACT_SPECS: Final[Mapping[str, FactSpec]] = {
    "admission": FactSpec(
        kind=FactKind.ADMISSION,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=("inpatient",),
        body=(
            *_of("inpatient", "admitted_at", admitted_at=_moment),
            *_of("diagnosis", "med_type", "insutype"),
            *_ID,
        ),
        day="admitted_at",
        person="person",
    ),
    "settlement": FactSpec(
        kind=FactKind.SETTLEMENT,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=("setl_id", "sign"),
        body=(
            *_of("setl_id", "sign", "settled_at", setl_id=_digest, settled_at=_moment),
            *_of("inpatient", "med_type", "insutype", "medfee_fen", "inscp_fen", "fund_fen"),
            *_of("batch", batch=_digest),
            *_ID,
        ),
        day="settled_at",
        person="person",
    ),
    "discharge": FactSpec(
        kind=FactKind.DISCHARGE,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=(),
        body=(
            *_of("discharged_at", "discharge_way", "died", "diagnosis", discharged_at=_moment),
            *_ID,
        ),
        day="discharged_at",
        person="person",
    ),
    "cancellation": FactSpec(
        kind=FactKind.CANCELLATION,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=(_RECORD_ID, "what"),
        body=(*_of("what", "line", "batch", line=_digest, batch=_digest), *_ID),
        day="cancelled_at",
    ),
    "settlement_list": FactSpec(
        kind=FactKind.SETTLEMENT_LIST,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=("setl_id",),
        body=_of("planned_readmission"),
        day="discharged_at",
    ),
    "diagnosis": FactSpec(
        kind=FactKind.DIAGNOSIS,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=("what", "code"),
        body=_of("what", "code", "main"),
        day="at",
    ),
    "fee_detail": FactSpec(
        kind=FactKind.FEE_DETAIL,
        place=Place.VISIT,
        place_columns=_VISIT,
        key_columns=("line",),
        body=(
            *_of("line", "item_code", "occurred_at", line=_digest, occurred_at=_moment),
            *_of("amount_fen", "inscp_fen", "quantity_e4", "price_e6", "days", "level"),
            *_of("maternity", "refund_of", "batch", refund_of=_digest, batch=_digest),
            *_ID,
        ),
        day="occurred_at",
        person="person",
    ),
    "trace_code": FactSpec(
        kind=FactKind.TRACE_CODE,
        place=Place.TRACE,
        place_columns=("code",),
        key_columns=(_RECORD_ID, "what"),
        body=(
            *_of("what", "institution", "item_code", "split"),
            *_of("occurred_at", "setl_id", occurred_at=_moment, setl_id=_digest),
            *_of("mdtrt_id", "source", mdtrt_id=_plain, source=_digest),
        ),
        day="occurred_at",
    ),
    "identity_event": FactSpec(
        kind=FactKind.IDENTITY_EVENT,
        place=Place.PERSON,
        place_columns=("person",),
        key_columns=("institution", "at", "place"),
        body=(
            *_of("institution", "mdtrt_id", "at", "place", "result", at=_moment, mdtrt_id=_digest),
            *_of("score_e4", "override_reason", override_reason=_digest),
        ),
        day="at",
    ),
    "insurance_status": FactSpec(
        kind=FactKind.INSURANCE_STATUS,
        place=Place.PERSON,
        place_columns=("person",),
        key_columns=("institution", "month", "insutype", "status"),
        body=(
            *_of("insutype", "status", "begins_at", "paused_at", "stated_at")[:2],
            *_of("begins_at", "paused_at", begins_at=_moment, paused_at=_moment),
            *_of("stated_at", stated_at=_moment),
        ),
        day="stated_at",
    ),
    "death": FactSpec(
        kind=FactKind.DEATH,
        place=Place.PERSON,
        place_columns=("person",),
        key_columns=("institution",),
        body=_of("died_at", died_at=_moment),
        day="died_at",
    ),
    "benefit_freeze": FactSpec(
        kind=FactKind.BENEFIT_FREEZE,
        place=Place.PERSON,
        place_columns=("person",),
        key_columns=("institution", "begins_at"),
        body=_SPAN,
        day="begins_at",
    ),
    "approved_purchase": FactSpec(
        kind=FactKind.APPROVED_PURCHASE,
        place=Place.PERSON,
        place_columns=("person",),
        key_columns=("institution", "item_code", "begins_at"),
        body=(*_of("item_code"), *_SPAN),
        day="begins_at",
    ),
    "staff_member": FactSpec(
        kind=FactKind.STAFF_MEMBER,
        place=Place.STAFF,
        place_columns=("staff",),
        key_columns=("institution", "month", "type"),
        body=(*_of("institution", "type", "insured_doctor"), *_SPAN),
        day="stated_at",
    ),
    "staff_qualification": FactSpec(
        kind=FactKind.STAFF_QUALIFICATION,
        place=Place.STAFF,
        place_columns=("staff",),
        key_columns=("institution", "begins_at"),
        body=(*_of("institution", "status"), *_SPAN),
        day="begins_at",
    ),
    "agreement_status": FactSpec(
        kind=FactKind.AGREEMENT_STATUS,
        place=Place.INSTITUTION,
        place_columns=("institution",),
        key_columns=("begins_at",),
        body=(*_of("status"), *_SPAN),
        day="begins_at",
    ),
    "institution_profile": FactSpec(
        kind=FactKind.INSTITUTION_PROFILE,
        place=Place.INSTITUTION,
        place_columns=("institution",),
        key_columns=("begins_at",),
        body=(*_of("level", "group_code"), *_SPAN),
        day="begins_at",
    ),
    "catalogue_item": FactSpec(
        kind=FactKind.CATALOGUE_ITEM,
        place=Place.ITEM,
        place_columns=("item_code",),
        key_columns=("institution", "begins_at"),
        body=(*_of("valid"), *_SPAN),
        day="begins_at",
    ),
    "price_cap": FactSpec(
        kind=FactKind.PRICE_CAP,
        place=Place.ITEM,
        place_columns=("item_code",),
        key_columns=("institution", "begins_at", "type"),
        body=(*_of("cap_e6", "valid"), *_SPAN),
        day="begins_at",
    ),
}
"""By kind of record; other kinds make no facts."""


def facts_of(
    spec: FactSpec, table: pa.Table, digests: Digests
) -> Iterator[tuple[Fact, VisitRow | None]]:
    """Make facts of records.

    Args:
        spec: How records of the kind become facts.
        table: The records.
        digests: Makes digests of ids.
    """
    if not table.num_rows:
        return
    days = _moment(table.column(spec.day), digests)
    months = table.column("month").to_pylist()
    places = list(zip(*(_words(table, name) for name in spec.place_columns), strict=True))
    keys = (
        list(zip(*(_words(table, name) for name in spec.key_columns), strict=True))
        if spec.key_columns
        else [()] * table.num_rows
    )
    bodies = zip(
        *(convert(table.column(name), digests) for name, convert in spec.body), strict=True
    )
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
