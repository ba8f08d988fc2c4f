"""Pharmacists on duty (药师在岗): who is to be seen at a pharmacy's terminal, and when.

Rules:
- `[faces] duty_every_h` cuts the day into turns; in each turn every pharmacist of the institution
  who is enrolled for it is to be seen once. Asks are made when the pharmacy's device asks for them:
  one that is off has none, and what nobody asked is no absence.
- Pharmacists are those that the register of staff (医执人员) has on that day.
"""

import hashlib
import threading
from contextlib import closing
from datetime import datetime, timedelta
from typing import Final

from node.domain.face_templates import Purpose
from node.edge_settings import FaceSettings
from node.store import NodeStore
from node.store.device_rows import DeviceRow
from node.store.presence import Ask
from security.devices import Place
from security.moments import SHANGHAI, to_ms

__all__ = ["DutyAsks"]

_PHARMACIST: Final = "3"
"""执业人员分类: 药师."""
_LABEL: Final = "药师在岗核验"
_OPEN: Final = timedelta(minutes=30)
"""How long an ask stands."""


class DutyAsks:
    """Makes the asks of a turn; safe to share between threads."""

    def __init__(self, store: NodeStore, faces: FaceSettings) -> None:
        """Take the parts."""
        self._store = store
        self._every_h = faces.duty_every_h
        self._made: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def ensure(self, device: DeviceRow, now: datetime) -> int:
        """Make the asks of the present turn, where they are not made yet.

        Args:
            device: The device that asks.
            now: Present moment, UTC-aware.

        Returns:
            How many were made.

        Raises:
            StoreError: The store cannot be read or written.
        """
        if device.place is not Place.PHARMACY or not self._every_h:
            return 0
        local = now.astimezone(SHANGHAI)
        hour = local.hour - local.hour % self._every_h
        turn = local.replace(hour=hour, minute=0, second=0, microsecond=0)
        with self._lock:
            if self._made.get(device.id) == turn:
                return 0
            asks = [self._ask(device, staff, turn, now) for staff in self._pharmacists(device, now)]
            count = self._store.edge.presence.add_asks(asks) if asks else 0
            self._made[device.id] = turn
        return count

    def _ask(self, device: DeviceRow, staff: str, turn: datetime, now: datetime) -> Ask:
        name = f"{device.id}|{staff}|{turn.isoformat()}".encode()
        return Ask(
            id=f"duty-{hashlib.sha256(name).hexdigest()[:32]}",
            device=device.id,
            purpose=Purpose.DUTY.value,
            person=staff,
            visit="",
            label=_LABEL,
            until_ms=to_ms(now + _OPEN),
        )

    def _pharmacists(self, device: DeviceRow, now: datetime) -> list[str]:
        """Pharmacists of the institution who are enrolled, by their code."""
        local = now.astimezone(SHANGHAI)
        with closing(self._store.relations(["staff_member"])) as engine:
            rows = engine.execute(
                "select distinct staff from staff_member where institution = ? and type = ?"
                " and begins_at <= ?3 and (ends_at is null or ends_at > ?3) order by staff",
                [device.institution, _PHARMACIST, local.replace(tzinfo=None)],
            ).fetchall()
        templates = self._store.edge.templates
        return [staff for (staff,) in rows if templates.has_any(staff, local.date())]
