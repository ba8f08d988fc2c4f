"""Retention of what clues are made of: hits of rules and findings of topics whose time is over.

Rules:
- A month of them goes as a whole, when its last day lies back as many years as the catalogue says
  (``joining.yaml``); that is as long as the records are kept that they rest on.
- What the hub was told of them ends there by the hub's own, shorter term; a node states a clue no
  longer than that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from node.config import NODE_KEY
from node.retention import DueMonths
from node.store.findings import Findings
from node.store.measures_file import FILE_NAME as MEASURES_FILE
from node.store.supervision_store import SupervisionStore
from scoring_kernel.joining import ClueRetention
from security.at_rest import Vault

__all__ = ["KeptClues"]

_HITS: Final = "rule_hit"
_FINDINGS: Final = "topic_finding"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptClues:
    """Hits and findings of a node, and how long they are kept."""

    directory: Path
    """State directory."""
    hits: SupervisionStore
    retention: ClueRetention
    today: date
    """Day in Shanghai."""

    def due(self) -> tuple[DueMonths, ...]:
        """Months of hits and of findings whose time is over."""
        last = self.retention.last_over(self.today)
        held = {_HITS: self.hits.hit_months(last)}
        if (self.directory / MEASURES_FILE).exists():
            with self._findings() as findings:
                held[_FINDINGS] = findings.months(last)
        return tuple(
            DueMonths(
                kind=kind,
                months=tuple(sorted(months)),
                records=sum(months.values()),
                years=self.retention.years,
                basis=self.retention.basis,
            )
            for kind, months in held.items()
            if months
        )

    def delete(self) -> Mapping[str, int]:
        """Delete what is due for good; returns the number by kind.

        Raises:
            StoreError: The disk failed; what was told is gone, the rest stays.
        """
        last = self.retention.last_over(self.today)
        deleted = {_HITS: self.hits.delete_hits(last)}
        if (self.directory / MEASURES_FILE).exists():
            with self._findings() as findings:
                deleted[_FINDINGS] = findings.delete(last)
        return {kind: count for kind, count in deleted.items() if count}

    def _findings(self) -> Findings:
        return Findings(self.directory, Vault.load(self.directory / NODE_KEY))
