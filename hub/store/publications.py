"""Publications (公布) in the database: what was signed, once, and which statements it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select

from hub.store.grading_tables import grade_result, grade_run, publication, published_statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping

    from security.at_rest import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationRecord:
    """One publication.

    Attributes:
        period: Rating period.
        run_id: The run whose new versions it publishes.
        root: Merkle root of its statements.
        group_size: Number of its statements.
        key_id: Key that signed.
        signature: Ed25519 half.
        pq_signature: ML-DSA-65 half.
        log_index: Index of its leaf in the transparency log.
        published_at_ms: Moment, milliseconds since the epoch, UTC.
    """

    period: str
    run_id: int
    root: bytes
    group_size: int
    key_id: str
    signature: bytes = field(repr=False)
    pq_signature: bytes = field(repr=False)
    log_index: int
    published_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedStatement:
    """One statement of a publication: subject, version, digest and bytes of its body."""

    subject: str
    version: int
    digest: bytes
    body: bytes = field(repr=False)


def latest_publication(connection: Connection, period: str) -> PublicationRecord | None:
    """The newest publication of a period; None before the first."""
    row = (
        connection.execute(
            select(publication)
            .where(publication.c.period == period)
            .order_by(publication.c.id.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    return None if row is None else _record(row)


def published_versions(connection: Connection, period: str) -> dict[str, int]:
    """Newest published version by subject."""
    columns = published_statement.c
    found = connection.execute(
        select(columns.subject, func.max(columns.version).label("version"))
        .where(columns.period == period)
        .group_by(columns.subject)
    )
    return {row.subject: row.version for row in found}


def store_publication(
    connection: Connection,
    vault: Vault,
    record: PublicationRecord,
    statements: Sequence[PublishedStatement],
) -> None:
    """Store a publication with its statements in leaf order.

    Args:
        connection: A writing transaction.
        vault: Seals the bodies.
        record: The publication.
        statements: Its statements; each (subject, version) is published once for ever.
    """
    inserted = connection.execute(
        insert(publication).values(
            period=record.period,
            run_id=record.run_id,
            root=record.root,
            group_size=record.group_size,
            key_id=record.key_id,
            signature=record.signature,
            pq_signature=record.pq_signature,
            log_index=record.log_index,
            published_at_ms=record.published_at_ms,
        )
    )
    (publication_id,) = inserted.inserted_primary_key or (0,)
    connection.execute(
        insert(published_statement),
        [
            {
                "publication_id": publication_id,
                "leaf_index": index,
                "period": record.period,
                "subject": one.subject,
                "version": one.version,
                "digest": one.digest,
                "sealed": vault.seal(one.body, _context(record.root, index)),
            }
            for index, one in enumerate(statements)
        ],
    )


def published_grades(connection: Connection, period: str) -> Sequence[RowMapping]:
    """Newest published grade of every subject with its run and publication, oldest root first.

    Returns:
        Rows with ``subject``, ``version``, ``digest``, ``total_centi``, ``grade``, ``root``,
        ``subject_class``, ``basis`` and ``model_digest``.
    """
    stated, result = published_statement.c, grade_result.c
    newest = (
        select(stated.subject.label("subject"), func.max(stated.version).label("version"))
        .where(stated.period == period)
        .group_by(stated.subject)
        .subquery()
    )
    query = (
        select(
            stated.subject,
            stated.version,
            stated.digest,
            result.total_centi,
            result.grade,
            publication.c.root,
            grade_run.c.subject_class,
            grade_run.c.basis,
            grade_run.c.model_digest,
        )
        .join(
            newest,
            (newest.c.subject == stated.subject) & (newest.c.version == stated.version),
        )
        .join(publication, publication.c.id == stated.publication_id)
        .join(
            grade_result,
            (result.period == stated.period)
            & (result.subject == stated.subject)
            & (result.version == stated.version),
        )
        .join(grade_run, grade_run.c.id == result.run_id)
        .where(stated.period == period)
        .order_by(publication.c.id, stated.leaf_index)
    )
    return connection.execute(query).mappings().all()


def _record(row: RowMapping) -> PublicationRecord:
    return PublicationRecord(
        period=row["period"],
        run_id=row["run_id"],
        root=row["root"],
        group_size=row["group_size"],
        key_id=row["key_id"],
        signature=row["signature"],
        pq_signature=row["pq_signature"],
        log_index=row["log_index"],
        published_at_ms=row["published_at_ms"],
    )


def _context(root: bytes, leaf_index: int) -> str:
    return f"published_statement/{root.hex()}/{leaf_index}"
