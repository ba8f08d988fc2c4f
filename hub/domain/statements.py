"""A statement batch (度量声明) after decoding: its slots, its faults and its rows as received."""

from dataclasses import dataclass, field
from enum import StrEnum

from hub.domain.members import InstitutionCode


class SlotRule(StrEnum):
    """Rule that a quarantined slot broke."""

    PAYLOAD = "payload"
    """The payload as a whole cannot be read."""
    INSTITUTION = "institution"
    """The institution code is malformed."""
    MONTH = "month"
    """The month is not a month."""
    SHAPE = "shape"
    """Version, parts, rows or digest are outside their bounds."""
    SLOT_TWICE = "slot_twice"
    """One batch states a slot twice."""
    ROWS = "rows"
    """The number of rows is not the stated one."""
    DIGEST = "digest"
    """The rows are not the ones that were digested."""
    CUSTODY = "custody"
    """The sender is not the custodian of the slot."""
    CONTRADICTION = "contradiction"
    """The same version was stated before with other content."""
    CHECKPOINT = "checkpoint"
    """The tree over the sender's records does not continue the one that was stated before."""
    PERIOD = "period"
    """A record is not of the period whose tokens it carries, or of a day that is yet to come."""
    EXPIRED = "expired"
    """Records whose retention is over; they are not taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFault:
    """A refused slot: what it names, the rule it broke and what to do."""

    institution: str
    month: int
    rule: SlotRule
    mend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedSlot:
    """One part of one slot's statement, as its sender states it.

    Attributes:
        institution: Institution code.
        month: Month, yyyymm.
        version: Version within the sender's incarnation, from 1.
        ledger_size: Records in the sender's ledger when it was computed.
        rows: Rows of the whole statement.
        digest: SHA-256 over the canonical rows of the whole statement.
        part: Part number, from 1.
        parts: Number of parts.
    """

    institution: InstitutionCode
    month: int
    version: int
    ledger_size: int
    rows: int
    digest: bytes
    part: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBatch:
    """A decoded batch of one measure set.

    Attributes:
        measure_set: Measure set of the catalogue.
        slots: Slots whose part is sound by itself.
        faults: Slots that were refused already.
        rows_ipc: The rows as received, an Arrow IPC stream.
    """

    measure_set: str
    slots: tuple[OfferedSlot, ...]
    faults: tuple[SlotFault, ...]
    rows_ipc: bytes = field(repr=False)
