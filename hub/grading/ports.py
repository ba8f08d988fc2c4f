"""What grading needs from other rooms of the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from scoring_kernel import Catalog
    from scoring_kernel.measures import MonthlyMeasures

SubjectRange: TypeAlias = tuple[str, str]
"""First and last of some sorted subject ids, both included."""
EarlierCatalogs: TypeAlias = "Callable[[bytes], Catalog | None]"
"""Finds a catalogue that this hub graded with, by its digest; None where it is not held."""


class MonthlySource(Protocol):
    """Measures that members stated.

    Constraints: the rows of the newest complete statement of every slot MUST be there
    and no others; a month without a statement MUST have no row; the order is free.
    """

    def monthly(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: SubjectRange | None = None,
    ) -> MonthlyMeasures:
        """Rows of one measure set for some months.

        Args:
            connection: A transaction; what it sees is the snapshot that is graded.
            measure_set: Id of the measure set.
            months: Months wanted, yyyymm.
            among: Only rows of subjects in this range; None for every subject.
        """

    def patchy(
        self,
        connection: Connection,
        measure_set: str,
        months: Sequence[int],
        among: SubjectRange | None = None,
    ) -> frozenset[str]:
        """Subjects with a row of an institution that stated some of the months, but not all.

        Args:
            connection: A transaction.
            measure_set: Id of the measure set.
            months: Months of one window, yyyymm.
            among: Only subjects in this range; None for every subject.
        """

    def stated(self, connection: Connection, months: Sequence[int]) -> frozenset[str]:
        """Institutions with a complete statement of any measure set for any of the months.

        Args:
            connection: A transaction.
            months: Months wanted, yyyymm.
        """
