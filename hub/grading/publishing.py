"""Publication (公布) of a run: signed once as a group, logged, and sent to the custodians.

The steps of a class, in order, in one transaction:

0. The run that holds for the period; its versions that were published before are left out.
1. A statement per remaining result, in order of the subjects; only its leaf hash is kept.
2. One signature over the Merkle root of all statements.
3. A leaf of the transparency log with that root.
4. Each statement again, in batches: stored, and sent with its own proof to every custodian of
   the subject's institution in the period. Statements of staff go to the custodians of their
   institution; those of persons and organisations to nobody.

Nothing is left to publish → nothing is written, and the publication before stands.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.errors import GradingError
from hub.grading.holding import held_classes, hold_run
from hub.grading.mailing import Mailbox
from hub.grading.statements import grade_statements
from hub.grading.subjects import institutions_of
from hub.store.engine import reading, writing
from hub.store.grade_results import Place
from hub.store.log import NewLeaf, append_leaves, event_leaf
from hub.store.publications import (
    PublicationRecord,
    PublishedStatement,
    StatementPlace,
    add_statements,
    is_unpublished,
    latest_publication,
    store_publication,
)
from hub.store.suspect_grades import is_suspect_moment
from protos.yixin.v1 import transparency_pb2
from scoring_kernel.subject_ids import INSTITUTION
from security.group_signature import sign_tree
from security.merkle import Tree, leaf_hash
from security.moments import to_ms
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from hub.grading.holding import HeldRun
    from hub.store.grade_results import Result
    from scoring_kernel import Catalog
    from scoring_kernel.information import InformationItem
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.exchange.outbox import Outbox
    from security.keys import SigningKey
    from security.progress import ProgressReporter

PUBLICATION_TYPE: Final = "yixin/publication/v1"
PURPOSE: Final = "credit_rating"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who publishes.

    Attributes:
        hub: Member id of the hub.
        key: The hub's signing key.
    """

    hub: str
    key: SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The publication that stands for a period and class.

    Attributes:
        period: Rating period.
        subject_class: Class of subjects.
        run_id: The run whose grades it made public.
        root: Merkle root of its statements.
        statements: Number of its statements.
        log_index: Index of its leaf in the transparency log.
        is_new: False when there was nothing left to publish.
        sent: Number of statements queued now, by custodian.
        without_custodian: Published statements that no active member is to receive.
        basis: ``proposal`` or ``final``: how far the model behind the grades may be trusted.
    """

    period: str
    subject_class: str
    run_id: int
    root: bytes
    statements: int
    log_index: int
    is_new: bool
    sent: Mapping[str, int]
    without_custodian: int
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What stays the same through one publication of all classes."""

    outbox: Outbox = field(repr=False)
    catalog: Catalog = field(repr=False)
    vault: Vault = field(repr=False)
    signer: Signer
    period: Period
    now_ms: int
    progress: ProgressReporter = field(repr=False)


def publish(
    engine: Engine,
    outbox: Outbox,
    catalog: Catalog,
    *,
    vault: Vault,
    signer: Signer,
    period: Period,
    now: datetime,
    subject_class: str | None = None,
    progress: ProgressReporter = no_progress,
) -> tuple[Publication, ...]:
    """Publish the grades that hold for a period and were not published yet.

    Args:
        engine: The hub's database, the outbox' tables included.
        outbox: Queue of the hub's downlink.
        catalog: Must carry the runs' models.
        vault: Opens results, seals statements.
        signer: The hub and its signing key.
        period: The rating period.
        now: Moment of the publication, UTC.
        subject_class: Id or alias of one class; None for every class that was graded.
        progress: Told between the steps.

    Returns:
        The publications that stand now, one per class.

    Raises:
        NotGradedError: The period, or the class named, was not graded.
        GradingError: A run's model is not the one at hand, or it holds what is suspect since.
        HubStoreError: The database failed; nothing of the class was published.
    """
    job = _Job(
        outbox=outbox,
        catalog=catalog,
        vault=vault,
        signer=signer,
        period=period,
        now_ms=to_ms(now),
        progress=progress,
    )
    with reading(engine) as connection:
        classes = held_classes(connection, catalog, period, subject_class)
    return tuple(_publish_class(engine, job, one) for one in classes)


def _publish_class(engine: Engine, job: _Job, subject_class: str) -> Publication:
    job.progress(f"publishing {subject_class}", 0)
    with writing(engine) as connection:
        held = hold_run(connection, job.catalog, job.period, subject_class)
        if is_suspect_moment(connection, held.run.inputs_at_ms):
            raise GradingError(
                f"{subject_class} of {job.period.name} was graded with what is suspect since then; "
                f"grade it anew: yixin hub grade --period {job.period.name}"
            )
        pages = _Pages(job=job, held=held)
        tree = Tree(leaf_hash(body) for page in pages.read(connection) for _, body in page)
        standing = latest_publication(connection, job.period.name, subject_class)
        if standing is not None and not tree.size:
            return _publication(held, standing, {}, is_new=False, without_custodian=0)
        signature = sign_tree(job.signer.key, PUBLICATION_TYPE, tree)
        record = PublicationRecord(
            period=job.period.name,
            run_id=held.run_id,
            root=tree.root,
            group_size=tree.size,
            key_id=job.signer.key.verifying.key_id,
            signature=signature.classical,
            pq_signature=signature.post_quantum,
            log_index=append_leaves(connection, [_leaf(tree.root, job)]),
            published_at_ms=job.now_ms,
        )
        publication_id = store_publication(connection, record)
        mailbox = Mailbox(connection, job.outbox, job.catalog, job.period, record)
        done = 0
        for page in pages.read(connection):
            where = StatementPlace(
                publication_id=publication_id,
                root=tree.root,
                first_index=done,
                place=pages.place,
            )
            add_statements(connection, job.vault, where, [_stored(*one) for one in page])
            codes = [result.subject for result, _ in page]
            institutions = institutions_of(connection, job.vault, pages.register, codes)
            for index, (result, body) in enumerate(page, start=done):
                mailbox.post(institutions.get(result.subject), body, index, tree)
            done += len(page)
            job.progress(f"publishing {subject_class}", done, tree.size, "statements")
        mailbox.send()
    return _publication(
        held, record, mailbox.sent(), is_new=True, without_custodian=mailbox.unaddressed
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pages:
    """The statements of a run that were not published yet, page by page, as often as wanted."""

    job: _Job
    held: HeldRun

    @property
    def register(self) -> InformationItem:
        """The register of the run's subjects."""
        return self.job.catalog.items[self.held.model.register.item]

    @property
    def place(self) -> Place:
        """Period and class of the run."""
        run = self.held.run
        return Place(period=run.period, subject_class=run.subject_class)

    def read(self, connection: Connection) -> Iterator[list[tuple[Result, bytes]]]:
        """The pages; the same results give the same bytes every time."""
        shows_inputs = self.register.subject_type == INSTITUTION
        for batch in self.held.batches(connection, self.job.vault, is_unpublished(self.place)):
            yield list(grade_statements(batch, shows_inputs=shows_inputs))


def _stored(result: Result, body: bytes) -> PublishedStatement:
    return PublishedStatement(
        subject=result.subject,
        version=result.version,
        digest=hashlib.sha256(body).digest(),
        body=body,
    )


def _leaf(root: bytes, job: _Job) -> NewLeaf:
    return event_leaf(
        transparency_pb2.LOG_KIND_PUBLICATION,
        hub=job.signer.hub,
        digest=root,
        word="publication",
        at_ms=job.now_ms,
        purpose=PURPOSE,
        period=job.period.name,
    )


def _publication(
    held: HeldRun,
    record: PublicationRecord,
    sent: Mapping[str, int],
    *,
    is_new: bool,
    without_custodian: int,
) -> Publication:
    return Publication(
        period=record.period,
        subject_class=held.run.subject_class,
        run_id=record.run_id,
        root=record.root,
        statements=record.group_size,
        log_index=record.log_index,
        is_new=is_new,
        sent=sent,
        without_custodian=without_custodian,
        basis=held.model.status.value,
    )
