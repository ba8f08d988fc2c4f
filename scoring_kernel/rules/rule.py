"""One supervision rule (监管规则) as data, and the hits its SQL finds.

Rules:
- A rule's SQL returns ``RESULT_COLUMNS``, one row per evidence record. Rows that agree in the
  rule's ``hit`` columns make one hit; its moment is the least ``at`` of its violating rows.
- A parameter is dated. A version holds for the hits whose moment lies in its span; outside of
  every span the rule is not in force and finds nothing.
- A warning (事前事中提醒) names the rules whose live form it uses, and what it answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.errors import ParameterNotInForceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from fractions import Fraction

RESULT_COLUMNS: Final = (
    *("institution", "person", "mdtrt_id", "staff", "key"),
    *("at", "kind", "record_id", "role", "amount_fen"),
)
"""Columns of every rule's result, in order."""
HIT_COLUMNS: Final = RESULT_COLUMNS[:5]
"""Columns that can make a hit."""
VIOLATING: Final = 1
"""Role of a violating record (违规项)."""
INVOLVED: Final = 2
"""Role of an involved record (涉及项); its amount is 0."""
UNDATED: Final = "-"
"""Version of a rule without parameters."""

Value: TypeAlias = "int | Fraction | tuple[str, ...]"
"""A whole number, an exact decimal or a list of codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterVersion:
    """What a parameter is from one day on."""

    begins: date
    """First day in force."""
    value: Value | None
    """None where the parameter, and with it the rule, is repealed."""
    basis: str
    """Key of ``legal_basis.yaml``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleParameter:
    """One parameter of a rule."""

    name: str
    name_zh: str
    unit: str
    """Unit of ``units.yaml``."""
    versions: tuple[ParameterVersion, ...]
    """In ascending order of days."""

    def find(self, day: date) -> ParameterVersion | None:
        """Version in force on a day; None before the first and where it is repealed."""
        found = None
        for version in self.versions:
            if version.begins > day:
                break
            found = version
        return None if found is None or found.value is None else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One file of ``rules/``."""

    id: str
    """``M01`` or, for a warning, ``W01``."""
    name_zh: str
    name_en: str
    set: str
    """``core``, ``reserve`` or ``warning``."""
    rule_class: str
    """``policy``, ``management``, ``medical`` or ``warning``."""
    phases: tuple[str, ...]
    """Of ``pre``, ``in`` and ``post``."""
    verdict: str
    """``violation`` (违规), ``suspicion`` (可疑) or ``warning`` (提醒)."""
    severity: str
    """``high``, ``mid`` or ``low``."""
    unit: str
    """What one hit is about, for example ``detail``."""
    parameters: Mapping[str, RuleParameter]
    knowledge: tuple[str, ...]
    """Knowledge tables the SQL reads."""
    relations: tuple[str, ...]
    """Record kinds and derived relations the SQL reads."""
    exemptions: tuple[str, ...]
    amount: str
    """How the amount of a hit comes about, in words."""
    basis: str
    """Key of ``legal_basis.yaml``."""
    hit: tuple[str, ...]
    """Result columns that make one hit."""
    sql: str | None = field(repr=False)
    """One SELECT with placeholders; None for a warning without a form of its own."""
    sql_line: int
    """Line of the SQL's first line in the file."""
    note: str | None = field(default=None, repr=False)
    forms_of: tuple[str, ...] = ()
    """Rules whose live form a warning uses."""
    triggers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Transaction → codes of trig_scen at which a warning is asked; none: at each."""
    answer: str | None = None
    """``warn`` or ``block``, what a warning does by default."""

    @property
    def sources(self) -> frozenset[str]:
        """Keys of the sources that the rule and its parameters rest on."""
        dated = (one for parameter in self.parameters.values() for one in parameter.versions)
        return frozenset((self.basis, *(one.basis for one in dated)))

    def find_parameters(self, day: date) -> dict[str, ParameterVersion] | None:
        """Parameters in force on a day; None where the rule is not in force."""
        found = {name: one.find(day) for name, one in self.parameters.items()}
        held = {name: version for name, version in found.items() if version is not None}
        return held if len(held) == len(found) else None

    def parameters_at(self, day: date) -> dict[str, ParameterVersion]:
        """Parameters in force on a day.

        Raises:
            ParameterNotInForceError: One of them is not.
        """
        found = self.find_parameters(day)
        if found is None:
            raise ParameterNotInForceError(
                f"rule {self.id}: a parameter has no value in force on {day.isoformat()}: date a "
                "value for that day, or ask for a day on which the rule holds"
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A rule's SQL for one span of its parameters, ready to run."""

    rule: str
    version: str
    """First day of the span, ``-`` for a rule without parameters."""
    begins: date | None
    """First day of hits; None from the beginning."""
    ends: date | None
    """First day that is not in the span any more; None for no end."""
    parameters: Mapping[str, ParameterVersion]
    bare: str = field(repr=False)
    """The file's own SQL, placeholders rendered."""
    sql: str = field(repr=False)
    """One SELECT in DuckDB's dialect that returns ``RESULT_COLUMNS``."""
