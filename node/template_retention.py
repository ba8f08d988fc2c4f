"""Retention of faces: templates, proxies, pictures and presence events whose time is over.

Rules:
- A template is kept so many days after its enrolment, its row as long after its revocation, and a
  registration of a proxy as long after its end: `[faces] template_days`. Pictures of mismatches
  end on the day that was written beside them, `[faces] crop_days` after they came. Devices'
  accounts of what they saw are kept as long as the records that were made of them.
- The days are the operator's promise in the consent, so nothing waits for a command: the daemon
  deletes by the clock, and `yixin node retain` shows and deletes the same where no daemon runs.
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
from scoring_kernel.record_kinds import RecordKind

__all__ = ["KeptFaces"]

_CROP: Final = "face_crop"
_PRESENCE: Final = "presence"
_DAYS_OF_A_YEAR: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFaces:
    """Faces at a node, and how long they are kept."""

    edge: EdgeStore
    settings: FaceSettings
    events: RecordKind
    """The kind of record that presence events become: says how long they are kept."""
    now: datetime
    """UTC-aware."""

    def due(self) -> tuple[DueMonths, ...]:
        """What is kept beyond its time, by month."""
        by = self._by("")
        held = {
            **self.edge.templates.due(by.day, self.settings.template_days),
            **self.edge.presence.due(by.day, self._event_days),
        }
        return tuple(self._told(kind, months) for kind, months in held.items() if months)

    def delete(self, operator: str) -> Mapping[str, int]:
        """Delete what is due for good; logged, where something was.

        Args:
            operator: Who deletes.

        Returns:
            Number by kind.

        Raises:
            StoreError: The disk failed; what was logged is gone, the rest stays.
        """
        by = self._by(operator)
        deleted = {
            **self.edge.templates.delete_due(by, self.settings.template_days),
            **self.edge.presence.delete_due(by, self._event_days),
        }
        return {kind: count for kind, count in deleted.items() if count}

    def _told(self, kind: str, months: Mapping[int, int]) -> DueMonths:
        names, count = tuple(sorted(months)), sum(months.values())
        if kind == _PRESENCE:
            years, basis = self.events.retention_years, self.events.retention_basis
            return DueMonths(kind=kind, months=names, records=count, years=years, basis=basis)
        setting = "crop_days" if kind == _CROP else "template_days"
        days = getattr(self.settings, setting)
        basis = f"{setting} in [faces] of node.toml"
        return DueMonths(kind=kind, months=names, records=count, days=days, basis=basis)

    @property
    def _event_days(self) -> int:
        return self.events.retention_years * _DAYS_OF_A_YEAR

    def _by(self, operator: str) -> By:
        return By(operator=operator, at=self.now)
