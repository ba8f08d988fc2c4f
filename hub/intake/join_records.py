"""Decoding of join records (关联记录), and what they change.

Numbered as applied:

0. The payload parses; its kind is known; period and keys' digest are there for persons, and are
   absent for trace codes and sessions of staff. Otherwise the payload as a whole is refused.
1. Every part names an institution and a day, and its columns are of one length and in bounds.
2. Every record ends on the part's day, and is of the period whose tokens it carries.
3. In the transaction of the envelope: the sender is the institution's custodian, the retention is
   not over, and the part is newer than the one that counts; it then replaces that one.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from hub.domain.clues import (
    MINUTES_PER_DAY,
    DecodedJoinRecords,
    JoinPart,
    JoinRow,
    PlaceOf,
    day_of,
)
from hub.domain.custody import is_month
from hub.domain.members import InstitutionCode, is_institution
from hub.domain.statements import SlotFault, SlotRule
from hub.errors import StatementError
from protos.yixin.v1 import clue_pb2
from scoring_kernel.errors import PeriodError
from scoring_kernel.joining import Joining, JoinKind, staff_of
from scoring_kernel.periods import Period
from security.encoding import parse_exactly
from security.headers import MAX_ENVELOPE_BYTES
from security.linking import TOKEN_BYTES

MAX_DAYS: Final = 4_096
MAX_PARTS: Final = 256
MAX_PLACES: Final = 4_096
MAX_VERSION: Final = 2**62
MAX_MINUTES: Final = {JoinKind.STAY: 3 * 366 * MINUTES_PER_DAY, JoinKind.SESSION: MINUTES_PER_DAY}
"""Longest records by kind; others are moments."""
_DIGEST_BYTES: Final = 32
_MINUTES: Final = range(2**27)
"""1970 to 2225."""
_CLASS: Final = re.compile(r"[A-Z0-9]{1,12}")
_MEND: Final = "correct the records and run `yixin node sync` again"
_KINDS: Final = {
    clue_pb2.JOIN_KIND_STAY: JoinKind.STAY,
    clue_pb2.JOIN_KIND_PRESENCE: JoinKind.PRESENCE,
    clue_pb2.JOIN_KIND_DISPENSE: JoinKind.DISPENSE,
    clue_pb2.JOIN_KIND_TRACE: JoinKind.TRACE,
    clue_pb2.JOIN_KIND_SESSION: JoinKind.SESSION,
}


def decode_join_records(payload: bytes, joining: Joining) -> DecodedJoinRecords:
    """Decode a payload of type ``join_records``.

    Args:
        payload: Serialised JoinRecords.
        joining: Periods that a record is reported under.

    Raises:
        StatementError: The payload as a whole cannot be read.
    """
    # 0. The payload as a whole.
    try:
        found = parse_exactly(clue_pb2.JoinRecords, payload, MAX_ENVELOPE_BYTES)
    except ValueError as error:
        raise StatementError("The payload is no JoinRecords.") from error
    kind = _KINDS.get(found.kind)
    if kind is None:
        raise StatementError(f"Join records of kind {found.kind} are not known here.")
    _verify_keys(kind, found.period, found.keys_digest)
    if not 1 <= len(found.days) <= MAX_DAYS or len(found.places) > MAX_PLACES:
        raise StatementError(
            f"Found {len(found.days)} days and {len(found.places)} places, expected 1 to "
            f"{MAX_DAYS} days and at most {MAX_PLACES} places."
        )
    parts: list[JoinPart] = []
    faults: list[SlotFault] = []
    seen: set[tuple[str, int, int]] = set()
    for one in found.days:
        place = (one.institution, one.day, one.part)
        fault = (
            (SlotRule.SLOT_TWICE, "the payload states this part twice")
            if place in seen
            else _part_fault(one, kind)
        )
        seen.add(place)
        part = None if fault else _part(one, kind)
        # 2. Days and period of the records.
        fault = fault or (None if part is None else _days_fault(part, found.period, joining))
        if fault is None and part is not None:
            parts.append(part)
        else:
            rule, mend = fault or (SlotRule.SHAPE, _MEND)
            month = one.day // 100
            faults.append(
                SlotFault(institution=one.institution[:64], month=month, rule=rule, mend=mend)
            )
    return DecodedJoinRecords(
        kind=kind,
        period=found.period,
        keys_digest=found.keys_digest,
        parts=tuple(parts),
        places=tuple(_places(found.places)),
        faults=tuple(faults),
    )


def _verify_keys(kind: JoinKind, period: str, keys_digest: bytes) -> None:
    if not kind.has_token:
        if period or keys_digest:
            raise StatementError(f"Records of kind {kind} have no period and no keys, found some.")
        return
    verify_period(period, keys_digest)


def verify_period(period: str, keys_digest: bytes) -> None:
    """Check what every payload with link tokens says of them.

    Raises:
        StatementError: No such period, or no digest of keys.
    """
    try:
        Period.parse(period)
    except PeriodError as error:
        raise StatementError(f"The tokens are of no period: {error}.") from error
    if len(keys_digest) != _DIGEST_BYTES:
        raise StatementError(
            f"The tokens' keys are named by {len(keys_digest)} bytes, expected {_DIGEST_BYTES}."
        )


def _part_fault(one: clue_pb2.JoinDay, kind: JoinKind) -> tuple[SlotRule, str] | None:
    """Step 1."""
    if not is_institution(one.institution):
        return SlotRule.INSTITUTION, "the institution code is malformed; correct it"
    if not is_month(one.day // 100) or _date(one.day) is None:
        return SlotRule.MONTH, f"{one.day} is no day"
    if not 1 <= one.version <= MAX_VERSION or one.part >= MAX_PARTS:
        return SlotRule.SHAPE, f"version {one.version} or part {one.part} is out of bounds"
    rows = one.rows
    lengths = {len(rows.begins), len(rows.ends), len(rows.classes), len(rows.leaves)}
    if lengths != {len(rows.marks) // TOKEN_BYTES} or len(rows.marks) % TOKEN_BYTES:
        return SlotRule.SHAPE, "the columns are not of one length"
    if not _has_sound_columns(rows, one.classes, kind):
        return SlotRule.SHAPE, f"a record is out of its bounds; {_MEND}"
    return None


def _date(day: int) -> date | None:
    try:
        return date(day // 10_000, day // 100 % 100, day % 100)
    except ValueError:
        return None


def _has_sound_columns(rows: clue_pb2.JoinColumns, classes: Sequence[str], kind: JoinKind) -> bool:
    if any(_CLASS.fullmatch(name) is None for name in classes) or len(set(classes)) < len(classes):
        return False
    if kind is JoinKind.DISPENSE:
        if any(index >= len(classes) for index in rows.classes):
            return False
    elif classes or any(rows.classes):
        return False
    if any(leaf >= MAX_VERSION for leaf in rows.leaves):
        return False
    if kind is JoinKind.SESSION and None in map(staff_of, _marks(rows)):
        return False
    longest = MAX_MINUTES.get(kind, 0)
    return all(
        begins in _MINUTES and 0 <= ends - begins <= longest
        for begins, ends in zip(rows.begins, rows.ends, strict=True)
    )


def _marks(rows: clue_pb2.JoinColumns) -> Iterator[bytes]:
    return (rows.marks[at : at + TOKEN_BYTES] for at in range(0, len(rows.marks), TOKEN_BYTES))


def _part(one: clue_pb2.JoinDay, kind: JoinKind) -> JoinPart:
    rows = one.rows
    with_class = kind is JoinKind.DISPENSE
    return JoinPart(
        institution=InstitutionCode(one.institution),
        day=date(one.day // 10_000, one.day // 100 % 100, one.day % 100),
        part=one.part,
        version=one.version,
        rows=tuple(
            JoinRow(
                mark=mark,
                begins=begins,
                ends=ends,
                drug_class=one.classes[drug_class] if with_class else "",
                leaf=leaf,
            )
            for mark, begins, ends, drug_class, leaf in zip(
                _marks(rows), rows.begins, rows.ends, rows.classes, rows.leaves, strict=True
            )
        ),
    )


def _days_fault(part: JoinPart, period: str, joining: Joining) -> tuple[SlotRule, str] | None:
    for row in part.rows:
        if day_of(row.ends) != part.day:
            return SlotRule.ROWS, f"a record of another day stands under this one; {_MEND}"
        if period and period not in joining.periods_of(day_of(row.begins), part.day):
            return SlotRule.PERIOD, (
                f"the record of leaf {row.leaf} is not of period {period}, whose token it carries; "
                "bring both sides to the same catalogue and synchronise again"
            )
    return None


def _places(stated: Sequence[clue_pb2.Place]) -> list[PlaceOf]:
    """Places that can be one; a wrong one only takes its own institution's distances away."""
    return [
        PlaceOf(
            institution=InstitutionCode(one.institution),
            latitude_e6=one.latitude_e6,
            longitude_e6=one.longitude_e6,
        )
        for one in stated
        if is_institution(one.institution)
        and abs(one.latitude_e6) <= 90_000_000
        and abs(one.longitude_e6) <= 180_000_000
    ]
