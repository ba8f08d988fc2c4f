"""Where a lane goes on after the hub has stated what it holds.

Rules (``plan_lane``), in order:
    1. The hub issued a later incarnation than ours: it is ahead of us (we were restored from an
       old copy) or we asked for it. We start it, citing the hub's head.
    2. The hub's head is in our history and nothing unsent has expired, with its key or by itself:
       we send everything after it, and everything without a receipt. The hub may be behind us,
       even across incarnations.
    3. Otherwise we ask for a new incarnation by stating nothing for the lane.
    4. We asked, and what the hub issues is the incarnation we are in, of which it holds nothing:
       we start it over.
    5. We asked, and the hub is behind our incarnation with a history we do not share: a person
       has to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from security.chain import GENESIS, ChainPosition, place
from security.errors import RemoteSyncError
from security.exchange import archive
from security.exchange.chains import find_chain

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from security.exchange.uplink_protocol import Accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Send everything after a position."""

    after: ChainPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Start an issued incarnation."""

    incarnation: int
    base: ChainPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Open the stream again and ask for a new incarnation."""


LanePlan = Continue | Restart | Demand


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """A lane as both sides know it."""

    lane: int
    """The lane."""
    held: ChainPosition
    """Head the hub holds."""
    issued: int
    """Incarnation the hub issued."""
    own_incarnation: int
    """Incarnation we are in; 0 when nothing was ever sealed."""
    is_known: bool
    """Whether the hub's head is in our history."""
    has_expired: bool
    """Whether an envelope the hub does not hold can no longer be logged."""
    first_unreceipted: ChainPosition | None
    """First sealed envelope without a receipt."""
    demanded: bool
    """Whether we asked for a new incarnation on this stream."""


def view_lane(
    conn: Connection,
    hub: str,
    lane: int,
    accepted: Accepted,
    *,
    demanded: bool,
    refused: bool = False,
    signs: Callable[[str], bool] = lambda _: True,
    now_ms: int,
) -> LaneView:
    """Read our side of a lane.

    Args:
        conn: Connection in a transaction.
        hub: Member id of the hub.
        lane: The lane.
        accepted: The hub's verified answer.
        demanded: Whether the stream's opening asked for a new incarnation.
        refused: Whether the hub refused what was sealed under earlier keys.
        signs: Whether the hub still takes what the key of an id signed.
        now_ms: Present moment, milliseconds since the epoch, UTC.
    """
    held = accepted.held.get(lane, GENESIS)
    issued = accepted.issued.get(lane)
    state = find_chain(conn, hub, lane)
    first = archive.find_unreceipted(conn, hub, lane)
    signer = archive.find_signer(conn, hub, lane, held)
    is_useless = (refused and first is not None) or (signer is not None and not signs(signer))
    return LaneView(
        lane=lane,
        held=held,
        issued=issued.incarnation if issued else max(1, held.incarnation),
        own_incarnation=state.head.incarnation if state else 0,
        is_known=archive.is_known(conn, hub, lane, held),
        has_expired=is_useless or archive.has_expired(conn, hub, lane, held, now_ms),
        first_unreceipted=first,
        demanded=demanded,
    )


def plan_lane(view: LaneView) -> LanePlan:
    """Decide where a lane goes on.

    Raises:
        RemoteSyncError: The hub lost receipted envelopes that we no longer share (rule 5).
    """
    # 1.
    if view.issued > max(1, view.own_incarnation):
        return Restart(incarnation=view.issued, base=view.held)
    # 2.
    if view.is_known and not view.has_expired:
        first = view.first_unreceipted
        if first is not None and place(first) <= place(view.held):
            before = ChainPosition(
                incarnation=first.incarnation, seq=first.seq - 1, hash=GENESIS.hash
            )
            return Continue(after=before)
        return Continue(after=view.held)
    # 3.
    if not view.demanded:
        return Demand()
    # 4.
    if view.issued == view.own_incarnation and view.held.incarnation < view.issued:
        return Restart(incarnation=view.issued, base=view.held)
    # 5.
    raise RemoteSyncError(
        f"the hub holds {place(view.held)} of lane {view.lane}, which is not in this member's "
        f"history of incarnation {view.own_incarnation}: one side was restored from a copy that "
        "is too old. The hub's operator restores a newer backup, or the member joins again"
    )
