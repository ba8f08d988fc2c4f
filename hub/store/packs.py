"""Packs in the hub's database: releases, groups, orders, reports and stops.

Port rules: an order and who was given it stand in one transaction with the queued payloads; a
report counts only for an order that its sender was given; a stop stays.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from hub.domain.members import MemberStatus
from hub.domain.packs import DecodedPackReport, GroupProgress, PackState
from hub.store.pack_tables import (
    pack_group,
    pack_member,
    pack_order,
    pack_ordered,
    pack_release,
    pack_report,
    pack_stop,
)
from hub.store.slot_index import upsert
from hub.store.tables import member

__all__ = [
    "Given",
    "Order",
    "Stop",
    "add_order",
    "add_release",
    "add_report",
    "add_stop",
    "count_ordered",
    "find_release",
    "find_stop",
    "given_of",
    "groups",
    "latest_order",
    "next_version",
    "orders",
    "progress",
    "set_group",
    "set_groups",
    "states",
    "was_ordered",
    "without_group",
]

MAX_REASON: Final = 400
"""Longest reason of a stop that is kept, characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A group is to use a pack from a day on."""

    version: int
    digest: bytes
    target: str
    group: str
    from_day: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why the roll-out of a pack stopped."""

    member: str
    """Who refused it; this hub where its officer withdrew it."""
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An order as one member was given it."""

    digest: bytes
    group: str
    state: PackState | None
    """What the member said last of it; None while it said nothing."""


def set_groups(connection: Connection, names: Sequence[str]) -> None:
    """Set the groups and their order; groups left out lose their members."""
    gone = select(pack_group.c.name).where(pack_group.c.name.not_in(names))
    connection.execute(delete(pack_member).where(pack_member.c.group_name.in_(gone)))
    connection.execute(delete(pack_group).where(pack_group.c.name.not_in(names)))
    for rank, name in enumerate(names):
        connection.execute(upsert(connection, pack_group), {"name": name, "rank": rank})


def set_group(connection: Connection, member_id: str, group: str) -> None:
    """Put a member into a group."""
    connection.execute(upsert(connection, pack_member), {"member": member_id, "group_name": group})


def groups(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Active members by group, groups in their order."""
    found: dict[str, list[str]] = {
        name: []
        for (name,) in connection.execute(select(pack_group.c.name).order_by(pack_group.c.rank))
    }
    query = (
        select(pack_member.c.group_name, pack_member.c.member)
        .join(member, member.c.member == pack_member.c.member)
        .where(member.c.status == MemberStatus.ACTIVE)
        .order_by(pack_member.c.member)
    )
    for name, member_id in connection.execute(query):
        found[name].append(member_id)
    return {name: tuple(members) for name, members in found.items()}


def without_group(connection: Connection, kind: str) -> tuple[str, ...]:
    """Active members of a kind that are in no group."""
    query = (
        select(member.c.member)
        .where(member.c.status == MemberStatus.ACTIVE, member.c.kind == kind)
        .where(member.c.member.not_in(select(pack_member.c.member)))
        .order_by(member.c.member)
    )
    return tuple(connection.execute(query).scalars())


def find_release(connection: Connection, digest: bytes) -> int | None:
    """Log index of a pack's release; None when it was not ordered here before."""
    query = select(pack_release.c.log_index).where(pack_release.c.digest == digest)
    return connection.execute(query).scalar()


def add_release(
    connection: Connection, digest: bytes, target: str, log_index: int, at_ms: int
) -> None:
    """Note that a pack was released."""
    row = {"digest": digest, "target": target, "log_index": log_index, "released_at_ms": at_ms}
    connection.execute(insert(pack_release).values(row))


def next_version(connection: Connection) -> int:
    """Number of the next order."""
    return int(connection.execute(select(func.max(pack_order.c.version))).scalar() or 0) + 1


def add_order(connection: Connection, order: Order, members: Sequence[str]) -> None:
    """Write an order, or more of its members, who are given it in the same transaction."""
    known = select(pack_order.c.version).where(pack_order.c.version == order.version)
    if connection.execute(known).first() is None:
        connection.execute(
            insert(pack_order).values(
                version=order.version,
                digest=order.digest,
                group_name=order.group,
                from_day=order.from_day,
                at_ms=order.at_ms,
            )
        )
    if members:
        connection.execute(
            insert(pack_ordered), [{"version": order.version, "member": one} for one in members]
        )


def orders(connection: Connection) -> tuple[Order, ...]:
    """All orders, in the order in which they were given."""
    query = (
        select(pack_order, pack_release.c.target)
        .join(pack_release, pack_release.c.digest == pack_order.c.digest)
        .order_by(pack_order.c.version)
    )
    return tuple(
        Order(
            version=row.version,
            digest=bytes(row.digest),
            target=row.target,
            group=row.group_name,
            from_day=row.from_day,
            at_ms=row.at_ms,
        )
        for row in connection.execute(query)
    )


def latest_order(connection: Connection, group: str) -> Order | None:
    """The newest order of a group whose pack was not stopped."""
    stopped = {bytes(digest) for digest in connection.execute(select(pack_stop.c.digest)).scalars()}
    found = [one for one in orders(connection) if one.group == group and one.digest not in stopped]
    return found[-1] if found else None


def count_ordered(connection: Connection, version: int) -> int:
    """Members that were given an order."""
    query = select(func.count()).select_from(pack_ordered)
    return int(connection.execute(query.where(pack_ordered.c.version == version)).scalar_one())


def was_ordered(connection: Connection, version: int, member_id: str, digest: bytes) -> bool:
    """Whether a member was given an order of a pack."""
    query = (
        select(pack_ordered.c.member)
        .join(pack_order, pack_order.c.version == pack_ordered.c.version)
        .where(pack_ordered.c.version == version, pack_ordered.c.member == member_id)
        .where(pack_order.c.digest == digest)
    )
    return connection.execute(query).first() is not None


def add_report(
    connection: Connection, member_id: str, said: DecodedPackReport, log_index: int
) -> None:
    """Keep a report in place of the one before; a failure stops the pack's roll-out.

    What a member once refused stays refused: a later report of the same order says no better.
    """
    held = select(pack_report).where(
        pack_report.c.version == said.version, pack_report.c.member == member_id
    )
    row = connection.execute(held).first()
    values = {
        "passed": said.passed,
        "vectors": said.vectors,
        "failures": json.dumps(said.failures),
        "state": str(said.state),
        "at_ms": said.at_ms,
        "log_index": log_index,
    }
    if row is None:
        connection.execute(
            insert(pack_report).values(version=said.version, member=member_id, **values)
        )
    else:
        connection.execute(
            update(pack_report)
            .where(pack_report.c.version == said.version, pack_report.c.member == member_id)
            .values(values)
        )
    if said.is_failure:
        reason = ", ".join(said.failures)[:MAX_REASON] or "the pack was refused"
        add_stop(connection, said.digest, Stop(member=member_id, reason=reason, at_ms=said.at_ms))


def add_stop(connection: Connection, digest: bytes, stop: Stop) -> None:
    """Stop the roll-out of a pack; one that stopped before stays stopped as it was."""
    if find_stop(connection, digest) is None:
        connection.execute(
            insert(pack_stop).values(
                digest=digest, member=stop.member, reason=stop.reason, at_ms=stop.at_ms
            )
        )


def given_of(connection: Connection, digest: bytes) -> dict[str, list[Given]]:
    """Active members that were given a pack, each with all orders it was given, oldest first."""
    had = (
        select(pack_ordered.c.member)
        .join(pack_order, pack_order.c.version == pack_ordered.c.version)
        .where(pack_order.c.digest == digest)
    )
    query = (
        select(
            pack_ordered.c.member,
            pack_order.c.version,
            pack_order.c.digest,
            pack_order.c.group_name,
            pack_report.c.state,
        )
        .join(pack_order, pack_order.c.version == pack_ordered.c.version)
        .join(member, member.c.member == pack_ordered.c.member)
        .outerjoin(
            pack_report,
            (pack_report.c.version == pack_ordered.c.version)
            & (pack_report.c.member == pack_ordered.c.member),
        )
        .where(member.c.status == MemberStatus.ACTIVE, pack_ordered.c.member.in_(had))
        .order_by(pack_ordered.c.member, pack_order.c.version)
    )
    found: dict[str, list[Given]] = {}
    for row in connection.execute(query):
        state = PackState(row.state) if row.state else None
        given = Given(digest=bytes(row.digest), group=row.group_name, state=state)
        found.setdefault(row.member, []).append(given)
    return found


def find_stop(connection: Connection, digest: bytes) -> Stop | None:
    """Why a pack's roll-out stopped; None while it goes on."""
    row = connection.execute(select(pack_stop).where(pack_stop.c.digest == digest)).first()
    return None if row is None else Stop(member=row.member, reason=row.reason, at_ms=row.at_ms)


def progress(connection: Connection, digest: bytes) -> tuple[GroupProgress, ...]:
    """Where every group stands with a pack, in the order of the groups."""
    given = (
        select(pack_ordered.c.member)
        .join(pack_order, pack_order.c.version == pack_ordered.c.version)
        .where(pack_order.c.digest == digest)
    )
    said = (
        select(pack_report.c.member)
        .join(pack_order, pack_order.c.version == pack_report.c.version)
        .where(pack_order.c.digest == digest, pack_report.c.passed)
    )
    ordered = frozenset(connection.execute(given).scalars())
    passed = frozenset(connection.execute(said).scalars())
    return tuple(
        GroupProgress(
            name=name,
            members=frozenset(members),
            ordered=ordered & frozenset(members),
            passed=passed & frozenset(members),
        )
        for name, members in groups(connection).items()
    )


def states(connection: Connection, version: int) -> Mapping[str, DecodedPackReport]:
    """Newest report of every member about an order."""
    query = (
        select(pack_report, pack_order.c.digest)
        .join(pack_order, pack_order.c.version == pack_report.c.version)
        .where(pack_report.c.version == version)
        .order_by(pack_report.c.member)
    )
    return {
        row.member: DecodedPackReport(
            digest=bytes(row.digest),
            version=row.version,
            passed=row.passed,
            vectors=row.vectors,
            failures=tuple(json.loads(row.failures)),
            state=row.state,
            at_ms=row.at_ms,
        )
        for row in connection.execute(query)
    }
