"""Verification of an audit bundle (审计): offline, without any decryption key.

Every check of ``CHECKS`` runs, whatever those before it found; only a manifest that cannot be
read ends the audit, since nothing can be said without it. Trust comes from the caller alone, and
missing evidence leaves a question open where a contradiction answers it. Not checked here: what
was inside the envelopes, and whether the hub showed the same log to others: keep its checkpoints,
and trust witnesses.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from security.audit.checks import CHECKS
from security.audit.evidence import Evidence
from security.audit.report import AuditReport, Findings, Relied
from security.audit.seen import seen_line
from security.audit.source import open_bundle
from security.certificates import Keyring, anchor_bytes, anchor_digest
from security.errors import AuditInputError
from security.progress import no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from security.audit.trust import Trust
    from security.progress import ProgressReporter

MAX_NAMED: Final = 100
"""Unknown files that are named; all of them are counted."""


def verify_bundle(
    path: Path, trust: Trust, progress: ProgressReporter = no_progress
) -> AuditReport:
    """Verify a bundle against what the auditor relies on.

    Args:
        path: A directory or zip file.
        trust: Anchors, witnesses and the rest, from sources of the auditor's own.
        progress: Takes the progress.

    Returns:
        The report; its verdict is the worst of everything found.

    Raises:
        AuditInputError: There is no bundle, or its manifest cannot be read.
    """
    findings = Findings()
    with open_bundle(path) as source:
        manifest = source.manifest()
        strangers = source.strangers()
        findings.counts["unknown_files"] = len(strangers)
        evidence = Evidence(
            source=source,
            manifest=manifest,
            keyring=Keyring(trust.anchors.values()),
            progress=progress,
        )
        for check in CHECKS:
            check(evidence, trust, findings)
    return AuditReport(
        hub=manifest.hub,
        from_index=manifest.from_index,
        to_index=manifest.to_index,
        period=manifest.period,
        created=manifest.created,
        bundle_sha256=_digest(path),
        checkpoint=evidence.note,
        cosigned_by=evidence.cosigned_by,
        verdict=findings.verdict,
        counts=dict(findings.counts),
        pack_digests={digest.hex(): count for digest, count in findings.packs.items()},
        relied_on=_relied(trust),
        exchanges=findings.exchanges,
        failures=tuple(findings.failures),
        unknown_files=tuple(strangers[:MAX_NAMED]),
    )


def _relied(trust: Trust) -> Relied:
    return Relied(
        anchors={
            hub: anchor_digest(anchor_bytes(anchor)).hex() for hub, anchor in trust.anchors.items()
        },
        witnesses=tuple(witness.name for witness in trust.witnesses),
        quorum=trust.quorum,
        pack_root=trust.pack_root.hex(),
        seen=tuple(seen_line(checkpoint) for checkpoint in trust.seen),
    )


def _digest(path: Path) -> str:
    """SHA-256 of a bundle that is one file, hexadecimal."""
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AuditInputError(f"{path} cannot be read: {error.strerror}") from error
