"""What was injected for which rule: the table that recall and false alarms are measured with."""

from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["TRUTH_COLUMNS", "Injected"]

CASE: Final = "case"
NEAR_MISS: Final = "near_miss"
MISCONDUCT: Final = "misconduct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """One injected case or near miss."""

    rule: str
    """Rule that a case breaks, for example ``M01``; empty for a misconduct."""
    kind: str
    """``case``, ``near_miss``, or ``misconduct``: a visit of the city that is wrong for no rule's
    sake."""
    institution: str
    """Institution that a hit names."""
    mdtrt_id: str
    """Visit that a hit names; empty where it names none."""
    key: str
    """Item, trace code, day or month that tells a hit from others; empty for none."""
    amount_fen: int | None
    """Amount of the hit where it follows from the case alone, fen."""
    note: str
    """What was done, in words."""

    def row(self) -> dict[str, object]:
        """Write the row of the truth table."""
        return asdict(self)


TRUTH_COLUMNS: Final = ("rule", "kind", "institution", "mdtrt_id", "key", "amount_fen", "note")
