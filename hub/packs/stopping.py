"""Packs whose roll-out stopped (停止发布): where they still stand, and the way back.

Rules:
- A roll-out stops by the first member whose vectors fail, or by the hub's officer who withdraws the
  pack. A stop is final: mended, or found to be sound after all, the pack comes under a new version.
- A stop changes nothing at members: who has the pack works with it, who waits for its day takes it
  in force then. Who withdraws orders them back to what their group was given before, in one
  transaction; a newer order always replaces an older one, also one that waits.
- Who cannot be ordered back is named, and why; the roll-out stops all the same.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection

from hub.domain.packs import PackState
from hub.packs.repository import Wanted
from hub.packs.rollout import give, verify_schema
from hub.packs.serving import place_of
from hub.parts import HubParts
from hub.store import packs
from hub.store.engine import writing
from security.errors import PackError
from security.moments import day_number, shanghai_day, to_ms, to_text

__all__ = ["stopped", "withdraw"]


def withdraw(parts: HubParts, version: str | None, reason: str) -> dict[str, object]:
    """Stop a pack's roll-out, and order who was given it back to the pack before.

    Args:
        parts: The hub.
        version: Version of the pack; the one that was ordered last when None.
        reason: Why, for everybody to read.

    Raises:
        PackError: The pack was not ordered here, or no reason is given.
        HubStoreError: The database failed.
    """
    if not reason.strip() or len(reason) > packs.MAX_REASON or not reason.isprintable():
        raise PackError(
            f"a reason of {len(reason)} characters: say in 1 to {packs.MAX_REASON} why the pack is "
            "withdrawn, on one line"
        )
    held = _held(parts)
    now = parts.now()
    with writing(parts.engine) as connection:
        order = _find_ordered(connection, version)
        stop = packs.Stop(member=parts.identity.hub, reason=reason.strip(), at_ms=to_ms(now))
        packs.add_stop(connection, order.digest, stop)
        back: list[dict[str, object]] = []
        without: list[dict[str, object]] = []
        for group, members in _to_bring_back(connection, order.digest).items():
            former = packs.latest_order(connection, group) if group else None
            obstacle = _obstacle(parts, former, held)
            if former is None or obstacle:
                without.append({"members": members, "why": obstacle})
                continue
            given = packs.Order(
                version=packs.next_version(connection),
                digest=former.digest,
                target=former.target,
                group=group,
                from_day=day_number(shanghai_day(to_ms(now))),
                at_ms=to_ms(now),
            )
            give(connection, parts, given, members)
            back.append({"group": group, "pack": former.target, "members": len(members)})
    return {"target": order.target, "digest": order.digest.hex(), "back": back, "without": without}


def stopped(connection: Connection) -> list[dict[str, Any]]:
    """Packs whose roll-out stopped: which group and member, why, and who still has or awaits it."""
    found = []
    for digest, target in {one.digest: one.target for one in packs.orders(connection)}.items():
        stop = packs.find_stop(connection, digest)
        if stop is None:
            continue
        given = packs.given_of(connection, digest)
        own = [one for one in given.get(stop.member, ()) if one.digest == digest]
        states = {member: _state(orders, digest) for member, orders in given.items()}
        found.append(
            {
                "pack": target,
                "group": own[-1].group if own else None,
                "member": stop.member,
                "reason": stop.reason,
                "at": to_text(stop.at_ms),
                "in_force": [one for one, state in states.items() if state is PackState.IN_FORCE],
                "waiting": [one for one, state in states.items() if state is PackState.WAITING],
                "ordered_back": [
                    member for member, orders in given.items() if orders[-1].digest != digest
                ],
            }
        )
    return found


def _state(orders: list[packs.Given], digest: bytes) -> PackState | None:
    """Where a member stands with a pack; None where it said that a newer order is in force."""
    state = None
    for one in orders:
        if one.digest == digest:
            state = one.state
        elif one.state is PackState.IN_FORCE:
            state = None
    return state


def _to_bring_back(connection: Connection, digest: bytes) -> dict[str, list[str]]:
    """Members whose newest order is a pack, by their present group; empty for none."""
    places = {one: name for name, rows in packs.groups(connection).items() for one in rows}
    found: dict[str, list[str]] = defaultdict(list)
    for member, orders in packs.given_of(connection, digest).items():
        if orders[-1].digest == digest:
            found[places.get(member, "")].append(member)
    return found


def _obstacle(parts: HubParts, former: packs.Order | None, held: set[bytes]) -> str:
    """Why members cannot be ordered back to a pack; empty when they can."""
    if former is None:
        return "their group was ordered no other pack that was not stopped: order them one"
    if former.digest not in held:
        return f"the packs' repository does not hold {former.target} any more: order another one"
    try:
        verify_schema(parts, Wanted(target=former.target, digest=former.digest))
    except PackError as error:
        return str(error)
    return ""


def _find_ordered(connection: Connection, version: str | None) -> packs.Order:
    from security.packs.layout import target_name  # noqa: PLC0415 - TUF only where packs are used

    given = packs.orders(connection)
    name = None if version is None else target_name(version)
    for order in reversed(given):
        if name in {None, order.target}:
            return order
    raise PackError(
        f"{name or 'a pack'} was not ordered here: there is nothing to withdraw; ordered were "
        f"{', '.join(sorted({one.target for one in given})) or 'none'}"
    )


def _held(parts: HubParts) -> set[bytes]:
    """Digests that the verified copy names: members follow no order of another one."""
    from security.packs.client import load_release  # noqa: PLC0415 - TUF only where packs are used

    return {one.digest for one in load_release(place_of(parts).client).targets.values()}
