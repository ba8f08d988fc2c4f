"""The checks of one exchange: a leaf of the log, its envelope and its receipt.

Each is a function that gives its failures; they run in the order of ``EXCHANGE_CHECKS``, and a
failed one stops no other where that one still means something:

1. The leaf names this hub on the side that its kind says.
2. The envelope is shown, or retention has emptied it and the log says so.
3. Its header says what the leaf says, and the ciphertext is the one logged.
4. It was logged within its times.
5. A key signed it that was certified for the sender then, and not revoked; and the hub's SM2 key
   where the header names one. What only SM2 signed is undecided where SM2 does not work.
6. Its suite was allowed by the policy in force.
7. A delivery stands under a sharing agreement, or needs none.
8. The pack it was made with was released.
9. The receipt is the hub's, by its SM2 key too where it names one, and says what the leaf says.

What was sent cannot be judged here: nothing is decrypted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from protos.yixin.v1 import transparency_pb2
from security.audit.report import Failure, Verdict
from security.audit.revoking import is_revoked
from security.audit.sharing import find_carrier, find_coverage_failures
from security.certificates import SIGNING
from security.chain import ChainPosition
from security.envelope import parse_header, verify_envelope
from security.errors import (
    UnknownSuiteError,
    UntrustedCertificateError,
    UntrustedEnvelopeError,
    UntrustedReceiptError,
)
from security.exchange.receipts import verify_receipt
from security.headers import MAX_CLOCK_AHEAD_MS

if TYPE_CHECKING:
    from protos.yixin.v1 import envelope_pb2, exchange_pb2
    from security.audit.evidence import Evidence, SuiteRule

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
_shared: Final = attrgetter(*_SHARED_FIELDS)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One exchange as the bundle shows it."""

    index: int
    """Index of the leaf in the log."""
    leaf: transparency_pb2.LogLeaf
    """The leaf."""
    is_covered: bool
    """Whether the bundle is to show its envelope and receipt."""
    envelope: envelope_pb2.SealedEnvelope | None = None
    """The envelope whose hash the leaf holds, where it is shown."""
    is_replaced: bool = False
    """Whether something else stands in its place."""
    receipt: exchange_pb2.Receipt | None = None
    """The receipt, where it is shown."""
    header: envelope_pb2.EnvelopeHeader | None = field(default=None)
    """Header of the envelope, once step 3 has read it."""
    is_quarantined: bool = False
    """Whether its receipt says that content was refused."""

    @property
    def is_countersigned(self) -> bool:
        """Whether the hub signed its envelope or receipt with SM2 too."""
        shown = (self.envelope, self.receipt)
        return any(one is not None and bool(one.sm2_signature) for one in shown)


def find_side_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 1: whether the leaf names the hub on the right side."""
    leaf, hub = exchange.leaf, evidence.manifest.hub
    side, named = (
        ("recipient", leaf.recipient) if leaf.kind == ENVELOPE else ("sender", leaf.sender)
    )
    if named == hub:
        return []
    return [Failure(check="leaf", detail=f"{side} is {named[:120]!r}, expected {hub}")]


def find_missing_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 2: whether the envelope is shown, and if not, why."""
    if exchange.envelope is not None or not exchange.is_covered:
        return []
    if exchange.is_replaced:
        detail = "the envelope shown is not the one that was logged"
        return [Failure(check="envelope_replaced", detail=detail)]
    emptied_at_ms = evidence.emptied.get(exchange.leaf.envelope_hash)
    if emptied_at_ms is not None:
        check = "envelope_emptied"
        detail = f"retention had its contents deleted; the log says so at {emptied_at_ms} ms"
    else:
        check = "envelope_missing"
        detail = "the log names an envelope that the bundle does not show"
    return [Failure(check=check, detail=detail, verdict=Verdict.INDETERMINATE)]


def find_header_failures(_evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 3: whether header and ciphertext are those of the leaf; reads the header."""
    if exchange.envelope is None:
        return []
    try:
        header = parse_header(exchange.envelope)
    except UntrustedEnvelopeError as error:
        return [Failure(check="envelope_format", detail=error.cause)]
    exchange.header, leaf = header, exchange.leaf
    failures = []
    if _shared(header) != _shared(leaf):
        failures = [
            Failure(check="leaf_differs", detail=f"{name} of header and leaf differ")
            for name in _SHARED_FIELDS
            if getattr(header, name) != getattr(leaf, name)
        ]
    if hashlib.sha256(exchange.envelope.ciphertext).digest() != leaf.ciphertext_hash:
        failures.append(Failure(check="leaf_differs", detail="hash of the ciphertext differs"))
    return failures


def find_time_failures(_evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 4: whether it was logged within its times."""
    header, at_ms = exchange.header, exchange.leaf.logged_at_ms
    failures = []
    if header is not None and at_ms > header.expires_at_ms:
        failures.append(Failure(check="expired", detail="logged after the envelope had expired"))
    if header is not None and header.created_at_ms > at_ms + MAX_CLOCK_AHEAD_MS:
        failures.append(Failure(check="from_the_future", detail="logged before it was sealed"))
    return failures


def find_sender_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 5: whether a certified key that was not revoked signed it."""
    header, envelope, at_ms = exchange.header, exchange.envelope, exchange.leaf.logged_at_ms
    if header is None or envelope is None:
        return []
    carrier = find_carrier(evidence, exchange)
    try:
        key = evidence.keyring.find(header.sender, header.sender_key_id, SIGNING, at_ms)
    except UntrustedCertificateError as error:
        verdict = Verdict.INDETERMINATE if carrier else Verdict.INVALID
        mend = f"; trust the anchor of {carrier}, which routed it" if carrier else ""
        return [Failure(check="sender_key", detail=error.cause + mend, verdict=verdict)]
    failures = []
    if is_revoked(evidence, key, at_ms):
        detail = f"certificate {key.serial} of the sender was revoked before it was logged"
        failures.append(Failure(check="sender_revoked", detail=detail))
    try:
        verify_envelope(
            envelope, header, key, keyring=evidence.keyring, at_ms=at_ms, carrier=carrier
        )
    except UntrustedEnvelopeError as error:
        failures.append(Failure(check="signature", detail=error.cause))
    except UnknownSuiteError as error:
        failures.append(unchecked(error))
    return failures


def unchecked(error: UnknownSuiteError) -> Failure:
    """A signature that cannot be judged on this machine, because an extra is missing."""
    return Failure(check="signature_unchecked", detail=str(error), verdict=Verdict.INDETERMINATE)


def find_suite_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 6: whether the policy that the hub had published for the other party allowed it."""
    header = exchange.header
    if header is None or not evidence.policies:
        return []
    other = header.sender if exchange.leaf.kind == ENVELOPE else header.recipient
    # Sealed within a policy's time, it may be logged after the next one began.
    last_ms = exchange.leaf.logged_at_ms
    first_ms = min(header.created_at_ms, last_ms)
    rules = _rules_in_force(evidence.policies.get(other, ()), first_ms, last_ms)
    if not all(rule.suites for rule in rules) or not rules:
        rules += _rules_in_force(evidence.policies.get("", ()), first_ms, last_ms)
    rules = [rule for rule in rules if rule.suites]
    if not rules or any(header.suite in rule.suites for rule in rules):
        return []
    detail = f"suite {header.suite} was not allowed by policy {rules[-1].version}"
    return [Failure(check="suite_policy", detail=detail)]


def _rules_in_force(rules: Sequence[SuiteRule], first_ms: int, last_ms: int) -> list[SuiteRule]:
    """The rule that held at a moment, and those that began between it and a later one."""
    before = [rule for rule in rules if rule.since_ms <= first_ms]
    return before[-1:] + [rule for rule in rules if first_ms < rule.since_ms <= last_ms]


def find_agreement_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 7: whether a delivery stands under a sharing agreement, where it needs one."""
    if exchange.header is None or exchange.leaf.kind != DELIVERY:
        return []
    return find_coverage_failures(evidence, exchange.header, exchange.leaf.logged_at_ms)


def find_pack_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 8: whether the pack was one that was released; nothing is said without metadata."""
    header = exchange.header
    if header is None or evidence.catalogues is None or not any(header.pack_digest):
        return []
    if header.pack_digest in evidence.catalogues:
        return []
    detail = f"catalogue {header.pack_digest.hex()[:16]} is in no released pack that is shown"
    return [Failure(check="pack", detail=detail, verdict=Verdict.INDETERMINATE)]


def find_receipt_failures(evidence: Evidence, exchange: Exchange) -> list[Failure]:
    """Step 9: whether the hub promised what the log says."""
    leaf, receipt = exchange.leaf, exchange.receipt
    if leaf.kind != ENVELOPE or not exchange.is_covered:
        return []
    if receipt is None:
        missing = "no receipt is shown"
        return [Failure(check="receipt", detail=missing, verdict=Verdict.INDETERMINATE)]
    try:
        found = verify_receipt(receipt, evidence.keyring, hub=leaf.recipient, sender=leaf.sender)
    except UntrustedReceiptError as error:
        return [Failure(check="receipt", detail=error.cause)]
    exchange.is_quarantined = found.is_quarantined
    here = ChainPosition(incarnation=leaf.incarnation, seq=leaf.seq, hash=leaf.envelope_hash)
    differences = {
        "log index": found.log_index != exchange.index,
        "lane": found.lane != leaf.lane,
        "place in the chain or hash": found.position != here,
        "time": found.logged_at_ms != leaf.logged_at_ms,
    }
    failures = [
        Failure(check="receipt_differs", detail=f"{name} of receipt and leaf differ")
        for name, differs in differences.items()
        if differs
    ]
    if evidence.revoked:
        at_ms = found.signed_at_ms
        key = evidence.keyring.find(leaf.recipient, receipt.key_id, SIGNING, at_ms)
        if is_revoked(evidence, key, at_ms):
            detail = f"the hub's certificate {key.serial} was revoked before it signed"
            failures.append(Failure(check="receipt_key_revoked", detail=detail))
    return failures


ExchangeCheck: TypeAlias = Callable[["Evidence", Exchange], list[Failure]]

EXCHANGE_CHECKS: Final[tuple[ExchangeCheck, ...]] = (
    find_side_failures,
    find_missing_failures,
    find_header_failures,
    find_time_failures,
    find_sender_failures,
    find_suite_failures,
    find_agreement_failures,
    find_pack_failures,
    find_receipt_failures,
)
"""Every check of one exchange, in the order of the steps."""
