"""What a formula is asked for: subjects, and the months of a window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scoring_kernel.supervision.values import quotient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.supervision.frames import Frame
    from scoring_kernel.supervision.outcomes import Outcome, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Subjects, and the months that a formula is asked for."""

    frame: Frame
    months: tuple[int, ...]
    """Months of the window, yyyymm."""
    previous: tuple[int, ...]
    """Months of the window before; none in January of a year's window."""

    def sums(self, columns: Sequence[str]) -> list[int]:
        """Sum of some measures over the window, per subject."""
        folded = [self.frame.fold(column, self.months) for column in columns]
        return [sum(one) for one in zip(*folded, strict=True)]

    def before(self) -> Span:
        """The window before, as a span."""
        return Span(frame=self.frame, months=self.previous, previous=())


def share_of(top: int, bottom: int, empty: Reason) -> Outcome:
    """Millionths of a share, or why there is none."""
    return quotient(top, bottom) if bottom > 0 else empty
