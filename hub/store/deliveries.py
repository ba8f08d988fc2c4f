"""What was shared and asked under agreements: products, queries, and what waits to be handled.

Port rules: a product and a query are one row each, written in the transaction that queues or
answers them, and never changed; the row of a product that was withdrawn before it was sealed,
or not passed on by the routing hub, is dropped, as the log says; a task is marked when it was
handled, in that transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, update

from hub.store import log
from hub.store.agreement_tables import directory, product, sharing_query, sharing_task
from protos.yixin.v1 import identity_pb2, transparency_pb2
from security.sharing.agreement import PRODUCT
from security.transparency import parse_leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProduct:
    """One product that was handed to the outbox."""

    agreement_id: str
    agreement: str
    recipient: str
    period: str
    slot: str
    request_id: bytes
    digest: bytes
    rows: int
    suppressed: int
    parts: int
    correction: bool
    officer: str
    made_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredQuery:
    """One question, answered or refused; ``rule`` is empty for what was answered."""

    agreement: str
    asker: str
    period: str
    rule: str
    sealed: bytes = field(repr=False)
    digest: bytes
    log_index: int
    asked_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingTask:
    """A received payload that is to be handled."""

    log_index: int
    sender: str
    payload_type: str


def add_product(connection: Connection, made: StoredProduct) -> None:
    """Store the row of a product."""
    names = StoredProduct.__dataclass_fields__
    connection.execute(insert(product).values({name: getattr(made, name) for name in names}))


def made_at(connection: Connection, agreement: str, digest: bytes) -> int | None:
    """When the newest product of an agreement version with a digest was made; None for none."""
    columns = product.c
    query = select(func.max(columns.made_at_ms)).where(
        columns.agreement == agreement, columns.digest == digest
    )
    return connection.execute(query).scalar()


def drop_withdrawn(connection: Connection, agreement: str, digest: bytes) -> None:
    """Drop the newest product of an agreement version, where it is the one that was withdrawn."""
    newest = select(func.max(product.c.id)).where(product.c.agreement == agreement)
    connection.execute(
        delete(product).where(product.c.id == newest.scalar_subquery(), product.c.digest == digest)
    )


def drop_refused(connection: Connection, agreement: str, period: str, envelope_hash: bytes) -> None:
    """Drop the product that a sealed envelope was a part of: it was not passed on.

    All parts of a product are sealed at one moment, so it is the newest one that was made up to
    that moment and after the sealing before. Dropped already for another part, it stays dropped,
    and no product before it goes.

    Args:
        connection: A writing transaction.
        agreement: ``id@version``.
        period: Rating period.
        envelope_hash: Hash of the envelope, 32 bytes; of another one nothing is dropped.
    """
    sealed = {
        leaf.envelope_hash: leaf.logged_at_ms
        for leaf in _deliveries_of(connection, period)
        if leaf.agreement == agreement and leaf.payload_type == PRODUCT
    }
    sealed_ms = sealed.get(envelope_hash)
    if sealed_ms is None:
        return
    before_ms = max((at_ms for at_ms in sealed.values() if at_ms < sealed_ms), default=0)
    newest = select(func.max(product.c.id)).where(
        product.c.agreement == agreement,
        product.c.period == period,
        product.c.made_at_ms > before_ms,
        product.c.made_at_ms <= sealed_ms,
    )
    connection.execute(delete(product).where(product.c.id == newest.scalar_subquery()))


def products_of_slot(
    connection: Connection, agreement_id: str, slot: str
) -> tuple[StoredProduct, ...]:
    """Products of an agreement, any version, within one stretch of its frequency; oldest first."""
    query = select(product).where(product.c.agreement_id == agreement_id, product.c.slot == slot)
    rows = connection.execute(query.order_by(product.c.id)).mappings()
    return tuple(_product(row) for row in rows)


def recent_products(
    connection: Connection, limit: int, agreement_id: str | None = None
) -> tuple[StoredProduct, ...]:
    """The newest products, newest first."""
    query = select(product).order_by(product.c.id.desc()).limit(limit)
    if agreement_id is not None:
        query = query.where(product.c.agreement_id == agreement_id)
    return tuple(_product(row) for row in connection.execute(query).mappings())


def count_products(connection: Connection) -> int:
    """Number of products so far."""
    return int(connection.execute(select(func.count()).select_from(product)).scalar_one())


def add_query(connection: Connection, asked: StoredQuery) -> None:
    """Store the row of a question."""
    names = StoredQuery.__dataclass_fields__
    connection.execute(insert(sharing_query).values({name: getattr(asked, name) for name in names}))


def recent_queries(connection: Connection, limit: int) -> tuple[StoredQuery, ...]:
    """The newest questions, newest first."""
    query = select(sharing_query).order_by(sharing_query.c.id.desc()).limit(limit)
    names = StoredQuery.__dataclass_fields__
    return tuple(
        StoredQuery(**{name: row[name] for name in names})
        for row in connection.execute(query).mappings()
    )


def add_task(connection: Connection, task: SharingTask) -> None:
    """Note a payload that is to be handled."""
    connection.execute(
        insert(sharing_task).values(
            log_index=task.log_index, sender=task.sender, payload_type=task.payload_type
        )
    )


def open_tasks(connection: Connection, limit: int) -> Sequence[SharingTask]:
    """Payloads to handle, oldest first."""
    query = (
        select(sharing_task)
        .where(sharing_task.c.handled_at_ms.is_(None))
        .order_by(sharing_task.c.log_index)
        .limit(limit)
    )
    return [
        SharingTask(log_index=row.log_index, sender=row.sender, payload_type=row.payload_type)
        for row in connection.execute(query)
    ]


def settle_task(connection: Connection, log_index: int, now_ms: int) -> None:
    """Note that a payload was handled."""
    connection.execute(
        update(sharing_task)
        .where(sharing_task.c.log_index == log_index)
        .values(handled_at_ms=now_ms)
    )


def find_directory(connection: Connection, hub: str) -> tuple[int, bytes] | None:
    """Version and bytes of the directory that a hub sent; None before the first."""
    row = connection.execute(select(directory).where(directory.c.hub == hub)).first()
    return None if row is None else (int(row.version), bytes(row.content))


def save_directory(connection: Connection, hub: str, version: int, content: bytes) -> None:
    """Keep the directory of a hub, in place of an earlier one."""
    if find_directory(connection, hub) is None:
        connection.execute(insert(directory).values(hub=hub, version=version, content=content))
        return
    connection.execute(
        update(directory).where(directory.c.hub == hub).values(version=version, content=content)
    )


def carried_keys(connection: Connection, hub: str) -> list[bytes]:
    """Certificates under which this hub sealed past another one, as that one issued them."""
    held = find_directory(connection, hub)
    if held is None:
        return []
    listed = identity_pb2.MemberDirectory.FromString(held[1]).keys
    return [one.SerializeToString(deterministic=True) for one in listed]


def keep_carried_key(
    connection: Connection, hub: str, certificate: identity_pb2.KeyCertificate
) -> None:
    """Keep the certificate under which this hub seals past another one, for auditors."""
    held = find_directory(connection, hub)
    kept = identity_pb2.MemberDirectory.FromString(held[1] if held else b"")
    if certificate in kept.keys:
        return
    kept.keys.append(certificate)
    content = kept.SerializeToString(deterministic=True)
    save_directory(connection, hub, len(kept.keys), content)


def _deliveries_of(connection: Connection, period: str) -> Iterator[transparency_pb2.LogLeaf]:
    """Leaves of what was sealed of a period, oldest first."""
    begin, end = log.period_range(connection, period) or (0, 0)
    for stored in log.leaves(connection, begin, end):
        if stored.kind == transparency_pb2.LOG_KIND_DELIVERY:
            yield parse_leaf(stored.leaf)


def _product(row: RowMapping) -> StoredProduct:
    return StoredProduct(**{name: row[name] for name in StoredProduct.__dataclass_fields__})
