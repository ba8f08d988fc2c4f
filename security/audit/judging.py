"""Judging the leaves of a bundle, one after the other, with what the bundle shows for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from security.audit.bundle import ENVELOPES, RECEIPTS
from security.audit.chains import ChainAuditor
from security.audit.events import NAMES, find_event_failures
from security.audit.exchange import ENVELOPE, EXCHANGE_CHECKS, Exchange
from security.audit.log import CHAINED
from security.audit.matching import Matcher
from security.audit.publication import find_publication_failures
from security.audit.report import SM2_UNCHECKED, Failure, Verdict
from security.countersigning import UNCHECKED, can_check
from security.encoding import parse_exactly
from security.envelope import MAX_ENVELOPE_BYTES, envelope_hash, parse_envelope
from security.errors import UntrustedEnvelopeError

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust

MAX_RECEIPT_BYTES: Final = 16 * 1024
PROGRESS_EVERY: Final = 500
UNREADABLE: Final = "unreadable"


def judge_leaves(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Judge every leaf, then whatever is left over."""
    _Judge(evidence, findings).judge_all()


class _Judge:
    """Goes through the leaves with the envelopes and receipts beside them."""

    def __init__(self, evidence: Evidence, findings: Findings) -> None:
        self._evidence = evidence
        self._findings = findings
        manifest, source = evidence.manifest, evidence.source
        self._can_check_sm2 = can_check()
        self._chains = ChainAuditor(from_start=manifest.from_index == 0)
        self._envelopes = Matcher(
            source.frames(ENVELOPES, max_bytes=MAX_ENVELOPE_BYTES, max_count=manifest.size),
            lambda data: _place_envelope(data, evidence.places),
        )
        self._receipts = Matcher(
            source.frames(RECEIPTS, max_bytes=MAX_RECEIPT_BYTES, max_count=manifest.size),
            lambda data: _place_receipt(data, manifest.from_index),
        )

    def judge_all(self) -> None:
        """Judge every leaf, then whatever is left over."""
        evidence, findings = self._evidence, self._findings
        total = len(evidence.leaves)
        for place, leaf in enumerate(evidence.leaves):
            kind, failures = self._judge(place, leaf)
            findings.judge(evidence.manifest.from_index + place, kind, failures)
            if place % PROGRESS_EVERY == 0:
                evidence.progress("verify", place, total, "exchanges")
        evidence.progress("verify", total, total, "exchanges")
        for name, matcher in ((ENVELOPES, self._envelopes), (RECEIPTS, self._receipts)):
            matcher.drain()
            if matcher.broken is not None:
                findings.fail(name, matcher.broken)
            if matcher.strangers:
                findings.fail(name, f"{matcher.strangers} messages belong to no leaf")
        if count := findings.counts[SM2_UNCHECKED]:
            findings.fail(SM2_UNCHECKED, f"of {count} exchanges {UNCHECKED}", Verdict.VALID)

    def _judge(
        self, place: int, leaf: transparency_pb2.LogLeaf | Failure
    ) -> tuple[str, list[Failure]]:
        if isinstance(leaf, Failure):
            return UNREADABLE, [leaf]
        name = NAMES.get(leaf.kind, UNREADABLE)
        self._findings.counts[f"kind_{name}"] += 1
        is_covered = self._evidence.manifest.covers(leaf.period)
        if not is_covered:
            self._findings.counts["not_in_period"] += 1
        if leaf.kind in CHAINED:
            return name, self._judge_exchange(place, leaf, is_covered=is_covered)
        index = self._evidence.manifest.from_index + place
        failures = find_event_failures(self._evidence, index, leaf)
        if leaf.kind == transparency_pb2.LOG_KIND_PUBLICATION:
            failures += find_publication_failures(
                self._evidence, leaf, self._findings, is_covered=is_covered
            )
        return name, failures

    def _judge_exchange(
        self, place: int, leaf: transparency_pb2.LogLeaf, *, is_covered: bool
    ) -> list[Failure]:
        exchange = Exchange(
            index=self._evidence.manifest.from_index + place, leaf=leaf, is_covered=is_covered
        )
        counts = self._findings.counts
        if is_covered:
            shown = self._envelopes.take(place)
            exchange.envelope, exchange.is_replaced = shown.message, shown.replaced
            counts["envelopes"] += shown.message is not None
            if leaf.kind == ENVELOPE:
                exchange.receipt = self._receipts.take(place).message
                counts["receipts"] += exchange.receipt is not None
        failures: list[Failure] = []
        for check in EXCHANGE_CHECKS:
            failures += check(self._evidence, exchange)
        if exchange.header is not None:
            self._findings.packs[exchange.header.pack_digest] += 1
        counts["quarantined"] += exchange.is_quarantined
        if exchange.is_countersigned and not self._can_check_sm2:
            counts[SM2_UNCHECKED] += 1
        broken = self._chains.follow(leaf, exchange.header)
        if broken is not None:
            failures.append(broken)
        return failures


def _place_envelope(
    data: bytes, places: dict[bytes, int]
) -> tuple[int, envelope_pb2.SealedEnvelope] | None:
    try:
        envelope = parse_envelope(data)
    except UntrustedEnvelopeError:
        return None
    place = places.get(envelope_hash(envelope))
    return None if place is None else (place, envelope)


def _place_receipt(data: bytes, from_index: int) -> tuple[int, exchange_pb2.Receipt] | None:
    try:
        receipt = parse_exactly(exchange_pb2.Receipt, data, MAX_RECEIPT_BYTES)
        body = parse_exactly(exchange_pb2.ReceiptBody, receipt.body, MAX_RECEIPT_BYTES)
    except ValueError:
        return None
    return body.log_index - from_index, receipt
