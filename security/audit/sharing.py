"""Sharing agreements (共享协议) of a bundle: what left the hub under them, and what did not.

Rules: deny by default, as ``security.sharing.coverage`` says it; an agreement counts from the
moment its own leaf was logged, so that none can be signed afterwards for what was already sent;
an agreement without a proved leaf leaves the question open.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import AGREEMENTS, PRIOR
from security.audit.report import Failure, Verdict
from security.errors import AgreementError, AuditInputError, LogCorruptError
from security.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from security.sharing.coverage import (
    FORWARDED,
    needs_agreement,
    verify_coverage,
    verify_validity,
)
from security.sharing.signed import MAX_SIGNED_BYTES, open_agreement, parse_signed
from security.transparency import MAX_LEAF_BYTES, parse_leaf

if TYPE_CHECKING:
    from protos.yixin.v1 import envelope_pb2
    from security.audit.evidence import Evidence
    from security.audit.exchange import Exchange
    from security.audit.report import Findings
    from security.audit.trust import Trust

AGREEMENT: Final = transparency_pb2.LOG_KIND_AGREEMENT
RETIRED: Final = "agreement_retired"
"""Word of the leaf that ends an agreement; another one begins it."""
MAX_AGREEMENTS: Final = 10_000
_INDEX_BYTES: Final = 8
_FRAMES: Final = 3
_CHECK: Final = "agreement"


def read_agreements(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Verify every agreement by its provider's signature, at the moment of its leaf."""
    signed_at_ms, retired_at_ms = _logged_moments(evidence, findings)
    try:
        frames = evidence.source.frames(
            AGREEMENTS, max_bytes=MAX_SIGNED_BYTES, max_count=MAX_AGREEMENTS
        )
        for number, data in enumerate(frames):
            findings.counts["agreements"] += 1
            try:
                signed = parse_signed(data)
                digest = hashlib.sha256(signed.body).digest()
                at_ms = signed_at_ms.get(digest)
                agreement = open_agreement(signed, evidence.keyring, at_ms or 0)
            except AgreementError as error:
                findings.fail(_CHECK, f"agreement {number}: {error}")
                continue
            evidence.show(AGREEMENT, digest)
            name = agreement.reference
            if evidence.agreements.setdefault(name, agreement) != agreement:
                findings.fail(_CHECK, f"two agreements are called {name}")
            if at_ms is not None:
                evidence.agreed_at_ms[name] = at_ms
            if digest in retired_at_ms:
                evidence.retired_at_ms[name] = retired_at_ms[digest]
    except AuditInputError as error:
        findings.fail("agreements", str(error))


def _logged_moments(
    evidence: Evidence, findings: Findings
) -> tuple[dict[bytes, int], dict[bytes, int]]:
    """When agreements were logged and when retired, by digest: by leaves that are proved."""
    signed_at_ms: dict[bytes, int] = {}
    retired_at_ms: dict[bytes, int] = {}
    prior: list[transparency_pb2.LogLeaf] = []
    try:
        prior = [parse_leaf(leaf) for leaf in _prior_leaves(evidence)]
    except (AuditInputError, LogCorruptError) as error:
        findings.fail(PRIOR, str(error))
    for leaf in [*prior, *evidence.agreement_leaves]:
        if leaf.kind == AGREEMENT:
            moments = retired_at_ms if leaf.payload_type == RETIRED else signed_at_ms
            moments.setdefault(leaf.envelope_hash, leaf.logged_at_ms)
    return signed_at_ms, retired_at_ms


def _prior_leaves(evidence: Evidence) -> list[bytes]:
    """Leaves before the range, each with the proof that the checkpoint covers it."""
    checkpoint = evidence.checkpoint
    frames = list(
        evidence.source.frames(PRIOR, max_bytes=MAX_LEAF_BYTES, max_count=_FRAMES * 100_000)
    )
    if len(frames) % _FRAMES:
        raise AuditInputError(f"{PRIOR}: {len(frames)} messages; three for each leaf are expected")
    if checkpoint is None:
        return []
    leaves = []
    for at in range(0, len(frames), _FRAMES):
        index, leaf, path = frames[at : at + _FRAMES]
        if len(index) != _INDEX_BYTES or len(path) % HASH_BYTES:
            raise AuditInputError(f"{PRIOR}: the proof of leaf {at // _FRAMES} is malformed")
        hashes = [path[one : one + HASH_BYTES] for one in range(0, len(path), HASH_BYTES)]
        number = int.from_bytes(index)
        verify_inclusion(leaf_hash(leaf), number, checkpoint.size, hashes, checkpoint.root)
        leaves.append(leaf)
    return leaves


def find_coverage_failures(
    evidence: Evidence, header: envelope_pb2.EnvelopeHeader, logged_at_ms: int
) -> list[Failure]:
    """Whether a delivery stands under an agreement that was in force when it was logged.

    Args:
        evidence: The bundle.
        header: Header of an envelope that the hub sealed.
        logged_at_ms: Logged time, milliseconds since the epoch, UTC.
    """
    if header.payload_type == FORWARDED:
        # It stands under the agreement of the hub before this one, in that hub's bundle.
        return []
    if not header.agreement:
        if not needs_agreement(header):
            return []
        kind = header.payload_type
        return [Failure(check="coverage", detail=f"{kind} left the hub under no agreement")]
    return find_reference_failures(evidence, header.agreement, logged_at_ms, header)


def find_reference_failures(
    evidence: Evidence,
    reference: str,
    logged_at_ms: int,
    header: envelope_pb2.EnvelopeHeader | None = None,
) -> list[Failure]:
    """Whether an agreement that a leaf names was in force, and covers its envelope.

    Args:
        evidence: The bundle.
        reference: ``id@version``.
        logged_at_ms: Logged time, milliseconds since the epoch, UTC.
        header: Header of the envelope; None for what is none, such as a query.
    """
    agreement = evidence.agreements.get(reference)
    if agreement is None:
        detail = f"agreement {reference[:80]!r} is not shown"
        return [Failure(check="coverage", detail=detail, verdict=Verdict.INDETERMINATE)]
    failures = []
    try:
        if header is None:
            verify_validity(agreement, logged_at_ms)
        else:
            verify_coverage(header, agreement, logged_at_ms)
    except AgreementError as error:
        failures.append(Failure(check="coverage", detail=str(error)))
    agreed_at_ms = evidence.agreed_at_ms.get(reference)
    if agreed_at_ms is None:
        detail = f"nothing shows when agreement {reference} was logged"
        from_start = evidence.manifest.from_index == 0
        verdict = Verdict.INVALID if from_start else Verdict.INDETERMINATE
        failures.append(Failure(check="coverage", detail=detail, verdict=verdict))
    elif agreed_at_ms > logged_at_ms:
        detail = f"agreement {reference} was logged only afterwards, at {agreed_at_ms}"
        failures.append(Failure(check="coverage", detail=detail))
    retired_at_ms = evidence.retired_at_ms.get(reference)
    if retired_at_ms is not None and retired_at_ms < logged_at_ms:
        detail = f"agreement {reference} had been retired, at {retired_at_ms}"
        failures.append(Failure(check="coverage", detail=detail))
    return failures


def find_carrier(evidence: Evidence, exchange: Exchange) -> str:
    """The hub that routed a delivery to its recipient, as its agreement says; else empty.

    What it certified counts for this delivery alone (``security.sharing.forwarded``).
    """
    header = exchange.header
    agreement = evidence.agreements.get(header.agreement) if header is not None else None
    if (
        header is None
        or agreement is None
        or exchange.leaf.kind != transparency_pb2.LOG_KIND_DELIVERY
    ):
        return ""
    return agreement.via if header.recipient == agreement.recipient else ""
