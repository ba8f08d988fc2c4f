"""Answers to what members sent about sharing: requests, and envelopes to pass on.

Numbered as applied to each received payload, in one transaction:

1. It is opened from the stored envelope, as it was proved when it was logged.
2. A request is answered when an agreement that is served on request covers asker, purpose, data
   class, classes, fields and period; the answer is a product, and a QUERY leaf.
3. Else it is refused: REFUSED_REQUEST leaf, and an answer whose wording names the rule.
4. An envelope to pass on goes to its department as the very bytes that came, under the agreement
   it names; this hub holds no key that opens it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from hub.agreements.building import Asked, build_manifest
from hub.agreements.delivering import (
    SCHEMA_VERSION,
    queue_product,
    stored_product,
    verify_recipient,
)
from hub.agreements.refusing import record, rule_of
from hub.agreements.signing import get_in_force
from hub.domain.members import MemberKind, MemberStatus
from hub.errors import AgreementRefusedError, NotPublishedError
from hub.store import deliveries, envelopes, log, members
from hub.store.engine import reading, writing
from protos.yixin.v1 import envelope_pb2, sharing_pb2
from security.envelope import open_envelope, parse_envelope
from security.errors import AgreementError, SecurityError
from security.sharing import Frequency, verify_request
from security.sharing.agreement import PRODUCT
from security.sharing.coverage import FORWARD, FORWARDED, PRODUCT_REFUSAL, PRODUCT_REQUEST
from security.sharing.forwarded import parse_forward
from security.transparency import parse_leaf

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.agreements.building import Manifest
    from hub.agreements.room import SharingRoom
    from hub.store.deliveries import SharingTask
    from security.envelope import OpenedEnvelope
    from security.sharing import Agreement

ROUND: Final = 16
ON_REQUEST: Final = "on request"
"""Who made a product that a request asked for, in the place of the officer."""
_LOG: Final = logging.getLogger(__name__)


def answer_waiting(room: SharingRoom, now_ms: int) -> int:
    """Handle some of what waits, oldest first.

    Args:
        room: The parts of the hub that share.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Returns:
        How many payloads were handled; 0 when nothing waits.

    Raises:
        HubStoreError: The database failed; what was not handled waits on.
    """
    with reading(room.engine) as connection:
        tasks = deliveries.open_tasks(connection, ROUND)
    for task in tasks:
        try:
            with writing(room.engine) as connection:
                _handle(connection, room, task, now_ms)
                deliveries.settle_task(connection, task.log_index, now_ms)
        except SecurityError:
            # Its contents were emptied or its keys are gone: nobody can answer it any more.
            _LOG.exception("payload %d about sharing could not be opened", task.log_index)
            with writing(room.engine) as connection:
                deliveries.settle_task(connection, task.log_index, now_ms)
    return len(tasks)


def _handle(connection: Connection, room: SharingRoom, task: SharingTask, now_ms: int) -> None:
    opened = _open(connection, room, task)
    if task.payload_type == PRODUCT_REQUEST:
        _answer(connection, room, opened, now_ms)
    elif task.payload_type == FORWARD:
        _pass_on(connection, room, opened, now_ms)


def _open(connection: Connection, room: SharingRoom, task: SharingTask) -> OpenedEnvelope:
    """The stored envelope, opened as of the moment it was logged (step 1)."""
    raw = envelopes.load_raw(connection, [task.log_index]).get(task.log_index, b"")
    (stored,) = log.leaves(connection, task.log_index, task.log_index + 1)
    room.keys.learn(connection, task.sender)
    return open_envelope(
        parse_envelope(raw),
        recipient=room.identity.hub,
        decryption_keys=room.identity.decryption_keys,
        keyring=room.keys.keyring,
        now_ms=parse_leaf(stored.leaf).logged_at_ms,
    )


def _answer(connection: Connection, room: SharingRoom, opened: OpenedEnvelope, now_ms: int) -> None:
    header = opened.header
    request = sharing_pb2.ProductRequest.FromString(opened.payload)
    asked = Asked(
        period=request.period,
        subjects=tuple(request.subjects),
        subject_classes=tuple(request.subject_classes),
        fields=tuple(request.fields),
        request_id=request.request_id,
    )
    try:
        # 2. Coverage and answer.
        agreement, manifest = _covered(connection, header, asked, now_ms)
        queue_product(connection, room, agreement, asked, manifest)
        row = stored_product(
            agreement,
            asked,
            manifest,
            slot="",
            correction=False,
            officer=ON_REQUEST,
            now_ms=now_ms,
        )
        deliveries.add_product(connection, row)
        rule, answer = "", manifest.digest
    except AgreementError as error:
        # 3. Refusal.
        rule, answer = rule_of(str(error)), str(error).encode()
        _refuse(connection, room, header, asked, str(error))
    record(
        connection,
        room.identity,
        asker=header.sender,
        agreement=header.agreement,
        purpose=header.purpose,
        period=header.period,
        question=opened.payload,
        answer=answer,
        rule=rule,
        word=PRODUCT_REQUEST,
        now_ms=now_ms,
    )


def _covered(
    connection: Connection, header: envelope_pb2.EnvelopeHeader, asked: Asked, now_ms: int
) -> tuple[Agreement, Manifest]:
    """The agreement that covers a request, and the product it asks for.

    Raises:
        AgreementError: No agreement of that name is in force, or it does not cover this.
    """
    agreement = _named(connection, header.agreement, now_ms)
    verify_request(
        agreement,
        asker=header.sender,
        purpose=header.purpose,
        subject_classes=asked.subject_classes,
        fields=asked.fields,
        subjects=asked.subjects,
        at_ms=now_ms,
    )
    if header.data_class != agreement.data_class:
        raise AgreementError(
            f"data_class: asked for {header.data_class!r}, agreement {agreement.reference} says "
            f"{agreement.data_class!r}"
        )
    if agreement.frequency is not Frequency.REQUEST or agreement.payload_type != PRODUCT:
        raise AgreementError(
            f"frequency: {agreement.reference} is delivered each {agreement.frequency}, not on "
            "request"
        )
    verify_recipient(connection, agreement)
    try:
        return agreement, build_manifest(connection, agreement, asked)
    except NotPublishedError as error:
        raise AgreementError(
            f"period: nothing that {agreement.reference} covers is published for {asked.period}"
        ) from error


def _named(connection: Connection, agreement: str, now_ms: int) -> Agreement:
    """The agreement a request names; who asks reads what to do there, not at the hub."""
    try:
        return get_in_force(connection, agreement, now_ms)
    except AgreementRefusedError as error:
        raise AgreementError(
            f"agreement: {agreement[:80]!r} is not in force at this hub; ask the hub's officer for "
            "the id and version of the agreement with you, and name it as ID@VERSION"
        ) from error


def _refuse(
    connection: Connection,
    room: SharingRoom,
    header: envelope_pb2.EnvelopeHeader,
    asked: Asked,
    wording: str,
    *,
    refused: bytes = b"",
) -> None:
    refusal = sharing_pb2.Product(
        format=1,
        agreement=header.agreement,
        period=asked.period,
        request_id=asked.request_id,
        digest=refused,
        refusal=wording,
    )
    room.outbox.append(
        connection,
        recipient=header.sender,
        lane=envelope_pb2.LANE_BULK,
        payload_type=PRODUCT_REFUSAL,
        schema_version=SCHEMA_VERSION,
        purpose=header.purpose,
        data_class=header.data_class,
        period=asked.period,
        payload=refusal.SerializeToString(deterministic=True),
        pack_digest=room.catalog.digest,
    )


def _pass_on(
    connection: Connection, room: SharingRoom, opened: OpenedEnvelope, now_ms: int
) -> None:
    header = opened.header
    forward = parse_forward(opened.payload)
    inner = forward.header
    member = members.find_member(connection, inner.recipient)
    is_served = (
        member is not None
        and member.kind is MemberKind.DEPARTMENT
        and member.status is MemberStatus.ACTIVE
    )
    if not is_served:
        wording = f"recipient: {inner.recipient} is no active department of this hub"
        record(
            connection,
            room.identity,
            asker=header.sender,
            agreement=header.agreement,
            purpose=header.purpose,
            period=header.period,
            question=opened.hash,
            answer=wording.encode(),
            rule=rule_of(wording),
            word=FORWARD,
            now_ms=now_ms,
        )
        named = forward.leaf.envelope_hash
        _refuse(connection, room, header, Asked(period=header.period), wording, refused=named)
        return
    # 4. The very bytes.
    room.outbox.append(
        connection,
        recipient=inner.recipient,
        lane=envelope_pb2.LANE_BULK,
        payload_type=FORWARDED,
        schema_version=SCHEMA_VERSION,
        purpose=header.purpose,
        data_class=header.data_class,
        period=header.period,
        payload=opened.payload,
        pack_digest=header.pack_digest,
        agreement=header.agreement,
    )
