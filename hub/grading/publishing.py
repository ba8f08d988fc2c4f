"""Publication (公布) of a run: signed once as a group, logged, and sent to the custodians.

The steps, in order, in one transaction:

0. The run that holds for the period; its versions that were published before are left out.
1. A statement per remaining result, in order of the institution codes.
2. One signature over the Merkle root of all statements.
3. A leaf of the transparency log with that root.
4. Each statement with its own proof to every custodian of its institution in the period.

Nothing is left to publish → nothing is written, and the publication before stands.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from hub.grading.recomputing import HeldRun, hold_run
from hub.grading.statements import grade_statements
from hub.store import custody
from hub.store.engine import writing
from hub.store.log import NewLeaf, append_leaves
from hub.store.publications import (
    PublicationRecord,
    PublishedStatement,
    latest_publication,
    published_versions,
    store_publication,
)
from protos.yixin.v1 import envelope_pb2, statement_pb2, transparency_pb2
from security.group_signature import Proof, sign_group
from security.progress import no_progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from scoring_kernel import Catalog
    from scoring_kernel.periods import Period
    from security.at_rest import Vault
    from security.exchange.outbox import Outbox
    from security.keys import Signature, SigningKey
    from security.progress import ProgressReporter

PUBLICATION_TYPE: Final = "yixin/publication/v1"
PAYLOAD_TYPE: Final = "grade_statements"
SCHEMA_VERSION: Final = 1
PURPOSE: Final = "credit_rating"
DATA_CLASS: Final = "grade"
TARGET_BYTES: Final = 512 * 1024
_FRAME_BYTES: Final = 8
"""Upper bound of what protobuf adds around one statement in a batch."""


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
    """The publication that stands for a period.

    Attributes:
        period: Rating period.
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
    run_id: int
    root: bytes
    statements: int
    log_index: int
    is_new: bool
    sent: Mapping[str, int]
    without_custodian: int
    basis: str


def publish(
    engine: Engine,
    outbox: Outbox,
    catalog: Catalog,
    *,
    vault: Vault,
    signer: Signer,
    period: Period,
    now: datetime,
    progress: ProgressReporter = no_progress,
) -> Publication:
    """Publish the grades that hold for a period and were not published yet.

    Args:
        engine: The hub's database, the outbox' tables included.
        outbox: Queue of the hub's downlink.
        catalog: Must carry the run's model.
        vault: Opens results, seals statements.
        signer: The hub and its signing key.
        period: The rating period.
        now: Moment of the publication, UTC.
        progress: Told between the steps.

    Returns:
        The publication that stands now.

    Raises:
        NotGradedError: The period was not graded.
        GradingError: The run's model is not the one at hand.
        HubStoreError: The database failed; nothing was published.
    """
    progress("publishing", 0)
    with writing(engine) as connection:
        held = hold_run(connection, vault, catalog, period)
        fresh = _unpublished(connection, held)
        standing = latest_publication(connection, period.name)
        if standing is not None and not fresh.results:
            return _publication(held, standing, {}, is_new=False, without_custodian=0)
        bodies = [
            (result.subject, result.version, body) for result, body in grade_statements(fresh)
        ]
        root, proofs, signature = sign_group(
            signer.key, PUBLICATION_TYPE, [body for _, _, body in bodies]
        )
        now_ms = int(now.timestamp() * 1000)
        record = PublicationRecord(
            period=period.name,
            run_id=held.run_id,
            root=root,
            group_size=len(bodies),
            key_id=signer.key.verifying.key_id,
            signature=signature.ed25519,
            pq_signature=signature.mldsa65,
            log_index=append_leaves(connection, [_leaf(root, signer.hub, period, now_ms)]),
            published_at_ms=now_ms,
        )
        store_publication(
            connection,
            vault,
            record,
            [
                PublishedStatement(
                    subject=subject,
                    version=version,
                    digest=hashlib.sha256(body).digest(),
                    body=body,
                )
                for subject, version, body in bodies
            ],
        )
        receivers = _custodians(connection, catalog, period, [code for code, _, _ in bodies])
        sent: Counter[str] = Counter()
        for member, payload, count in _payloads(
            bodies, proofs, signature, record.key_id, receivers
        ):
            outbox.append(
                connection,
                recipient=member,
                lane=envelope_pb2.LANE_BULK,
                payload_type=PAYLOAD_TYPE,
                schema_version=SCHEMA_VERSION,
                purpose=PURPOSE,
                data_class=DATA_CLASS,
                period=period.name,
                payload=payload,
                pack_digest=catalog.digest,
            )
            sent[member] += count
    progress("publishing", len(bodies), len(bodies), "statements")
    alone = sum(not members for members in receivers)
    found = dict(sorted(sent.items()))
    return _publication(held, record, found, is_new=True, without_custodian=alone)


def _unpublished(connection: Connection, held: HeldRun) -> HeldRun:
    """The part of a run whose versions were never published."""
    known = published_versions(connection, held.run.period)
    kept = np.array(
        [result.version > known.get(result.subject, 0) for result in held.results], np.bool_
    )
    return replace(
        held,
        results=tuple(held.results[row] for row in np.flatnonzero(kept)),
        inputs=held.inputs.rows(kept),
    )


def _leaf(root: bytes, hub: str, period: Period, now_ms: int) -> NewLeaf:
    leaf = transparency_pb2.LogLeaf(
        kind=transparency_pb2.LOG_KIND_PUBLICATION,
        logged_at_ms=now_ms,
        envelope_hash=root,
        sender=hub,
        payload_type="publication",
        purpose=PURPOSE,
        period=period.name,
    )
    return NewLeaf(
        kind=transparency_pb2.LOG_KIND_PUBLICATION,
        leaf=leaf.SerializeToString(deterministic=True),
        period=period.name,
    )


def _custodians(
    connection: Connection, catalog: Catalog, period: Period, subjects: Sequence[str]
) -> list[tuple[str, ...]]:
    """Members that state a slot of each subject in the period."""
    register = custody.register(connection)
    slots = [(name, month) for name in sorted(catalog.measure_sets) for month in period.months]
    found: list[tuple[str, ...]] = []
    for subject in subjects:
        members = {register.custodian(subject, name, month) for name, month in slots}
        found.append(tuple(sorted(member for member in members if member is not None)))
    return found


def _payloads(
    bodies: Sequence[tuple[str, int, bytes]],
    proofs: Sequence[Proof],
    signature: Signature,
    key_id: str,
    receivers: Sequence[tuple[str, ...]],
) -> Iterator[tuple[str, bytes, int]]:
    """Batches of signed statements by custodian.

    Yields:
        Member id, serialised GradeStatements within ``TARGET_BYTES``, number of statements.
    """
    batches: dict[str, list[statement_pb2.SignedGradeStatement]] = {}
    sizes: Counter[str] = Counter()
    for (_, _, body), proof, members in zip(bodies, proofs, receivers, strict=True):
        signed = statement_pb2.SignedGradeStatement(
            body=body,
            key_id=key_id,
            leaf_index=proof.leaf_index,
            group_size=proof.group_size,
            path=proof.path,
            signature=signature.ed25519,
            pq_signature=signature.mldsa65,
        )
        size = signed.ByteSize() + _FRAME_BYTES
        for member in members:
            if batches.get(member) and sizes[member] + size > TARGET_BYTES:
                yield member, *_batch(batches.pop(member))
                sizes[member] = 0
            batches.setdefault(member, []).append(signed)
            sizes[member] += size
    for member in sorted(batches):
        yield member, *_batch(batches[member])


def _batch(signed: Sequence[statement_pb2.SignedGradeStatement]) -> tuple[bytes, int]:
    message = statement_pb2.GradeStatements(statements=signed)
    return message.SerializeToString(deterministic=True), len(signed)


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
        run_id=record.run_id,
        root=record.root,
        statements=record.group_size,
        log_index=record.log_index,
        is_new=is_new,
        sent=sent,
        without_custodian=without_custodian,
        basis=held.model.status.value,
    )
