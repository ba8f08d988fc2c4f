"""Receipts as a proof file: what the hub promised, for somebody who trusts neither side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from security.exchange.key_lives import own_of
from security.exchange.member_files import own_certificates
from security.exchange.tables import outbox, receipts
from security.moments import to_ms
from security.progress import ProgressReporter, no_progress
from security.proof_files import ProofHead, ProofKind, ReceiptProof, write_proofs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from security.exchange.membership import Membership

REPORT_EVERY = 500


def export_receipts(
    conn: Connection,
    membership: Membership,
    out: Path,
    *,
    envelopes: bool,
    now: datetime,
    progress: ProgressReporter = no_progress,
) -> int:
    """Write every receipt of the member's hub into a proof file.

    Args:
        conn: Connection to the member's exchange database; nothing is changed.
        membership: Who sent, and the hub that receipted.
        out: The new file.
        envelopes: Whether the sealed envelopes that are still archived go with them.
        now: Present moment, UTC-aware.
        progress: Told the receipts written, of all.

    Returns:
        Number of receipts.

    Raises:
        KeyFileError: The file cannot be written.
        MembershipError: The file of old certificates is damaged.
    """
    joined = membership.joined
    own = {
        bytes(one.body): one for one in (*own_certificates(membership.directory), *own_of(joined))
    }
    head = ProofHead(
        kind=ProofKind.RECEIPTS,
        hub=membership.hub_id,
        member=membership.member_id,
        made_at_ms=to_ms(now),
        certificates=tuple(
            one.SerializeToString(deterministic=True) for one in (*own.values(), *joined.hub_keys)
        ),
        # With these a hub that lost its database finds out again whom it revoked.
        revocations=joined.revocations.SerializeToString(deterministic=True),
        policy=joined.policy.SerializeToString(deterministic=True),
    )
    of_hub = receipts.c.hub == membership.hub_id
    total = int(conn.execute(select(func.count()).where(of_hub)).scalar_one())
    return write_proofs(
        out, head, _proofs(conn, membership.hub_id, total, envelopes=envelopes, progress=progress)
    )


def _proofs(
    conn: Connection, hub: str, total: int, *, envelopes: bool, progress: ProgressReporter
) -> Iterator[ReceiptProof]:
    archived = (
        (outbox.c.recipient == receipts.c.hub)
        & (outbox.c.lane == receipts.c.lane)
        & (outbox.c.incarnation == receipts.c.incarnation)
        & (outbox.c.seq == receipts.c.seq)
        & (outbox.c.hash == receipts.c.envelope_hash)
    )
    query = (
        select(receipts.c.receipt, outbox.c.envelope)
        .join_from(receipts, outbox, archived, isouter=True)
        .where(receipts.c.hub == hub)
        .order_by(receipts.c.id)
        .execution_options(yield_per=16)
    )
    with conn.execute(query) as result:
        for number, row in enumerate(result, start=1):
            yield ReceiptProof(
                receipt=bytes(row.receipt),
                envelope=bytes(row.envelope) if envelopes and row.envelope else None,
            )
            if number % REPORT_EVERY == 0 or number == total:
                progress("exporting", number, total, "receipts")
