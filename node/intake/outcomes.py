"""What became of each line of an intake, for whoever has to answer for it."""

from dataclasses import dataclass
from enum import StrEnum

from node.domain.faults import Fault

__all__ = ["Outcome", "Taken"]


class Outcome(StrEnum):
    """What became of one line."""

    STORED = "stored"
    """Accepted by the platform: its records are in the store."""
    SEEN = "seen"
    """In the ledger already, with the same content: nothing changed."""
    PENDING = "pending"
    """In the ledger; its records follow when its response comes."""
    NOT_ACCEPTED = "not_accepted"
    """In the ledger without records: the platform did not accept it."""
    KEPT = "kept"
    """Accepted by the platform, of a transaction that makes no typed record: kept whole."""
    REFUSED = "refused"
    """In quarantine, with a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One line that was taken in, durably."""

    line: int
    """Line in its file, from 1."""
    standing: Outcome
    infno: str = ""
    """Transaction; empty when the line could not be read."""
    msgid: str = ""
    """Message id as sent; empty when the line could not be read."""
    accepted: bool | None = None
    """What the platform answered, by this message or, of one seen already, by the ledger;
    None while that is not known."""
    fault: Fault | None = None
    """Set when the line was refused."""
