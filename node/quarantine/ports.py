"""What the desk needs of the intake: the very way by which lines came in the first time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from node.store import QuarantineRow

__all__ = ["LineIntake", "RefusedLine", "Replayed", "RowCells"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLine:
    """A refused line on its way into the intake again."""

    row: QuarantineRow
    body: bytes = field(repr=False)
    """The line as it came, or corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of a line."""

    standing: str
    """``stored``, ``seen``, ``pending``, ``not_accepted``, ``kept`` or ``refused``."""
    rule: str = ""
    """Rule that refused it; empty when it went in."""
    reason: str = ""
    mend: str = ""

    @property
    def went_in(self) -> bool:
        """Tell whether the line is in now."""
        return self.standing != "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCells:
    """A refused row of a mapped file, cut into cells."""

    header: tuple[str, ...]
    cells: tuple[str | None, ...] = field(repr=False)
    """More or fewer than columns when that is the fault."""
    personal: Mapping[str, bool]
    """Columns that the mapping uses → whether a personal column is made of them."""


class LineIntake(Protocol):
    """Takes refused lines in again.

    What MUST hold: a line that goes in is no longer in quarantine when this returns; one
    that is refused again is, under its old digest.
    """

    def take_messages(self, source: str, lines: Sequence[RefusedLine]) -> Sequence[Replayed]:
        """Take messages of one file; outcomes in their order."""

    def take_rows(
        self, source: str, context: bytes, lines: Sequence[RefusedLine]
    ) -> Sequence[Replayed]:
        """Take rows of one file that were read alike; outcomes in their order."""

    def cut_row(self, context: bytes, body: bytes) -> RowCells:
        """Cut a row into its cells."""

    def change_row(self, context: bytes, body: bytes, changes: Mapping[str, str]) -> bytes:
        """Write a row anew with some cells changed, by column.

        Raises:
            ConfigurationError: A column is unknown, or the row cannot be cut.
        """
