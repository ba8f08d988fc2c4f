"""Retention of faces: templates, and registrations of proxies, whose time is over.

Rules:
- A template is kept so many days after its enrolment, its row as long after its revocation, and a
  registration of a proxy as long after its end: `[faces] template_days`. The days are the
  operator's promise in the consent, so nothing waits for a command: the daemon deletes every day,
  and `yixin node retain` shows and deletes the same where no daemon runs.
- What was deleted is in the log of operators: how many of what, on which day.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from node.edge_settings import FaceSettings
from node.retention import DueMonths
from node.store.by import By
from node.store.edge_store import EdgeStore

__all__ = ["KeptFaces"]

_BASIS: Final = "template_days in [faces] of node.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFaces:
    """Templates of a node, and how long they are kept."""

    edge: EdgeStore
    settings: FaceSettings
    now: datetime
    """UTC-aware."""

    def due(self) -> tuple[DueMonths, ...]:
        """What is kept beyond its time, by month in which that ended."""
        by = self._by("")
        held = self.edge.templates.due(by.day, self.settings.template_days)
        return tuple(
            DueMonths(
                kind=kind,
                months=tuple(sorted(months)),
                records=sum(months.values()),
                days=self.settings.template_days,
                basis=_BASIS,
            )
            for kind, months in held.items()
            if months
        )

    def delete(self, operator: str) -> Mapping[str, int]:
        """Delete what is due for good; logged, where something was.

        Args:
            operator: Who deletes.

        Returns:
            Number by kind.

        Raises:
            StoreError: The disk failed; nothing was deleted.
        """
        by = self._by(operator)
        deleted = self.edge.templates.delete_due(by, self.settings.template_days)
        return {kind: count for kind, count in deleted.items() if count}

    def _by(self, operator: str) -> By:
        return By(operator=operator, at=self.now)
