"""Delivery of products (共享产品交付): once per stretch of the agreement's frequency.

Numbered as applied inside one transaction:

1. An agreement in force, that delivers by itself; its recipient is an active member, or a member
   of the hub that routes.
2. The product is built. The very same product goes out a second time only where it is asked for
   expressly, or where the recipient joined anew: it may have lost what it had. What still waits for
   it is sealed anew for its new keys; beside that nothing is queued.
3. Frequency: one product per stretch. A correction is asked for expressly, stays in the stretch
   and is marked as one: whom a published grade wronged is not left waiting for half a year.
4. Parts go to the outbox under the agreement, the product becomes a row; sealing asks the gate
   again, and every sealed part is a DELIVERY leaf that names the agreement.

What is refused is logged in a transaction of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.agreements.building import Asked, build_manifest, product_parts
from hub.agreements.refusing import record, rule_of
from hub.agreements.signing import get_in_force
from hub.domain.members import MemberStatus
from hub.errors import AgreementRefusedError
from hub.store import deliveries, members
from hub.store.engine import writing
from protos.yixin.v1 import envelope_pb2
from security.errors import AgreementError
from security.exchange import archive
from security.moments import shanghai_day
from security.sharing import Frequency
from security.sharing.agreement import PRODUCT

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hub.agreements.building import Manifest
    from hub.agreements.room import SharingRoom
    from hub.store.members import MemberRow
    from scoring_kernel.periods import Period
    from security.sharing import Agreement

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a delivery."""

    agreement: str
    """``id@version``."""
    recipient: str
    """Member id of the recipient."""
    via: str
    """Hub that routes it, or empty."""
    period: str
    """Rating period."""
    rows: int
    """Rows of the product."""
    suppressed: int
    """Cells that were suppressed."""
    parts: int
    """Parts it travels in."""
    sha256: str
    """SHA-256 of the product, hexadecimal."""
    is_new: bool
    """False when the very same product was delivered before; then nothing was queued."""
    correction: bool
    """Whether it corrects a product of the same stretch."""
    repeated: bool
    """Whether the very same product was queued once more."""
    waiting: int
    """Parts queued before, under the agreement and of the period, that still wait."""


def deliver(
    room: SharingRoom,
    agreement_id: str,
    *,
    period: Period,
    officer: str,
    correct: bool,
    again: bool = False,
    now_ms: int,
) -> Delivery:
    """Build the product of an agreement for a period and queue it for its recipient.

    Args:
        room: The parts of the hub that share.
        agreement_id: Id of the agreement.
        period: Rating period.
        officer: Who delivers, as the record names them.
        correct: Deliver a corrected product within the same stretch.
        again: Deliver the very same product once more.
        now_ms: Present moment, milliseconds since the epoch, UTC.

    Raises:
        AgreementRefusedError: No agreement covers it; the refusal was logged.
        NotPublishedError: Nothing that the agreement covers was published for the period.
    """
    try:
        with writing(room.engine) as connection:
            agreement = get_in_force(connection, agreement_id, now_ms)
            return _deliver(
                connection,
                room,
                agreement,
                period=period,
                officer=officer,
                correct=correct,
                again=again,
                now_ms=now_ms,
            )
    except (AgreementRefusedError, AgreementError) as error:
        refusal = error
    with writing(room.engine) as connection:
        record(
            connection,
            room.identity,
            asker=room.identity.hub,
            agreement=agreement_id,
            purpose="",
            period=period.name,
            question=f"deliver {agreement_id} {period.name} {officer}".encode(),
            answer=str(refusal).encode(),
            rule=rule_of(str(refusal)),
            word=PRODUCT,
            now_ms=now_ms,
        )
    raise AgreementRefusedError(str(refusal)) from refusal


def queue_product(
    connection: Connection,
    room: SharingRoom,
    agreement: Agreement,
    asked: Asked,
    manifest: Manifest,
) -> None:
    """Put the parts of a product into the outbox, under its agreement (step 4)."""
    for payload in product_parts(connection, agreement, asked, manifest):
        room.outbox.append(
            connection,
            recipient=agreement.recipient,
            lane=envelope_pb2.LANE_BULK,
            payload_type=agreement.payload_type,
            schema_version=SCHEMA_VERSION,
            purpose=agreement.purpose,
            data_class=agreement.data_class,
            period=asked.period,
            payload=payload,
            pack_digest=room.catalog.digest,
            agreement=agreement.reference,
        )


def verify_recipient(connection: Connection, agreement: Agreement) -> MemberRow | None:
    """Verify that the recipient can be served: an active member, or one of the routing hub.

    Returns:
        The member; None where the routing hub knows it.

    Raises:
        AgreementError: It cannot.
    """
    if agreement.via:
        return None
    member = members.find_member(connection, agreement.recipient)
    if member is None or member.status is not MemberStatus.ACTIVE:
        state = "has not joined this hub" if member is None else f"is {member.status}"
        raise AgreementError(f"recipient: {agreement.recipient} {state}")
    return member


def slot_of(frequency: Frequency, period: Period, now_ms: int) -> str:
    """The stretch of time of which one product is allowed.

    >>> from scoring_kernel.periods import Period
    >>> slot_of(Frequency.YEAR, Period.parse("2026H1"), 0)
    '2026'
    """
    match frequency:
        case Frequency.HALF_YEAR:
            return period.name
        case Frequency.YEAR:
            return period.name[:4]
        case Frequency.MONTH:
            return f"{shanghai_day(now_ms):%Y%m}"
        case Frequency.DAY:
            return f"{shanghai_day(now_ms):%Y%m%d}"
        case Frequency.REQUEST:
            return ""


def _deliver(
    connection: Connection,
    room: SharingRoom,
    agreement: Agreement,
    *,
    period: Period,
    officer: str,
    correct: bool,
    again: bool,
    now_ms: int,
) -> Delivery:
    # 1. Agreement and recipient.
    if agreement.frequency is Frequency.REQUEST or agreement.payload_type != PRODUCT:
        raise AgreementError(
            f"frequency: {agreement.reference} is served on request or by `yixin hub push`, not "
            "delivered"
        )
    member = verify_recipient(connection, agreement)
    # 2. Product.
    asked = Asked(period=period.name)
    manifest = build_manifest(connection, agreement, asked)
    slot = slot_of(agreement.frequency, period, now_ms)
    before = deliveries.products_of_slot(connection, agreement.id, slot)
    same = bool(before) and (before[-1].digest, before[-1].recipient) == (
        manifest.digest,
        agreement.recipient,
    )
    joined_ms = (member.joined_at_ms or 0) if member else 0
    waiting = archive.count_waiting(
        connection, agreement.recipient, agreement.reference, period.name
    )
    is_lost = again or (bool(before) and before[-1].made_at_ms < joined_ms)
    repeated = same and is_lost and waiting < manifest.parts
    # 3. Frequency.
    if before and not same and not correct:
        raise AgreementError(
            f"frequency: {agreement.reference} delivers one product per {agreement.frequency}, "
            f"and one of {slot} was delivered; a corrected one goes out with --correct"
        )
    # 4. Outbox and row.
    if repeated or not same:
        queue_product(connection, room, agreement, asked, manifest)
        deliveries.add_product(
            connection,
            stored_product(
                agreement,
                asked,
                manifest,
                slot=slot,
                correction=bool(before) and not same,
                officer=officer,
                now_ms=now_ms,
            ),
        )
    return Delivery(
        agreement=agreement.reference,
        recipient=agreement.recipient,
        via=agreement.via,
        period=period.name,
        rows=manifest.rows,
        suppressed=manifest.suppressed,
        parts=manifest.parts,
        sha256=manifest.digest.hex(),
        is_new=repeated or not same,
        correction=bool(before) and not same,
        repeated=repeated,
        waiting=waiting,
    )


def stored_product(
    agreement: Agreement,
    asked: Asked,
    manifest: Manifest,
    *,
    slot: str,
    correction: bool,
    officer: str,
    now_ms: int,
) -> deliveries.StoredProduct:
    """The row of a product that was queued."""
    return deliveries.StoredProduct(
        agreement_id=agreement.id,
        agreement=agreement.reference,
        recipient=agreement.recipient,
        period=asked.period,
        slot=slot,
        request_id=asked.request_id,
        digest=manifest.digest,
        rows=manifest.rows,
        suppressed=manifest.suppressed,
        parts=manifest.parts,
        correction=correction,
        officer=officer,
        made_at_ms=now_ms,
    )
