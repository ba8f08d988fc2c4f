"""Judging the leaves of a bundle, one after the other, with what the bundle shows for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from security.audit.bundle import ENVELOPES, RECEIPTS
from security.audit.exchange import (
    DELIVERY,
    ENVELOPE,
    ChainAuditor,
    find_envelope_failures,
    find_leaf_failures,
    find_receipt_failures,
)
from security.audit.matching import Match, Matcher
from security.audit.publication import (
    MAX_STATEMENT_BYTES,
    MAX_STATEMENTS,
    find_publication_leaf_failures,
    find_statement_failures,
)
from security.audit.report import Failure, Verdict
from security.audit.source import publication_name
from security.encoding import parse_exactly
from security.envelope import MAX_ENVELOPE_BYTES, envelope_hash, parse_envelope
from security.errors import AuditInputError, LogCorruptError, UntrustedEnvelopeError
from security.transparency import parse_leaf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from security.audit.bundle import Manifest
    from security.audit.report import Findings
    from security.audit.source import BundleSource
    from security.certificates import Keyring
    from security.progress import ProgressReporter

MAX_RECEIPT_BYTES: Final = 16 * 1024
PROGRESS_EVERY: Final = 500


class Judge:
    """Judges the leaves of one bundle."""

    def __init__(
        self, source: BundleSource, manifest: Manifest, keyring: Keyring, findings: Findings
    ) -> None:
        self._source = source
        self._manifest = manifest
        self._keyring = keyring
        self._findings = findings
        self._chains = ChainAuditor(from_start=manifest.from_index == 0)

    def judge_all(self, leaves: Sequence[bytes], progress: ProgressReporter) -> None:
        """Judge every leaf, then whatever is left over."""
        parsed = [_parse_leaf(leaf) for leaf in leaves]
        places = {
            leaf.envelope_hash: place
            for place, leaf in enumerate(parsed)
            if not isinstance(leaf, Failure)
        }
        size = self._manifest.size
        envelopes = Matcher(
            self._source.frames(ENVELOPES, max_bytes=MAX_ENVELOPE_BYTES, max_count=size),
            lambda data: _place_envelope(data, places),
        )
        receipts = Matcher(
            self._source.frames(RECEIPTS, max_bytes=MAX_RECEIPT_BYTES, max_count=size),
            lambda data: _place_receipt(data, self._manifest.from_index),
        )
        for place, leaf in enumerate(parsed):
            failures = (
                [leaf]
                if isinstance(leaf, Failure)
                else self._judge(place, leaf, envelopes, receipts)
            )
            self._findings.judge(self._manifest.from_index + place, failures)
            if place % PROGRESS_EVERY == 0:
                progress("verify", place, len(parsed), "exchanges")
        progress("verify", len(parsed), len(parsed), "exchanges")
        self._finish(ENVELOPES, envelopes)
        self._finish(RECEIPTS, receipts)

    def _finish(
        self,
        name: str,
        matcher: Matcher[envelope_pb2.SealedEnvelope] | Matcher[exchange_pb2.Receipt],
    ) -> None:
        matcher.drain()
        if matcher.broken is not None:
            self._findings.fail(name, matcher.broken)
        if matcher.strangers:
            self._findings.fail(name, f"{matcher.strangers} messages belong to no leaf")

    def _judge(
        self,
        place: int,
        leaf: transparency_pb2.LogLeaf,
        envelopes: Matcher[envelope_pb2.SealedEnvelope],
        receipts: Matcher[exchange_pb2.Receipt],
    ) -> list[Failure]:
        covered = self._manifest.covers(leaf.period)
        if not covered:
            self._findings.counts["not_in_period"] += 1
        if leaf.kind not in {ENVELOPE, DELIVERY}:
            self._findings.counts["publications"] += 1
            return self._judge_publication(leaf)
        failures = find_leaf_failures(leaf, self._manifest.hub)
        header = None
        shown = envelopes.take(place) if covered else None
        if shown is not None and shown.message is not None:
            self._findings.counts["envelopes"] += 1
            header, found = find_envelope_failures(leaf, shown.message, self._keyring)
            failures += found
        elif shown is not None:
            failures.append(_missing(shown))
        if header is not None:
            self._findings.packs[header.pack_digest.hex()] += 1
        broken = self._chains.follow(leaf, header)
        if broken is not None:
            failures.append(broken)
        if covered and leaf.kind == ENVELOPE:
            receipt = receipts.take(place).message
            self._findings.counts["receipts"] += receipt is not None
            index = self._manifest.from_index + place
            failures += find_receipt_failures(index, leaf, receipt, self._keyring)
        return failures

    def _judge_publication(self, leaf: transparency_pb2.LogLeaf) -> list[Failure]:
        failures = find_publication_leaf_failures(leaf, self._manifest.hub)
        if self._source.has_publication(leaf.envelope_hash):
            name = publication_name(leaf.envelope_hash)
            statements = self._source.frames(
                name, max_bytes=MAX_STATEMENT_BYTES, max_count=MAX_STATEMENTS
            )
            try:
                failures += find_statement_failures(leaf, statements, self._keyring)
            except AuditInputError as error:
                failures.append(Failure(check="statements", detail=str(error)))
        return failures


def _missing(shown: Match[envelope_pb2.SealedEnvelope]) -> Failure:
    if shown.replaced:
        return Failure(
            check="envelope_replaced",
            detail="the envelope shown is not the one that was logged",
        )
    return Failure(
        check="envelope_missing",
        detail="the log names an envelope that the bundle does not show",
        verdict=Verdict.INDETERMINATE,
    )


def _parse_leaf(leaf: bytes) -> transparency_pb2.LogLeaf | Failure:
    try:
        return parse_leaf(leaf)
    except LogCorruptError as error:
        return Failure(check="leaf", detail=str(error))


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
