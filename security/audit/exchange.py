"""The checks of one exchange: a leaf of the log, its envelope and its receipt.

Each step collects its failures and goes on wherever the next one still means something:

1. The leaf names this hub on the side that its kind says.
2. The chain goes on without gap or fork.
3. The envelope's header says what the leaf says, and the ciphertext is the one logged.
4. It was logged within its times, from a sender whose key was certified then.
5. The sender signed it.
6. The receipt is the hub's and says what the leaf says.

What was sent cannot be judged here: nothing is decrypted.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2, transparency_pb2
from security.audit.report import Failure, Verdict
from security.certificates import SIGNING
from security.chain import GENESIS, ChainPosition, Step, check_next
from security.envelope import parse_header, verify_envelope
from security.errors import (
    ChainForkError,
    ChainGapError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
    UntrustedReceiptError,
)
from security.exchange.receipts import verify_receipt
from security.headers import MAX_CLOCK_AHEAD_MS

if TYPE_CHECKING:
    from protos.yixin.v1 import exchange_pb2
    from security.certificates import Keyring

ENVELOPE: Final = transparency_pb2.LOG_KIND_ENVELOPE
DELIVERY: Final = transparency_pb2.LOG_KIND_DELIVERY

_SHARED_FIELDS: Final = (
    "sender",
    "recipient",
    "lane",
    "incarnation",
    "seq",
    "payload_type",
    "purpose",
    "period",
    "agreement",
)


class ChainAuditor:
    """Follows every chain of a log from leaf to leaf."""

    def __init__(self, *, from_start: bool) -> None:
        """Begin.

        Args:
            from_start: Whether the first leaf seen is the log's first: then every chain must
                begin at its beginning, else it may begin anywhere.
        """
        self._from_start = from_start
        self._held: dict[tuple[str, str, int], ChainPosition] = {}
        self._known: dict[tuple[str, str, int], dict[tuple[int, int], bytes]] = {}

    def follow(
        self,
        leaf: transparency_pb2.LogLeaf,
        header: envelope_pb2.EnvelopeHeader | None,
    ) -> Failure | None:
        """Check that a leaf goes on where its chain stood.

        Args:
            leaf: The next leaf.
            header: Header of its envelope where it is shown; without it, only the numbering of
                the chain is checked, not the hashes that link it.
        """
        chain = (leaf.sender, leaf.recipient, leaf.lane)
        known = self._known.setdefault(chain, {})
        here = ChainPosition(incarnation=leaf.incarnation, seq=leaf.seq, hash=leaf.envelope_hash)
        held = self._held.get(chain)
        if header is not None and (header.incarnation, header.seq) != (leaf.incarnation, leaf.seq):
            header = None
        if held is None and not self._from_start:
            failure = None
        else:
            failure = _find_chain_failure(held or GENESIS, known, here, header)
        known.setdefault((here.incarnation, here.seq), here.hash)
        if held is None or (here.incarnation, here.seq) > (held.incarnation, held.seq):
            self._held[chain] = here
        return failure


def _find_chain_failure(
    held: ChainPosition,
    known: dict[tuple[int, int], bytes],
    here: ChainPosition,
    header: envelope_pb2.EnvelopeHeader | None,
) -> Failure | None:
    place = f"incarnation {here.incarnation}, seq {here.seq}"
    stood = f"the chain stood at incarnation {held.incarnation}, seq {held.seq}"
    try:
        step = check_next(
            held,
            lambda incarnation, seq: known.get((incarnation, seq)),
            header or _numbering(held, here),
            here.hash,
            issued_incarnation=max(1, held.incarnation, here.incarnation),
        )
    except ChainForkError:
        return Failure(check="chain_fork", detail=f"{place} has two histories; {stood}")
    except ChainGapError:
        return Failure(check="chain_gap", detail=f"{place} leaves a gap; {stood}")
    if step is Step.SAME:
        return Failure(check="logged_twice", detail=f"{place} is already in the log; {stood}")
    return None


def _numbering(held: ChainPosition, here: ChainPosition) -> envelope_pb2.EnvelopeHeader:
    begins = here.incarnation > held.incarnation
    return envelope_pb2.EnvelopeHeader(
        incarnation=here.incarnation,
        seq=here.seq,
        previous_hash=held.hash,
        cited_incarnation=held.incarnation if begins else 0,
        cited_seq=held.seq if begins else 0,
    )


def find_leaf_failures(leaf: transparency_pb2.LogLeaf, hub: str) -> list[Failure]:
    """Step 1: whether the leaf of an envelope names the hub on the right side."""
    side, named = (
        ("recipient", leaf.recipient) if leaf.kind == ENVELOPE else ("sender", leaf.sender)
    )
    if named == hub:
        return []
    return [Failure(check="leaf", detail=f"{side} is {named[:120]!r}, expected {hub}")]


def find_envelope_failures(
    leaf: transparency_pb2.LogLeaf, envelope: envelope_pb2.SealedEnvelope, keyring: Keyring
) -> tuple[envelope_pb2.EnvelopeHeader | None, list[Failure]]:
    """Steps 3 to 5: everything that an envelope itself proves.

    Args:
        leaf: Its leaf.
        envelope: The envelope whose hash the leaf holds.
        keyring: Keys certified by the anchor.

    Returns:
        The header, None when it does not parse, and the failures.
    """
    # 3. Header and ciphertext.
    try:
        header = parse_header(envelope)
    except UntrustedEnvelopeError as error:
        return None, [Failure(check="envelope_format", detail=error.cause)]
    failures = [
        Failure(check="leaf_differs", detail=f"{name} of header and leaf differ")
        for name in _SHARED_FIELDS
        if getattr(header, name) != getattr(leaf, name)
    ]
    if hashlib.sha256(envelope.ciphertext).digest() != leaf.ciphertext_hash:
        failures.append(Failure(check="leaf_differs", detail="hash of the ciphertext differs"))
    # 4. Times and the sender's key.
    if leaf.logged_at_ms > header.expires_at_ms:
        failures.append(Failure(check="expired", detail="logged after the envelope had expired"))
    if header.created_at_ms > leaf.logged_at_ms + MAX_CLOCK_AHEAD_MS:
        failures.append(Failure(check="from_the_future", detail="logged before it was sealed"))
    try:
        key = keyring.find(header.sender, header.sender_key_id, SIGNING, leaf.logged_at_ms)
    except UntrustedCertificateError as error:
        failures.append(Failure(check="sender_key", detail=error.cause))
        return header, failures
    # 5. Signature.
    try:
        verify_envelope(envelope, header, key)
    except UntrustedEnvelopeError as error:
        failures.append(Failure(check="signature", detail=error.cause))
    return header, failures


def find_receipt_failures(
    index: int,
    leaf: transparency_pb2.LogLeaf,
    receipt: exchange_pb2.Receipt | None,
    keyring: Keyring,
) -> list[Failure]:
    """Step 6: whether the hub promised what the log says.

    Args:
        index: Index of the leaf.
        leaf: Leaf of an accepted envelope.
        receipt: Its receipt, None when none is shown.
        keyring: Keys certified by the anchor.
    """
    if receipt is None:
        missing = "no receipt is shown"
        return [Failure(check="receipt", detail=missing, verdict=Verdict.INDETERMINATE)]
    try:
        found = verify_receipt(receipt, keyring, hub=leaf.recipient, sender=leaf.sender)
    except UntrustedReceiptError as error:
        return [Failure(check="receipt", detail=error.cause)]
    here = ChainPosition(incarnation=leaf.incarnation, seq=leaf.seq, hash=leaf.envelope_hash)
    differences = {
        "log index": found.log_index != index,
        "lane": found.lane != leaf.lane,
        "place in the chain or hash": found.position != here,
        "time": found.logged_at_ms != leaf.logged_at_ms,
    }
    return [
        Failure(check="receipt_differs", detail=f"{name} of receipt and leaf differ")
        for name, differs in differences.items()
        if differs
    ]
