"""Whether witnesses (见证方) confirmed the log: a quorum of those that the auditor trusts.

Rules: a witness counts once, with a cosignature that verifies by the auditor's own copy of its
key; a hub is no witness of its own log; a checkpoint of the range's end or a later one confirms
the whole range, an earlier one only the leaves before it; a missing quorum leaves the question
open unless the auditor insists, and who insists needs one witness, whatever quorum is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from security.audit.report import Verdict
from security.errors import SecurityError
from security.tlog.cosigning import verify_cosignatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust
    from security.tlog.witness_policy import Witness


def verify_witnesses(evidence: Evidence, trust: Trust, findings: Findings) -> None:
    """Count the trusted witnesses of every checkpoint that the bundle shows."""
    own = f"yixin/{evidence.manifest.hub.removeprefix('yixin://')}/"
    others = [witness for witness in trust.witnesses if not witness.name.startswith(own)]
    quorum = max(trust.quorum, 1) if trust.requires_witnesses else trust.quorum
    confirmed = 0
    end = evidence.manifest.to_index
    for size, note in sorted(evidence.notes.items()):
        found = _cosigners(note, others, findings, size)
        if found and len(found) >= quorum:
            confirmed = max(confirmed, size)
        if size >= end and len(found) > len(evidence.cosigned_by):
            evidence.cosigned_by = tuple(found)
    findings.counts["witnesses"] = len(evidence.cosigned_by)
    if not quorum or confirmed >= end:
        return
    confirmed_part = f"exported up to there (--to {confirmed}), or " if confirmed else ""
    findings.fail(
        "witnesses",
        f"no checkpoint of {end} leaves or more is confirmed by {quorum} of the "
        f"{len(others)} trusted witnesses other than the hub; the log is confirmed up to "
        f"{confirmed} leaves: have it {confirmed_part}cosigned and exported again, and hold "
        "the witnesses' trust files",
        Verdict.INVALID if trust.requires_witnesses else Verdict.INDETERMINATE,
    )


def _cosigners(note: str, witnesses: Sequence[Witness], findings: Findings, size: int) -> list[str]:
    found: list[str] = []
    for witness in witnesses:
        try:
            cosigned = verify_cosignatures(note, [witness], now_s=None)
        except SecurityError as error:
            findings.fail("cosignature", f"checkpoint of {size} leaves: {error}")
        else:
            found += [one.witness for one in cosigned]
    return found
