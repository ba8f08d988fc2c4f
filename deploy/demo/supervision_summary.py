"""What a demonstration shows of supervision: numbers for scripts, a table for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

_PER_YUAN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionSummary:
    """What rules, warnings and joins found; names are those of the JSON file."""

    knowledge_points: int
    """Knowledge points (知识点) and rows of knowledge tables that were imported."""
    rules: int
    """Rules that ran at the county's node."""
    rules_stopped: int
    """Of these, those that did not come to their end."""
    hits: int
    """Hits."""
    amount_fen: int
    """Sum of their amounts, fen."""
    cases: int
    """Cases that were injected at the county's institutions."""
    cases_found: int
    """Of these, those that a hit of their rule names."""
    near_misses: int
    """What looks like a case and is none."""
    near_misses_hit: int
    """Of these, those that were hit."""
    clues: int
    """Clues (线索) that the nodes sent."""
    stays_sent: int
    """Parts of join records on stays that the nodes sent; none after their retention."""
    persons_asked: int
    """Persons whose tokens two desks made together."""
    overlaps: int
    """Overlapping stays that the city's hub found by joining."""
    overlap_across: str
    """Institutions of the injected stays that overlap across two nodes; empty if not found."""
    overlap_hours: int
    """By how much they overlap, hours."""
    warning: str
    """Id of the warning (实时预警) that the till was given on its pre-check (3101)."""
    warning_words: str
    """What it says."""
    warning_answer: str
    """``warn`` or ``block``."""
    feedback: str
    """``accepted`` where the node took the till's feedback (3103)."""

    @property
    def claims(self) -> Mapping[str, bool]:
        """What must hold, and whether it does."""
        return {
            f"{self.rules_stopped} of {self.rules} rules stopped; expected none of some":
                self.rules > 0 == self.rules_stopped,
            f"{self.cases_found} of {self.cases} injected cases found; expected all":
                self.cases_found == self.cases > 0,
            f"{self.near_misses_hit} of {self.near_misses} near misses hit; expected none":
                self.near_misses_hit == 0,
            "the stays that overlap across two nodes were not found":
                bool(self.overlap_across) or not self.stays_sent,
            "the till was given no warning": bool(self.warning),
            f"feedback on the warning: {self.feedback}; expected accepted":
                self.feedback == "accepted",
        }  # fmt: skip

    def shown(self, explained: Mapping[str, Any]) -> Table:
        """Show it.

        Args:
            explained: Answer of ``yixin node rules explain`` for one hit; may be empty.

        Returns:
            A table of two columns.
        """
        table = Table(title="Supervision 监管", show_header=False)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        table.add_row(
            "rules at the county's node 规则",
            f"{self.rules} rules, {self.knowledge_points:,} knowledge points: {self.hits:,} hits,"
            f" {self.amount_fen / _PER_YUAN:,.2f} yuan",
        )
        table.add_row(
            "injected cases found 召回",
            f"{self.cases_found} of {self.cases}; near misses hit: {self.near_misses_hit} of"
            f" {self.near_misses}",
        )
        if explained:
            table.add_row("a hit explained 命中解释", _explained(explained))
        table.add_row(
            "clues, tokens 线索、关联令牌",
            f"{self.clues:,} clues; {self.persons_asked:,} persons' tokens made by two desks",
        )
        table.add_row("seen by joining alone 跨节点", self._joined())
        table.add_row(
            "pre-check at the till 事前提醒",
            f"3101: {self.warning} {self.warning_words} ({self.warning_answer}); 3103:"
            f" {self.feedback}",
        )
        return table

    def _joined(self) -> str:
        if not self.stays_sent:
            return "nothing was joined: the simulated stays are older than join records are kept"
        return (
            f"overlapping stays: {self.overlaps}; {self.overlap_across or 'not the injected one'}:"
            f" {self.overlap_hours} hours"
        )


def _explained(hit: Mapping[str, Any]) -> str:
    says, basis = hit["says"], hit["basis"]
    limits = ", ".join(
        f"{one['name_zh']} {one['value']}{one['unit_zh']}" for one in hit["parameters"]
    )
    return (
        f"{hit['rule']} {says['name_zh']} {hit['institution']} {hit['at'].replace('T', ' ')}:"
        f" {hit['amount_fen'] / _PER_YUAN:,.2f} yuan, {hit['records']} records; {limits};"
        f" {basis['title']}{basis['article'] or ''}"
    )
