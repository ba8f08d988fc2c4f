"""Whether a class can be graded yet (评级就绪): every institution of it has stated something.

Rules: only classes of institutions that members measure are asked (``classes``). An institution
of the register is silent when no member has custody of it in the period, or when no statement of
any measure set counts for any month of the period. A reference frozen while some are silent
would describe the wrong peers for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.store import custody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from hub.domain.custody import CustodyRegister
    from hub.domain.members import MemberId
    from hub.grading.ports import MonthlySource
    from hub.grading.subjects import Subject
    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period

NAMED: Final = 5
"""Institutions that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """An institution without statements.

    Attributes:
        institution: Institution code.
        member: Its custodian; None when it has none.
    """

    institution: str
    member: MemberId | None


def find_silent(
    connection: Connection,
    statements: MonthlySource,
    catalog: Catalog,
    *,
    subjects: Sequence[Subject],
    period: Period,
) -> tuple[Silent, ...]:
    """Institutions that have no active custodian or stated nothing, in order of the subjects.

    Args:
        connection: A reading transaction.
        statements: Measures of members.
        catalog: Its measure sets are looked for.
        subjects: Institutions that will be graded.
        period: The rating period.

    Raises:
        HubStoreError: The database failed.
    """
    stated = statements.stated(connection, period.months)
    register = custody.register(connection)
    slots = [(name, month) for name in sorted(catalog.measure_sets) for month in period.months]
    found: list[Silent] = []
    for subject in subjects:
        member = _custodian(register, subject.code, slots)
        if member is None or subject.code not in stated:
            found.append(Silent(institution=subject.code, member=member))
    return tuple(found)


def describe(silent: Sequence[Silent], of: int, period: Period, subject_class: str) -> str:
    """Tell the operator who is silent and what to do.

    >>> from scoring_kernel.periods import Period
    >>> one = Silent(institution="H33030200001", member=None)
    >>> describe([one], 3, Period.parse("2026H1"), "hospital").split(": ")[0]
    '1 of 3 institutions (hospital) lack statements or a custodian for 2026H1'
    """
    named = ", ".join(
        f"{one.institution} ({one.member or 'in no custody'})" for one in silent[:NAMED]
    )
    more = f" and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
    return (
        f"{len(silent)} of {of} institutions ({subject_class}) lack statements or a custodian for "
        f"{period.name}: {named}{more}. Ask the members to sync (`yixin node sync`) and give every "
        "institution a custodian (`yixin hub token`), grade other classes with --class, or grade "
        "with --incomplete, which freezes no reference."
    )


def _custodian(
    register: CustodyRegister, institution: str, slots: Sequence[tuple[str, int]]
) -> MemberId | None:
    for name, month in slots:
        member = register.custodian(institution, name, month)
        if member is not None:
            return member
    return None
