"""What one delivery adds to the store, put together event by event."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from node.edge_settings import FaceSettings
from node.presence.events import Event, Refusal, Unfit
from node.presence.judging import Judged
from node.store import Commit, LogEntry
from node.store.device_rows import DeviceRow
from node.store.presence_batch import CropRow, PresenceBatch, PresenceRow, QueueStep
from scoring_kernel.faces.verdict import Verdict
from security.moments import SHANGHAI

__all__ = ["REFUSED", "Taking"]

REFUSED: Final = "refused"
"""Verdict of what no record is made of."""
_EDGE: Final = "edge"
"""Who the log of operators names where a device did something."""
_PICTURED: Final = (Verdict.MISMATCH, Verdict.SPOOF)


class Taking:
    """The events of one delivery that are new, in their order."""

    def __init__(
        self, *, device: DeviceRow, queue: bytes, before: int, now: datetime, faces: FaceSettings
    ) -> None:
        """Begin behind ``before``."""
        self.through = before
        self.refused: list[Refusal] = []
        self._device = device
        self._queue = queue
        self._before = before
        self._now = now
        self._faces = faces
        self._rows: list[PresenceRow] = []
        self._crops: list[CropRow] = []
        self._answered: list[str] = []
        self._records: dict[str, list[Mapping[str, Any]]] = {}

    def add(self, one: Event | Unfit, held: Judged | Refusal, person: bytes) -> None:
        """Add the next event of the queue.

        Args:
            one: The event.
            held: What is held of it.
            person: Keyed digest of whom it is about.
        """
        self.through = one.seq
        row = PresenceRow(
            seq=one.seq,
            record_id="",
            person=person,
            purpose="",
            at_ms=one.at_ms,
            verdict=REFUSED,
            cause="",
            reason="",
            note="",
            body=one.signed,
        )
        if isinstance(one, Event):
            reason = "" if one.reason is None else one.reason.value
            row = replace(row, purpose=one.purpose.value, reason=reason)
        if isinstance(held, Refusal):
            self.refused.append(held)
            self._rows.append(replace(row, cause=held.code))
            return
        self._rows.append(
            replace(
                row,
                record_id=held.record["record_id"],
                verdict=held.verdict.value,
                cause="" if held.cause is None else held.cause.value,
                note=held.note,
            )
        )
        self._records.setdefault(held.kind, []).append(held.record)
        if held.answers:
            self._answered.append(held.answers)
        if isinstance(one, Event) and held.verdict in _PICTURED:
            self._keep_crop(one)

    def commit(self, schemas: Mapping[str, pa.Schema]) -> Commit:
        """Put all of it into one transaction.

        Args:
            schemas: Schema by kind of record.
        """
        moment = self._now.isoformat(timespec="seconds")
        step = QueueStep(
            device=self._device.id,
            queue=self._queue,
            institution=self._device.institution,
            place=self._device.place.value,
            before=self._before,
            through=self.through,
            received_at=moment,
            events=self._rows,
            crops=self._crops,
            answered=self._answered,
        )
        counts = Counter(one.code for one in self.refused)
        entry = LogEntry(
            at=moment,
            operator=_EDGE,
            action="presence_refused",
            subject=self._device.id,
            detail=", ".join(f"{code} {count}" for code, count in sorted(counts.items())),
        )
        return Commit(
            records={
                kind: pa.Table.from_pylist([dict(row) for row in rows], schemas[kind])
                for kind, rows in self._records.items()
            },
            presence=PresenceBatch(step=step, log=(entry,) if counts else ()),
        )

    def _keep_crop(self, one: Event) -> None:
        """Keep a picture, where the operator wants any."""
        if one.crop and self._faces.crop_days:
            day = self._now.astimezone(SHANGHAI).date() + timedelta(days=self._faces.crop_days)
            self._crops.append(CropRow(seq=one.seq, body=one.crop, ends_on=day.isoformat()))
