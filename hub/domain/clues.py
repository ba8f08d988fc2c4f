"""Clues (线索) and join records (关联记录) after decoding.

Rules: a person is a link token (关联令牌) or nobody; staff go by their national codes; records are
pointed at by the numbers of their leaves in the node's tree. Minutes are since 1970 on the wall
clock of Asia/Shanghai.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from hub.domain.members import InstitutionCode
from hub.domain.statements import SlotFault
from scoring_kernel.joining import JoinKind

MINUTES_PER_DAY: Final = 1_440
_EPOCH: Final = date(1970, 1, 1)


def day_of(minute: int) -> date:
    """The day of a minute.

    >>> day_of(0), day_of(1440 * 365 - 1)
    (datetime.date(1970, 1, 1), datetime.date(1970, 12, 31))
    """
    return _EPOCH + timedelta(days=minute // MINUTES_PER_DAY)


def moment_of(minute: int) -> str:
    """A minute as the wall clock of Asia/Shanghai shows it.

    >>> moment_of(0)
    '1970-01-01T00:00'
    """
    moment = datetime.combine(_EPOCH, time()) + timedelta(minutes=minute)
    return moment.isoformat(timespec="minutes")


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRow:
    """One join record."""

    mark: bytes = field(repr=False)
    """Link token, digest of a trace code, or code of staff with zeros after it; 16 bytes."""
    begins: int
    """First minute."""
    ends: int
    """Last minute; equal to ``begins`` for a moment."""
    drug_class: str
    """Class of the drug; empty where the kind has none."""
    leaf: int
    """Number of the record's leaf in the node's tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPart:
    """All records of one institution, kind and day, or one part of them."""

    institution: InstitutionCode
    day: date
    """Day on which its records end."""
    part: int
    """Part number, from 0."""
    version: int
    """Version within the sender's incarnation, from 1."""
    rows: tuple[JoinRow, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOf:
    """Where an institution stands."""

    institution: InstitutionCode
    latitude_e6: int
    longitude_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedJoinRecords:
    """A payload of type ``join_records``: sound parts, and refused ones."""

    kind: JoinKind
    period: str
    """Period of the tokens; empty where the kind has none."""
    keys_digest: bytes = field(repr=False)
    """Names the keys that the tokens were made under; empty where the kind has none."""
    parts: tuple[JoinPart, ...]
    places: tuple[PlaceOf, ...]
    faults: tuple[SlotFault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """A record that a clue rests on."""

    kind: str
    """Kind of the record."""
    leaf: int
    """Number of its leaf in the node's tree."""
    involved: bool
    """True for a record that is involved (涉及项) only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurePointer:
    """Measures that a clue of a topic rests on: one set, of some months up to one."""

    measure_set: str
    month: int
    """Last month, yyyymm."""
    months: int
    """How many months were read."""
    digest: str
    """SHA-256 of what they were counted from, in hexadecimal digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedClue:
    """One clue as a node states it."""

    id: bytes
    """16 bytes, keyed by the node."""
    source: str
    """Rule or topic."""
    version: str
    """Version of its parameters."""
    staff: tuple[str, ...]
    """National codes, ascending."""
    person: bytes = field(repr=False)
    """Link token, or empty."""
    score: int
    """0 to 1000."""
    amount_fen: int
    verdict: str
    """violation (违规), suspicion (可疑) or warning (提醒)."""
    evidence: tuple[Pointer, ...]
    evidence_count: int
    """Records it rests on; ``evidence`` may list fewer."""
    measures: tuple[MeasurePointer, ...]
    """Measures it rests on, where a topic found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CluePart:
    """All clues of one institution and month, or one part of them."""

    institution: InstitutionCode
    month: int
    """yyyymm."""
    part: int
    """Part number, from 0."""
    version: int
    """Version within the sender's incarnation, from 1."""
    period: str
    """Period of the persons' tokens; empty where no person is named."""
    keys_digest: bytes = field(repr=False)
    clues: tuple[StatedClue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedClues:
    """A payload of type ``clues``: sound parts, and refused ones."""

    parts: tuple[CluePart, ...]
    faults: tuple[SlotFault, ...]
