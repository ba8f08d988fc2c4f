"""Custody register (管辖登记): exactly one member per institution, measure set and month.

Rules of this module:

1. A row names one member for an institution, a measure set (or every set) and a span of months.
2. Two rows of different members never cover the same slot; the later one is refused as a whole.
3. Statements of a slot from anyone but its custodian are quarantined.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from hub.domain.members import InstitutionCode, MemberId
from hub.errors import CustodyError

EVERY_SET: Final = "*"
OPEN_END: Final = 0
FIRST_MONTH: Final = 200001
LAST_MONTH: Final = 209912
LEVELS: Final = frozenset({"3", "2", "1", "0"})
TYPES: Final = frozenset({"general", "tcm", "specialist", "primary", "pharmacy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """One row of the register.

    Attributes:
        institution: Institution code.
        measure_set: Measure set, or ``*`` for every set.
        member: The custodian.
        from_month: First month, yyyymm, inclusive.
        to_month: Last month, yyyymm, inclusive; 0 for open.
        name: Name of the institution.
        level: ``3``, ``2``, ``1`` or ``0`` (none).
        type: general, tcm, specialist, primary or pharmacy.
        division: Division code (GB/T 2260), six digits.
    """

    institution: InstitutionCode
    measure_set: str
    member: MemberId
    from_month: int
    to_month: int
    name: str
    level: str
    type: str
    division: str

    def __post_init__(self) -> None:
        """Refuse a row that no slot could ever match.

        Raises:
            CustodyError: Months, level, type or division are outside their lists.
        """
        ends = self.to_month or LAST_MONTH
        if not (is_month(self.from_month) and is_month(ends) and self.from_month <= ends):
            self._refuse("months", f"{self.from_month}-{self.to_month}", "yyyymm, in order")
        if self.level not in LEVELS:
            self._refuse("level", self.level, "one of 3, 2, 1, 0")
        if self.type not in TYPES:
            self._refuse("type", self.type, f"one of {', '.join(sorted(TYPES))}")
        if not (len(self.division) == 6 and self.division.isascii() and self.division.isdigit()):
            self._refuse("division", self.division, "six digits")
        if not 1 <= len(self.name) <= 200:
            self._refuse("name", f"{len(self.name)} characters", "1 to 200 characters")

    @property
    def is_bare(self) -> bool:
        """Whether it was made from a code alone and says nothing of the institution itself."""
        return self.name == self.institution

    def described_by(self, known: "Custody") -> "Custody":
        """The row with name, level, type and division of a known row of its institution."""
        return replace(
            self, name=known.name, level=known.level, type=known.type, division=known.division
        )

    def covers(self, measure_set: str, month: int) -> bool:
        """Whether the row covers a slot of its institution."""
        return self.measure_set in {EVERY_SET, measure_set} and self.from_month <= month <= (
            self.to_month or LAST_MONTH
        )

    def overlaps(self, other: "Custody") -> bool:
        """Whether both rows cover one slot."""
        return (
            self.institution == other.institution
            and (
                EVERY_SET in {self.measure_set, other.measure_set}
                or self.measure_set == other.measure_set
            )
            and self.from_month <= (other.to_month or LAST_MONTH)
            and other.from_month <= (self.to_month or LAST_MONTH)
        )

    def _refuse(self, field: str, found: str, expected: str) -> None:
        raise CustodyError(
            f"Institution {self.institution}: {field} is {found[:40]!r}, expected {expected}; "
            "correct the list of institutions."
        )


def is_month(month: int) -> bool:
    """Whether a number is a month yyyymm between 2000 and 2099.

    >>> is_month(202606), is_month(202613)
    (True, False)
    """
    return FIRST_MONTH <= month <= LAST_MONTH and 1 <= month % 100 <= 12


class CustodyRegister:
    """The rows in force, indexed by institution."""

    __slots__ = ("_by_institution",)

    def __init__(self, rows: Iterable[Custody]) -> None:
        """Index the rows.

        Raises:
            CustodyError: Two rows of different members cover one slot.
        """
        self._by_institution: dict[str, tuple[Custody, ...]] = {}
        for row in rows:
            self._add(row)

    def custodian(self, institution: str, measure_set: str, month: int) -> MemberId | None:
        """Member that may state a slot, or None when nobody may."""
        for row in self._by_institution.get(institution, ()):
            if row.covers(measure_set, month):
                return row.member
        return None

    def rows(self, institution: str) -> tuple[Custody, ...]:
        """Rows of an institution, in order of entry."""
        return self._by_institution.get(institution, ())

    def with_rows(self, rows: Iterable[Custody]) -> "CustodyRegister":
        """A register with further rows; this one stays as it is.

        Raises:
            CustodyError: A new row covers a slot of another member.
        """
        register = CustodyRegister(())
        register._by_institution.update(self._by_institution)
        for row in rows:
            register._add(row)
        return register

    def _add(self, row: Custody) -> None:
        held = self._by_institution.get(row.institution, ())
        for other in held:
            if other.member != row.member and other.overlaps(row):
                raise CustodyError(
                    f"Institution {row.institution}: months from {row.from_month} are already in "
                    f"the custody of {other.member}, found a second row for {row.member}; "
                    "end the first row or leave the institution out."
                )
        if row not in held:
            self._by_institution[row.institution] = (*held, row)
