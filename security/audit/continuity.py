"""Whether the log continues what others saw of it (一致性): the auditor, and its witnesses.

Rules: a checkpoint that the auditor saw is compared with the root that the leaves lead to; one
outside the range needs a checkpoint in the bundle with a consistency proof; another root convicts
the hub of two histories. Without a proof nothing is said: indeterminate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import EARLIER
from security.audit.report import Verdict
from security.encoding import parse_exactly
from security.errors import AuditInputError, SecurityError
from security.merkle import Frontier, verify_consistency
from security.transparency import (
    MAX_CHECKPOINT_CHARS,
    find_origin_number,
    verify_checkpoint,
)

if TYPE_CHECKING:
    from protos.yixin.v1 import identity_pb2
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust
    from security.transparency import Checkpoint

MAX_PROOF_BYTES: Final = 8 * MAX_CHECKPOINT_CHARS
MAX_PROOFS: Final = 1_000
CHECK: Final = "seen_checkpoint"


def read_other_checkpoints(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Verify earlier and later checkpoints, and that the bundle's own is of the same log."""
    anchor, checkpoint = evidence.anchor, evidence.checkpoint
    if anchor is None or checkpoint is None:
        return
    evidence.notes[checkpoint.size] = evidence.note
    evidence.roots[checkpoint.size] = checkpoint.root
    try:
        frames = evidence.source.frames(EARLIER, max_bytes=MAX_PROOF_BYTES, max_count=MAX_PROOFS)
        for number, data in enumerate(frames):
            findings.counts["other_checkpoints"] += 1
            try:
                other, note = _verify_other(data, anchor, checkpoint)
            except (ValueError, SecurityError) as error:
                findings.fail("other_checkpoint", f"checkpoint {number}: {error}")
            else:
                evidence.roots[other.size] = other.root
                evidence.notes[other.size] = note
    except AuditInputError as error:
        findings.fail(EARLIER, str(error))


def _verify_other(
    data: bytes, anchor: identity_pb2.TrustAnchor, own: Checkpoint
) -> tuple[Checkpoint, str]:
    proof = parse_exactly(transparency_pb2.Proof, data, MAX_PROOF_BYTES)
    other = verify_checkpoint(proof.checkpoint, anchor)
    if other.origin != own.origin:
        raise ValueError(f"of log {other.origin}, expected {own.origin}")
    old, new = (other, own) if other.size <= own.size else (own, other)
    verify_consistency(old.size, new.size, proof.path, old.root, new.root)
    return other, proof.checkpoint


def verify_continuity(evidence: Evidence, trust: Trust, findings: Findings) -> None:
    """Compare the log with every checkpoint of it that the auditor saw."""
    anchor, checkpoint = evidence.anchor, evidence.checkpoint
    if anchor is None or checkpoint is None:
        return
    own = [
        one for one in trust.seen if find_origin_number(anchor.log_origin, one.origin) is not None
    ]
    findings.counts["seen_checkpoints"] = len(own)
    seen = [one for one in own if one.origin == checkpoint.origin]
    for one in own:
        if one.origin != checkpoint.origin:
            findings.fail(
                CHECK,
                f"you saw {one.origin} with {one.size} leaves, the bundle is of "
                f"{checkpoint.origin}: the hub began a new log. Compare the first leaf of the new "
                "one with what you hold, and have the old one exported as well",
                Verdict.INDETERMINATE,
            )
    within = _roots_at(evidence, {one.size for one in seen})
    for one in seen:
        found = within.get(one.size) or evidence.roots.get(one.size)
        place = f"the checkpoint of {one.size} leaves that you saw"
        if found is None and one.size > checkpoint.size:
            findings.fail(
                CHECK,
                f"{place} is later than the bundle, which ends at {checkpoint.size}: export again "
                "up to the present; a hub that cannot has rolled its log back",
                Verdict.INDETERMINATE,
            )
        elif found is None:
            findings.fail(
                CHECK,
                f"{place} lies before the range, and no proof from it is shown: export again with "
                f"--prove-from {one.size}",
                Verdict.INDETERMINATE,
            )
        elif found != one.root:
            findings.fail(
                CHECK,
                f"{place} has another root: the hub has shown two histories. Keep both files",
            )
        else:
            findings.counts["seen_checkpoints_continued"] += 1


def _roots_at(evidence: Evidence, sizes: set[int]) -> dict[int, bytes]:
    """Roots at some sizes within the range, from its leaves."""
    if evidence.before is None or not evidence.is_rooted:
        return {}
    grown = Frontier.from_bytes(evidence.before.to_bytes())
    hashes = iter(evidence.hashes)
    roots: dict[int, bytes] = {}
    for size in sorted(size for size in sizes if size >= grown.size):
        while grown.size < size:
            hashed = next(hashes, None)
            if hashed is None:
                return roots
            grown.append(hashed)
        roots[size] = grown.root()
    return roots
