"""Deliveries of edge devices: every event exactly once, in order, with its record (投递).

0. Every event of the call is decoded and its signature verified; one that is not the device's, and
   nothing of the call is taken.
1. Under the store's lock: how far the queue is. An event up to there is skipped, the next one is
   judged, and behind a gap nothing is taken.
2. Records, events, pictures, answered asks and the queue's ``through`` in one transaction; then the
   answer. A lost answer costs a repetition, and a repetition changes nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from typing import Final

from node.domain.presence import Reason
from node.edge_settings import EdgeSettings, FaceSettings
from node.errors import PresenceError, StoreError
from node.presence.ages import find_births
from node.presence.duty import DutyAsks
from node.presence.events import Event, Refusal, Unfit, read_events
from node.presence.judging import Surroundings, judge_event
from node.presence.taking import Taking
from node.presence.thresholds import threshold_at
from node.store import NodeStore
from node.store.device_rows import DeviceRow
from node.store.presence import Ask
from security.moments import to_ms

__all__ = ["Delivered", "PresenceDesk"]

MAX_ASKS: Final = 64
"""Most asks of one answer."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What became of a delivery."""

    through: int
    """Every event of the queue up to this one is durable here."""
    refused: tuple[Refusal, ...]
    """Events of the call that are not taken, and never will be."""


class PresenceDesk:
    """Takes deliveries in, and hands asks out; safe to share between threads."""

    def __init__(self, store: NodeStore, faces: FaceSettings, edge: EdgeSettings) -> None:
        """Take the parts.

        Args:
            store: The node's store; this process is its one writer.
            faces: Table `[faces]`.
            edge: Table `[edge]`.
        """
        self._store = store
        self._faces = faces
        self._edge = edge
        self._duty = DutyAsks(store, faces)

    def deliver(
        self, device: DeviceRow, events: Sequence[tuple[bytes, bytes]], now: datetime
    ) -> Delivered:
        """Take events of one queue; what is taken is durable when this returns.

        Args:
            device: The device, as admitted.
            events: Body and signature of each, as received.
            now: Present moment, UTC-aware.

        Raises:
            PresenceError: An event is not the device's own or cannot be read, or the institution
                is not of this node; nothing was taken.
            DeviceRefusedError: The queue was not announced; nothing was taken.
            StoreError: The store failed; nothing was taken, the device may deliver again.
        """
        if device.institution not in self._store.institution_codes():
            raise PresenceError(
                f"{device.institution} is no institution of this node: nothing was taken; revoke "
                f"{device.id}, or correct the custody register"
            )
        queue, read = read_events(events, device.signing_key)
        births = find_births(self._store, _children(read))
        self._store.record_ledger.close_days(now)
        with self._store.taking():
            before = self._store.edge.devices.queue_mark(device.id, queue)
            told = self._repeated(device, queue, [one.seq for one in read if one.seq <= before])
            fresh = _following(read, before)
            if not fresh:
                return Delivered(through=before, refused=told)
            taken = Taking(device=device, queue=queue, before=before, now=now, faces=self._faces)
            known = self._surroundings(fresh, births, now)
            for one in fresh:
                held = one.refusal if isinstance(one, Unfit) else judge_event(one, device, known)
                taken.add(one, held, self._store.edge.templates.digest(one.person))
            self._store.commit(taken.commit(self._store.schemas))
        self._settle()
        return Delivered(through=taken.through, refused=(*told, *taken.refused))

    def asks(self, device: DeviceRow, limit: int, now: datetime) -> tuple[Ask, ...]:
        """List what a device is to verify, the most urgent first.

        Args:
            device: The device, as admitted.
            limit: Most asks, 1 to 64.
            now: Present moment, UTC-aware.

        Raises:
            StoreError: The store cannot be read or written.
        """
        self._duty.ensure(device, now)
        most = max(1, min(limit, MAX_ASKS))
        return self._store.edge.presence.asks(device.id, to_ms(now), most)

    def _settle(self) -> None:
        """Move what is staged into segments, where it is much; a failure is met again later."""
        try:
            self._store.flush_if_large()
        except StoreError as error:
            _LOG.error("staged records could not be moved: %s", error)  # it names no record

    def _surroundings(
        self, fresh: Sequence[Event | Unfit], births: Mapping[str, date], now: datetime
    ) -> Surroundings:
        rounds = sorted({one.round for one in fresh if isinstance(one, Event) and one.round})
        return Surroundings(
            faces=self._faces,
            edge=self._edge,
            now=now,
            # Read once a delivery: a calibration is verified whenever it is read.
            threshold=cache(partial(threshold_at, self._store, self._faces)),
            is_proxy=self._store.edge.templates.proxies.in_force,
            born=births,
            asks=self._store.edge.presence.find_asks(rounds) if rounds else {},
        )

    def _repeated(
        self, device: DeviceRow, queue: bytes, seqs: Sequence[int]
    ) -> tuple[Refusal, ...]:
        """What was refused of events that came before: its answer was perhaps lost."""
        found = self._store.edge.presence.refused(device.id, queue, seqs)
        detail = "it was refused before; see: yixin node presence list"
        return tuple(
            Refusal(seq=seq, code=code, detail=detail) for seq, code in sorted(found.items())
        )


def _following(read: Sequence[Event | Unfit], before: int) -> list[Event | Unfit]:
    """Events that follow on what is held, up to the first gap."""
    found: list[Event | Unfit] = []
    for one in read:
        wanted = before + len(found) + 1
        if one.seq == wanted:
            found.append(one)
        elif one.seq > wanted:
            break
    return found


def _children(read: Sequence[Event | Unfit]) -> frozenset[str]:
    return frozenset(
        one.person for one in read if isinstance(one, Event) and one.reason is Reason.CHILD
    )
