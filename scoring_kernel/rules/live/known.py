"""What the node knows when an encounter is judged: the person's past, registers, trace codes.

Rules:
- A register's state ends on the day it says, or where the next one begins, as in the relations
  ``agreement``, ``profile`` and ``qualification``.
- An empty tuple means that there is nothing; that nothing can be known is said by having no
  ``Known`` at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from scoring_kernel.rules.live.encounter import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scoring_kernel.rules.live.past import PastVisit

__all__ = [
    "ApprovedFact",
    "CapFact",
    "IdentityFact",
    "InsuranceFact",
    "Known",
    "ProfileFact",
    "QualificationFact",
    "SpanFact",
    "StaffFact",
    "StatusFact",
    "TraceFact",
    "cut",
    "find_at",
]


class SpanFact(NamedTuple):
    """A stretch of time; without an end it goes on."""

    begins_at: int
    ends_at: int | None


class StatusFact(NamedTuple):
    """A state of an agreement (协议状态)."""

    status: str
    begins_at: int
    ends_at: int | None


class ProfileFact(NamedTuple):
    """Level and group (医共体) of an institution."""

    level: str | None
    group_code: str | None
    begins_at: int
    ends_at: int | None


class StaffFact(NamedTuple):
    """A registration of a staff member at an institution."""

    institution: str
    type: str
    insured_doctor: bool | None
    begins_at: int
    ends_at: int | None


class QualificationFact(NamedTuple):
    """A state of a staff member's payment qualification (支付资格)."""

    institution: str
    status: str
    begins_at: int
    ends_at: int | None


class InsuranceFact(NamedTuple):
    """What the platform answered of a person's insurance."""

    insutype: str
    status: str
    begins_at: int | None
    paused_at: int | None
    stated_at: int


class IdentityFact(NamedTuple):
    """A comparison of a person with a certificate (人证核验)."""

    institution: str
    visit: int | None
    at: int
    place: str
    result: str
    score_e4: int | None
    override: int | None
    """Set where somebody overrode the result and said why."""
    threshold_e4: int | None = None
    """Calibrated threshold that the likeness was held against, where it is known."""


class ApprovedFact(NamedTuple):
    """An approved purchase outside of the hospital (双通道)."""

    item_code: str
    begins_at: int
    ends_at: int | None


class TraceFact(NamedTuple):
    """An event of a trace code (追溯码)."""

    what: str
    institution: str
    item_code: str | None
    is_split: bool | None
    at: int
    setl: int | None
    """Number of its settlement, the same for one institution's setl_id."""
    source: int
    """Number of the movement or settlement that it belongs to."""

    @property
    def day(self) -> int:
        """Day of the event."""
        return self.at // DAY_S


class CapFact(NamedTuple):
    """A highest price of an item."""

    institution: str
    type: str
    cap_e6: int
    valid: bool
    begins_at: int
    ends_at: int | None


class Known(Protocol):
    """What is known around one encounter, found when it is asked for.

    What cannot be found raises ``NotJudgedError``.
    """

    @property
    def visit(self) -> int:
        """Number of the encounter's own visit."""

    @property
    def visits(self) -> tuple[PastVisit, ...]:
        """The person's other visits that stand, of all institutions of this node."""

    @property
    def identity(self) -> tuple[IdentityFact, ...]:
        """Comparisons of the person with a certificate."""

    @property
    def insurance(self) -> tuple[InsuranceFact, ...]:
        """What the platform answered of the person's insurance."""

    @property
    def freezes(self) -> tuple[SpanFact, ...]:
        """When the person's benefits are frozen."""

    @property
    def approved(self) -> tuple[ApprovedFact, ...]:
        """Purchases outside of the hospital that were approved."""

    @property
    def agreement(self) -> tuple[StatusFact, ...]:
        """States of the institution's agreement."""

    @property
    def is_rostered(self) -> bool:
        """Whether the institution's staff was ever stated."""

    @property
    def buys_traced(self) -> bool:
        """Whether the institution states trace codes of what it buys."""

    def profiles(self, institution: str) -> tuple[ProfileFact, ...]:
        """States of an institution."""

    def staff(self, code: str) -> tuple[StaffFact, ...]:
        """Registrations of a staff member."""

    def qualifications(self, code: str) -> tuple[QualificationFact, ...]:
        """States of a staff member's payment qualification."""

    def traces(self, code: str) -> tuple[TraceFact, ...]:
        """Events of a trace code."""

    def is_reversed(self, setl: int) -> bool:
        """Whether a settlement was reversed, or the registration of its visit cancelled."""

    def caps(self, item_code: str) -> tuple[CapFact, ...]:
        """Highest prices of an item."""


class _Dated(Protocol):
    @property
    def begins_at(self) -> int: ...
    @property
    def ends_at(self) -> int | None: ...


_State = TypeVar("_State", bound=_Dated)


def cut(states: Iterable[_State]) -> list[tuple[_State, int | None]]:
    """End every state where the next one begins; those that never held are left out.

    >>> cut([StatusFact("a", 5, None), StatusFact("b", 9, 12)])[0][1]
    9
    """
    ordered = sorted(states, key=lambda one: one.begins_at)
    found: list[tuple[_State, int | None]] = []
    for place, state in enumerate(ordered):
        after = ordered[place + 1].begins_at if place + 1 < len(ordered) else None
        if after is not None and after <= state.begins_at:
            continue
        ends = [end for end in (state.ends_at, after) if end is not None]
        found.append((state, min(ends, default=None)))
    return found


def find_at(states: Sequence[_State], at: int) -> _State | None:
    """Find the state at a moment, each ended by the next."""
    for state, ends_at in cut(states):
        if state.begins_at <= at and (ends_at is None or at < ends_at):
            return state
    return None
