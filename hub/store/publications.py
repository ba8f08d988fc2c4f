"""Publications (公布) in the database: what was signed, once, and which statements it holds.

Rules: a publication is of one run, so of one period and class; each version of a subject's grade
is published once for ever. Statements are written and read in batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import exists, insert, select

from hub.store.grading_tables import grade_result, grade_run, publication, published_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, RowMapping

    from hub.store.grade_results import Place
    from security.at_rest import Vault

_ROWS_PER_FETCH: Final = 2_000


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


def latest_publication(
    connection: Connection, period: str, subject_class: str
) -> PublicationRecord | None:
    """The newest publication of a period and class; None before the first."""
    row = (
        connection.execute(
            select(publication)
            .join(grade_run, grade_run.c.id == publication.c.run_id)
            .where(publication.c.period == period, grade_run.c.subject_class == subject_class)
            .order_by(publication.c.id.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    return None if row is None else _record(row)


def published_classes(connection: Connection, period: str) -> tuple[str, ...]:
    """Classes of which something was published for a period."""
    query = (
        select(grade_run.c.subject_class)
        .join(publication, grade_run.c.id == publication.c.run_id)
        .where(publication.c.period == period)
        .distinct()
        .order_by(grade_run.c.subject_class)
    )
    return tuple(connection.execute(query).scalars())


def is_unpublished(place: Place) -> ColumnElement[bool]:
    """Condition on ``grade_result``: neither this version nor a later one was published."""
    stated = published_statement.c
    return ~exists().where(
        stated.period == place.period,
        stated.subject_class == place.subject_class,
        stated.subject == grade_result.c.subject,
        stated.version >= grade_result.c.version,
    )


def store_publication(connection: Connection, record: PublicationRecord) -> int:
    """Store a publication, without its statements.

    Args:
        connection: A writing transaction.
        record: The publication.

    Returns:
        Number of the publication.
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
    return int(publication_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPlace:
    """Where a batch of statements belongs.

    Attributes:
        publication_id: Number of the publication.
        root: Its Merkle root; the sealed bodies are bound to it.
        first_index: Leaf index of the batch's first statement.
        place: Period and class.
    """

    publication_id: int
    root: bytes
    first_index: int
    place: Place


def add_statements(
    connection: Connection,
    vault: Vault,
    where: StatementPlace,
    statements: Sequence[PublishedStatement],
) -> None:
    """Store a batch of a publication's statements, in leaf order."""
    connection.execute(
        insert(published_statement),
        [
            {
                "publication_id": where.publication_id,
                "leaf_index": index,
                "period": where.place.period,
                "subject_class": where.place.subject_class,
                "subject": one.subject,
                "version": one.version,
                "digest": one.digest,
                "sealed": vault.seal(one.body, _context(where.root, index)),
            }
            for index, one in enumerate(statements, start=where.first_index)
        ],
    )


def find_publication(connection: Connection, root: bytes) -> tuple[int, PublicationRecord] | None:
    """Number and record of the publication with a root; None when there is none."""
    query = select(publication).where(publication.c.root == root)
    row = connection.execute(query).mappings().first()
    return None if row is None else (int(row["id"]), _record(row))


def published_bodies(
    connection: Connection, vault: Vault, publication_id: int, root: bytes
) -> Iterator[bytes]:
    """Bodies of a publication's statements, in leaf order.

    Args:
        connection: A transaction, open until the last body was taken.
        vault: Opens the stored statements.
        publication_id: Number of the publication.
        root: Its Merkle root; the sealed bodies are bound to it.

    Raises:
        VaultError: A stored statement was changed.
    """
    stated = published_statement.c
    query = (
        select(stated.leaf_index, stated.sealed)
        .where(stated.publication_id == publication_id)
        .order_by(stated.leaf_index)
    )
    for row in connection.execute(query.execution_options(yield_per=_ROWS_PER_FETCH)):
        yield vault.open(row.sealed, _context(root, row.leaf_index))


def published_grades(
    connection: Connection,
    period: str,
    classes: Sequence[str],
    *,
    subjects: Sequence[str] = (),
    by_subject: bool = False,
) -> Iterator[RowMapping]:
    """Newest published grade of every subject of some classes, oldest publication first.

    Args:
        connection: A transaction, open until the last row was taken.
        period: Rating period.
        classes: Ids of the classes.
        subjects: Only these subjects; all where none is named.
        by_subject: In order of class and subject instead.

    Yields:
        Rows with ``subject``, ``period``, ``version``, ``digest``, ``total_centi``, ``grade``,
        ``name``, ``level``, ``type``, ``root``, ``subject_class``, ``basis`` and ``model_digest``.
    """
    stated, result = published_statement.c, grade_result.c
    later = published_statement.alias("later")
    query = (
        select(
            stated.subject,
            stated.period,
            stated.version,
            stated.digest,
            result.total_centi,
            result.grade,
            result.name,
            result.level,
            result.type,
            publication.c.root,
            grade_run.c.subject_class,
            grade_run.c.basis,
            grade_run.c.model_digest,
        )
        .join(publication, publication.c.id == stated.publication_id)
        .join(
            grade_result,
            (result.period == stated.period)
            & (result.subject_class == stated.subject_class)
            & (result.subject == stated.subject)
            & (result.version == stated.version),
        )
        .join(grade_run, grade_run.c.id == result.run_id)
        .where(
            stated.period == period,
            stated.subject_class.in_(list(classes)),
            ~exists().where(
                later.c.period == stated.period,
                later.c.subject_class == stated.subject_class,
                later.c.subject == stated.subject,
                later.c.version > stated.version,
            ),
        )
    )
    if subjects:
        query = query.where(stated.subject.in_(list(subjects)))
    query = query.order_by(
        *(stated.subject_class, stated.subject)
        if by_subject
        else (publication.c.id, stated.leaf_index)
    )
    yield from connection.execute(query.execution_options(yield_per=_ROWS_PER_FETCH)).mappings()


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
