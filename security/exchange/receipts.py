"""Receipts (回执): what a member makes of the hub's promises.

Steps, in order (``verify_receipt``):
    0. Sizes are bounded before anything is parsed.
    1. The signing key is certified for the hub and valid when it signed: at the logged time, or
       later where a restored hub says so of an envelope that its log had from before.
    2. The body is a leaf of the signed commit group, by the SM2 key too where it names one. The
       sender requires that for an envelope of suite GM, since its hub has such a key.
    3. The body is about this member, this hub and one place of a chain.
Whether the place holds that envelope is the archive's to say (``archive.settle``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import exchange_pb2
from security.certificates import CLOCK_SKEW_MS, SIGNING
from security.chain import LANES, ChainPosition
from security.countersigning import find_countersigner, is_countersigning
from security.encoding import parse_exactly
from security.errors import (
    SecurityError,
    UntrustedReceiptError,
    cause_of,
)
from security.exchange.heads import MAX_COUNTER
from security.group_signature import Proof, verify_member
from security.keys import Signature

if TYPE_CHECKING:
    from security.certificates import Keyring

PAYLOAD_TYPE: Final = "yixin/receipt-group/v1"
MAX_BODY_BYTES: Final = 1024
MAX_PATH: Final = 32
FORMAT: Final = 1

_STATUSES: Final = (
    exchange_pb2.RECEIPT_STATUS_STORED,
    exchange_pb2.RECEIPT_STATUS_QUARANTINED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReceipt:
    """A receipt whose proof was verified."""

    hub: str
    """Member id of the receipting hub."""
    lane: int
    """Lane of the chain."""
    position: ChainPosition
    """Place in the chain and hash of the envelope."""
    log_index: int
    """Index of the leaf in the hub's transparency log, from 0."""
    logged_at_ms: int
    """Moment of logging, milliseconds since the epoch, UTC."""
    signed_at_ms: int
    """When the hub signed: with the logging, or later where it was restored in between."""
    status: int
    """``ReceiptStatus``: stored or quarantined."""
    quarantined_parts: int
    """Number of refused slots or rows."""
    backed_up_through: int
    """Highest seq of the chain that is in a backup; 0 when none."""
    body: bytes = field(repr=False)
    """Serialised ReceiptBody, as received."""
    receipt: bytes = field(repr=False)
    """Serialised Receipt with its proof."""

    @property
    def is_quarantined(self) -> bool:
        """Whether some or all content was refused."""
        return self.status == exchange_pb2.RECEIPT_STATUS_QUARANTINED


def verify_receipt(
    receipt: exchange_pb2.Receipt, keyring: Keyring, *, hub: str, sender: str, suite: str = ""
) -> VerifiedReceipt:
    """Verify a receipt and read it.

    Args:
        receipt: Receipt as received.
        keyring: Keys certified by the hub's anchor.
        hub: Hub that must have signed.
        sender: This member.
        suite: Suite of the envelope, to the sender who holds it; empty where the receipt alone is
            judged.

    Returns:
        The receipt, verified.

    Raises:
        UntrustedReceiptError: Not signed by the hub, flipped, or about another member.
    """
    # 0.
    if len(receipt.path) > MAX_PATH:
        raise UntrustedReceiptError(f"its path has {len(receipt.path)} hashes")
    try:
        body = parse_exactly(exchange_pb2.ReceiptBody, receipt.body, MAX_BODY_BYTES)
        # 1.
        signed_at_ms = max(body.logged_at_ms, body.signed_at_ms)
        key = keyring.find(hub, receipt.key_id, SIGNING, signed_at_ms)
        # 2.
        proof = Proof(
            leaf_index=receipt.leaf_index,
            group_size=receipt.group_size,
            path=tuple(receipt.path),
        )
        signature = Signature(classical=receipt.signature, post_quantum=receipt.pq_signature)
        verify_member(key.verifying, PAYLOAD_TYPE, receipt.body, proof, signature)
        countersigner = find_countersigner(
            keyring,
            hub,
            body.sm2_key_id,
            receipt.sm2_signature,
            at_ms=signed_at_ms,
            is_required=is_countersigning(suite)
            and signed_at_ms >= _issued_ms(keyring.first_ms(hub, SIGNING, suite)),
        )
        if countersigner is not None:
            second = Signature(classical=receipt.sm2_signature)
            verify_member(countersigner, PAYLOAD_TYPE, receipt.body, proof, second)
    except (ValueError, SecurityError) as error:
        raise UntrustedReceiptError(cause_of(error)) from error
    # 3.
    faults = {
        f"format {body.format}, expected {FORMAT}": body.format != FORMAT,
        f"it is by {body.hub[:120]!r}, expected {hub}": body.hub != hub,
        f"it is for {body.sender[:120]!r}, expected {sender}": body.sender != sender,
        f"lane {body.lane} or status {body.status} does not exist": body.lane not in LANES
        or body.status not in _STATUSES,
        "it names no place of a chain": not 0 < body.incarnation <= MAX_COUNTER
        or not 0 < body.seq <= MAX_COUNTER
        or len(body.envelope_hash) != 32,
        "its numbers are out of bounds": body.log_index > MAX_COUNTER
        or body.backed_up_through > MAX_COUNTER
        or body.logged_at_ms <= 0
        or 0 != body.signed_at_ms < body.logged_at_ms,
    }
    for fault, found in faults.items():
        if found:
            raise UntrustedReceiptError(fault)
    return VerifiedReceipt(
        hub=hub,
        lane=body.lane,
        position=ChainPosition(incarnation=body.incarnation, seq=body.seq, hash=body.envelope_hash),
        log_index=body.log_index,
        logged_at_ms=body.logged_at_ms,
        signed_at_ms=signed_at_ms,
        status=body.status,
        quarantined_parts=body.quarantined_parts,
        backed_up_through=body.backed_up_through,
        body=receipt.body,
        receipt=receipt.SerializeToString(deterministic=True),
    )


def _issued_ms(first_ms: int | None) -> int:
    """When a key was certified that is valid from a moment on; always, where none is known."""
    return 0 if first_ms is None else first_ms + CLOCK_SKEW_MS
