"""What an inspection found; ids, numbers and amounts, never a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from security.spot.probability import Certainty

__all__ = [
    "Check",
    "ClearingFindings",
    "Finding",
    "LeafFindings",
    "SpotReport",
    "StatementFindings",
    "TotalRow",
    "Verdict",
]

MOST_LISTED: Final = 1_000
"""Findings that are kept one by one; the rest is counted."""


class Check(StrEnum):
    """What a finding says."""

    TREE = "tree"
    """The node's tree is not the one that was committed."""
    CHANGED = "changed"
    """A record is not the one whose leaf was committed."""
    REMOVED = "removed"
    """A leaf has no record, and retention does not explain it."""
    DOUBLED = "doubled"
    """Two records claim one leaf: one of them was slipped in."""
    STATEMENT = "statement"
    """A statement is not what its records give."""
    HIDDEN = "hidden"
    """A settlement that was cleared is not among the records."""
    DIFFERS = "differs"
    """A settlement was cleared with other amounts."""
    MISFILED = "misfiled"
    """A settlement was cleared as another kind of care (清算类别) than its record says."""
    INVENTED = "invented"
    """A settlement among the records was not cleared."""
    TOTAL = "total"
    """A total of the platform is not that of the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that does not fit."""

    check: Check
    subject: str
    """What it is about: a record by kind and id, a slot, a total."""
    detail: str
    """What was found, and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafFindings:
    """What came of the sampled leaves, and of the accounts over all."""

    population: int
    """Leaves of the committed tree."""
    sampled: int
    """Leaves that were drawn."""
    proved: int
    """Of them: records that are what was committed."""
    replaced_before: int
    """Of the proved: replaced by a later version before the commitment."""
    replaced_since: int
    """Of the proved: replaced by a later version since; every one is visible in the tree."""
    forgotten: int
    """Of the drawn: without a record, in a tree of which retention deleted months."""
    came_since: int
    """Records that came after the commitment, over all."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFindings:
    """What came of counting the month again."""

    counted: int
    """Statements that were counted again."""
    agreed: int
    """Of them: equal to the last row."""
    not_counted: Mapping[str, int]
    """Statements that another day or pack could count again, by reason."""
    outside: Mapping[str, int]
    """Statements of what is in no tree, by reason."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearingFindings:
    """What came of the bureau's clearing file."""

    cleared: int
    """Settlements of the month in the file."""
    cleared_sampled: int
    """Of them: looked for among the records."""
    recorded: int
    """Settlements of the month among the records."""
    recorded_sampled: int
    """Of them: looked for in the file."""
    foreign: int
    """Rows of other institutions or months, which say nothing here."""
    untyped: int
    """Of those looked for and found: with no clearing type that says a kind of care."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    """A total of the core platform beside that of the records, fen."""

    subject: str
    """Institution, insurance type and days."""
    measure: str
    """Field of the interface."""
    platform: int
    recorded: int


class Verdict(StrEnum):
    """What an inspection comes to."""

    AGREES = "agrees"
    """Nothing that was looked at contradicts what was committed and stated."""
    DIFFERS = "differs"
    """Something does."""
    INCOMPLETE = "incomplete"
    """Nothing contradicts, but something could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotReport:
    """An inspection of one month of one node."""

    hub: str
    member: str
    month: int
    """yyyymm."""
    size: int
    """Leaves of the committed tree."""
    root: str
    """Its root, hex."""
    log_size: int
    """Leaves of the hub's log that the seed was made with."""
    cosigned_by: tuple[str, ...]
    """Trusted witnesses that confirmed it."""
    seed: str
    """Seed of the sample, hex."""
    leaves: LeafFindings | None
    """None when the node keeps another tree."""
    statements: StatementFindings | None
    clearing: ClearingFindings | None
    totals: tuple[TotalRow, ...]
    foreign_totals: int
    """Groups of totals of other institutions, which say nothing here."""
    certainties: tuple[Certainty, ...]
    """Of the sample of leaves: that a changed or removed record is noticed."""
    cleared_certainties: tuple[Certainty, ...]
    """Of the sample of the clearing file: that a hidden settlement is noticed."""
    findings: tuple[Finding, ...]
    """All of them, at most ``MOST_LISTED`` of each part."""
    cannot_show: tuple[str, ...]
    """What this inspection says nothing about."""

    @property
    def verdict(self) -> Verdict:
        """Differs where anything was found; incomplete where something was not looked at."""
        if self.findings:
            return Verdict.DIFFERS
        counted = self.statements is not None and not self.statements.not_counted
        return Verdict.AGREES if counted else Verdict.INCOMPLETE
