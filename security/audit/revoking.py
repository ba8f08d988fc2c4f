"""Revocation (吊销): a key proves nothing that was logged after its certificate was revoked.

Rules: every list is signed by the hub's identity key; all lists count together, the earliest
moment of a certificate holds; the newest list that the range logged must be among them, else the
hub could hand over an older one and bring a revoked key back. Lists of other trusted hubs count
for what those hubs certified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import REVOCATIONS
from security.audit.report import Verdict
from security.certificates.revocations import MAX_SIGNED_BYTES, read_revocations
from security.errors import AuditInputError, SecurityError

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust
    from security.certificates import CertifiedKey

MAX_LISTS: Final = 100_000


def read_lists(evidence: Evidence, trust: Trust, findings: Findings) -> None:
    """Verify every list, and take over what it revokes."""
    try:
        frames = evidence.source.frames(
            REVOCATIONS, max_bytes=MAX_SIGNED_BYTES, max_count=MAX_LISTS
        )
        for number, data in enumerate(frames):
            findings.counts["revocation_lists"] += 1
            try:
                _read_list(evidence, trust, data)
            except SecurityError as error:
                findings.fail("revocations", f"list {number}: {error}")
    except AuditInputError as error:
        findings.fail("revocations", str(error))
    findings.counts["revoked_certificates"] = len(evidence.revoked)


def _read_list(evidence: Evidence, trust: Trust, data: bytes) -> None:
    found = read_revocations(data, trust.anchors)
    for row in found.rows:
        if row.serial:
            place = (found.hub, row.serial)
            since_ms = min(row.since_ms, evidence.revoked.get(place, row.since_ms))
            evidence.revoked[place] = since_ms
    evidence.show(transparency_pb2.LOG_KIND_REVOCATION, found.digest)


def verify_newest_list(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Check that the newest list that the range logged is shown."""
    if evidence.newest_list is None:
        return
    index, digest = evidence.newest_list
    if not evidence.is_shown(transparency_pb2.LOG_KIND_REVOCATION, digest):
        findings.fail(
            "revocations",
            f"the newest revocation list, logged at {index}, is not shown: more keys may be "
            "revoked than are known here",
            Verdict.INDETERMINATE,
        )


def is_revoked(evidence: Evidence, key: CertifiedKey, at_ms: int) -> bool:
    """Whether a key's certificate was revoked by a moment."""
    since_ms = evidence.revoked.get((key.issuer, key.serial))
    return since_ms is not None and at_ms >= since_ms
