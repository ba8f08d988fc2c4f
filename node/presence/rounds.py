"""Bed rounds (查床): inpatients drawn by lot, whom the ward's terminals are asked to see.

Rules:
- Drawn are visits that were admitted and not discharged; by a seed, so that a draw can be repeated
  and shown to have been one.
- Absence is what a device saw. An ask that nobody answered in time is no absence: nothing is
  recorded of it, and the report counts it as unanswered.
"""

import hashlib
import math
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from node.domain.face_templates import Purpose
from node.errors import PresenceError
from node.store import NodeStore
from node.store.by import By
from node.store.device_rows import DeviceState
from node.store.presence import Ask
from security.devices import Place
from security.moments import SHANGHAI, to_ms

__all__ = ["BedRound", "Drawn", "draw_round"]

_REACH: Final = timedelta(days=400)
"""Stays that began earlier are not looked for."""
_OPEN_STAYS: Final = """
    select distinct mdtrt_id, person from admission as stay
    where stay.institution = $1 and stay.inpatient
      and stay.admitted_at >= $2 and stay.admitted_at <= $3
      and not exists (
        select 1 from cancellation as undone
        where undone.institution = stay.institution and undone.mdtrt_id = stay.mdtrt_id
          and undone.what = 'admission' and undone.cancelled_at >= stay.admitted_at)
      and not exists (
        select 1 from discharge
        where discharge.institution = stay.institution and discharge.mdtrt_id = stay.mdtrt_id
          and not exists (
            select 1 from cancellation as undone
            where undone.institution = discharge.institution
              and undone.mdtrt_id = discharge.mdtrt_id
              and undone.what = 'discharge'
              and undone.cancelled_at >= discharge.discharged_at))
    order by mdtrt_id, person"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BedRound:
    """What is to be drawn."""

    institution: str
    share: Fraction
    """Of the inpatients, above 0 and at most 1."""
    seed: int
    until: datetime
    """Last moment of the round, aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What came of a draw."""

    stays: int
    """Inpatients there are."""
    asks: Mapping[str, int]
    """Asks by device."""


def draw_round(store: NodeStore, asked: BedRound, by: By) -> Drawn:
    """Draw inpatients and ask the institution's bed devices to see them.

    Args:
        store: The node's store; this process is its one writer.
        asked: What is to be drawn.
        by: Who orders the round, and when.

    Raises:
        PresenceError: There is no bed device, or the round ends before it begins.
        StoreError: The store failed; nothing is asked.
    """
    if asked.until <= by.at:
        raise PresenceError("the round ends before it begins: give a later --until")
    devices = [
        row.id
        for row in store.edge.devices.rows()
        if row.institution == asked.institution
        and row.place is Place.BED
        and row.state is DeviceState.ACTIVE
    ]
    if not devices:
        raise PresenceError(
            f"{asked.institution[:20]!r} has no active bed device; let one join: yixin node device "
            "token --place bed"
        )
    stays = _open_stays(store, asked.institution, by.at)
    count = math.ceil(asked.share * len(stays))
    drawn = sorted(random.Random(asked.seed).sample(stays, count))  # noqa: S311 - a draw that can be repeated
    asks = [
        Ask(
            id=_ask_id(asked, by.at, visit),
            device=devices[number % len(devices)],
            purpose=Purpose.BED_CHECK.value,
            person=person,
            visit=visit,
            label=f"查床 {visit}",
            until_ms=to_ms(asked.until),
        )
        for number, (visit, person) in enumerate(drawn)
    ]
    if asks:
        store.edge.presence.add_asks(asks, by, f"{asked.institution} seed {asked.seed}")
    return Drawn(stays=len(stays), asks=Counter(one.device for one in asks))


def _open_stays(store: NodeStore, institution: str, now: datetime) -> list[tuple[str, str]]:
    local = now.astimezone(SHANGHAI).replace(tzinfo=None)
    with closing(store.relations(["admission", "discharge", "cancellation"])) as engine:
        found: list[tuple[str, str]] = engine.execute(
            _OPEN_STAYS, [institution, local - _REACH, local]
        ).fetchall()
    return found


def _ask_id(asked: BedRound, at: datetime, visit: str) -> str:
    name = f"{asked.institution}|{asked.seed}|{at.isoformat()}|{visit}"
    return f"bed-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
