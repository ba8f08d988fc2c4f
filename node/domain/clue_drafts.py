"""What a node has to tell for joining, while persons still have their names; it stays in memory.

Rules: a draft and a fact name persons; a payload never does. Names are not shown in a repr.
"""

from dataclasses import dataclass, field

import pyarrow as pa

__all__ = ["ClueDraft", "JoinFacts", "MeasureMonths", "Place", "Pointer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """A record that a clue rests on, by the number of its leaf in the node's tree."""

    kind: str
    leaf: int
    involved: bool
    """True for a record that is involved (涉及项) only."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class MeasureMonths:
    """Measures that a topic's finding rests on: one set, of some months up to one."""

    measure_set: str
    month: int
    """Last month, yyyymm."""
    months: int
    """How many months were counted."""
    digest: bytes = field(repr=False)
    """SHA-256 of what they were counted from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClueDraft:
    """A clue (线索) before its person has a link token."""

    id: bytes
    """16 bytes, keyed by the node's secret."""
    source: str
    """Rule or topic."""
    version: str
    """Version of its parameters."""
    institution: str
    month: int
    """yyyymm."""
    person: str | None = field(repr=False)
    """Number of the one person it is about; None where it is about nobody or many."""
    staff: tuple[str, ...] = field(repr=False)
    """National codes of staff; nothing else."""
    score: int
    """0 to 1000."""
    amount_fen: int
    verdict: str
    """violation (违规), suspicion (可疑) or warning (提醒)."""
    evidence: tuple[Pointer, ...]
    evidence_count: int
    """Records it rests on; ``evidence`` may list fewer."""
    measures: tuple[MeasureMonths, ...] = ()
    """Measures it rests on, where a topic found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an institution stands."""

    institution: str
    latitude_e6: int
    longitude_e6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFacts:
    """Facts of one kind of join record (关联记录)."""

    kind: str
    """Kind: stay, presence, dispense or trace."""
    rows: pa.Table = field(repr=False)
    """Columns institution, who (a person's number, or a trace code), begins and ends (minutes since
    1970 on the wall clock of Asia/Shanghai), drug_class, leaf; sorted by all of them."""
