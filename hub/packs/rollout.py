"""Orders of packs: group by group, each logged, none after a failure.

Numbered as applied by an order, all in one transaction:

1. The pack is one that both officers signed, as this hub's own copy of the repository says, and
   measures what this hub's catalogue does: statements of its nodes can be read here.
2. Every group before has passed, and no member has refused it (``hub.domain.packs``).
3. Its release is a leaf of the log, once.
4. Every active member of the group is given the order, sealed and addressed to it.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from sqlalchemy import Connection

from hub.domain.members import MemberKind
from hub.domain.packs import find_obstacle
from hub.packs.repository import Wanted, find_pack, read_card, release
from hub.parts import HubParts
from hub.store import members, packs
from hub.store.engine import writing
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from scoring_kernel.packs import feature_schema
from security.errors import PackError
from security.moments import to_ms

__all__ = ["assign", "give", "order", "verify_schema"]

PACK_ORDER: Final = "pack_order"
PURPOSE: Final = "operation"
MAX_GROUPS: Final = 16
_FORMAT: Final = 1


def order(
    parts: HubParts, group: str, from_day: date, version: str | None = None
) -> dict[str, object]:
    """Order a pack for a group.

    Args:
        parts: The hub.
        group: Group of members.
        from_day: First day of use.
        version: Version of the pack; the newest when None.

    Raises:
        PackError: The pack is unknown, was stopped, or another group comes first.
        HubStoreError: The database failed.
    """
    # 1.
    wanted = find_pack(parts, version)
    verify_schema(parts, wanted)
    now_ms = to_ms(parts.now())
    with writing(parts.engine) as connection:
        # 2.
        stop = packs.find_stop(connection, wanted.digest)
        groups = packs.progress(connection, wanted.digest)
        obstacle = find_obstacle(groups, group, None if stop is None else stop.member)
        if obstacle:
            raise PackError(f"{wanted.target} is not ordered for {group}: {obstacle}")
        # 3.
        index = release(connection, parts, wanted, now_ms)
        # 4.
        given = packs.Order(
            version=packs.next_version(connection),
            digest=wanted.digest,
            target=wanted.target,
            group=group,
            from_day=int(from_day.strftime("%Y%m%d")),
            at_ms=now_ms,
        )
        addressed = packs.groups(connection)[group]
        give(connection, parts, given, addressed)
    return {
        "target": wanted.target,
        "digest": wanted.digest.hex(),
        "group": group,
        "from_day": given.from_day,
        "version": given.version,
        "members": len(addressed),
        "log_index": index,
    }


def assign(parts: HubParts, names: Sequence[str], placed: Mapping[str, str]) -> None:
    """Set the groups, in their order, and put members into them.

    A member that comes into a group is given the group's newest order that was not stopped.

    Args:
        parts: The hub.
        names: Groups in their order; empty to keep them.
        placed: Group by member id.

    Raises:
        PackError: A group or member is unknown, or a member is no node.
    """
    if len(names) > MAX_GROUPS or len(set(names)) != len(names):
        raise PackError(f"{len(names)} groups, expected at most {MAX_GROUPS}, each once")
    for name in names:
        if not name.isidentifier() or len(name) > 40:
            raise PackError(f"{name[:40]!r}: name a group by letters, digits and _")
    with writing(parts.engine) as connection:
        if names:
            packs.set_groups(connection, names)
        known = packs.groups(connection)
        for member_id, group in placed.items():
            row = members.find_member(connection, member_id)
            if row is None or row.kind is not MemberKind.NODE:
                raise PackError(f"{member_id[:96]} is no node of this hub: see yixin hub members")
            if group not in known:
                raise PackError(f"there is no group {group[:40]!r}: name it with --order first")
            packs.set_group(connection, member_id, group)
            held = packs.latest_order(connection, group)
            is_new = held is not None and not packs.was_ordered(
                connection, held.version, member_id, held.digest
            )
            if held is not None and is_new:
                give(connection, parts, held, [member_id])


def give(
    connection: Connection, parts: HubParts, given: packs.Order, addressed: Sequence[str]
) -> None:
    """Write an order, and queue it for members (step 4)."""
    packs.add_order(connection, given, addressed)
    payload = exchange_pb2.PackOrder(
        format=_FORMAT,
        target=given.target,
        digest=given.digest,
        from_day=given.from_day,
        group=given.group,
        version=given.version,
    ).SerializeToString(deterministic=True)
    for member_id in addressed:
        parts.outbox.append(
            connection,
            recipient=member_id,
            lane=envelope_pb2.LANE_CONTROL,
            payload_type=PACK_ORDER,
            schema_version=1,
            purpose=PURPOSE,
            data_class=PURPOSE,
            period="",
            payload=payload,
        )


def verify_schema(parts: HubParts, wanted: Wanted) -> None:
    """Refuse a pack whose statements this hub could not read or grade."""
    if read_card(parts, wanted)["feature_schema"] != feature_schema(parts.catalog).hex():
        raise PackError(
            f"{wanted.target} measures other things than the catalogue this hub grades with: take "
            "it into use at the hub first (yixin hub packs use), then order it"
        )
