"""Verification of an audit bundle (审计): offline, without any decryption key.

Steps, in order; a failed step is recorded and the others still run:

0. Bounds and format of the manifest; without it nothing can be said (``AuditInputError``).
1. The bundle is of the hub whose anchor the auditor holds.
2. Certificates verify against the anchor.
3. The leaves, after the frontier before them, lead to the root that the hub signed.
4. Every leaf, envelope, receipt and publication fits, and nothing is left over.

Trust comes from the caller's anchor alone. Not checked here: what was inside the envelopes, and
whether the hub showed the same checkpoint to everyone; compare checkpoints for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from security.audit.judging import Judge
from security.audit.log import read_certificates, read_log
from security.audit.report import AuditReport, Findings, worst
from security.audit.source import open_bundle
from security.progress import no_progress

if TYPE_CHECKING:
    from pathlib import Path

    from protos.yixin.v1 import identity_pb2
    from security.progress import ProgressReporter


def verify_bundle(
    path: Path, anchor: identity_pb2.TrustAnchor, progress: ProgressReporter = no_progress
) -> AuditReport:
    """Verify a bundle against the anchor of its hub.

    Args:
        path: A directory or zip file.
        anchor: Anchor of the hub, from a source of the auditor's own.
        progress: Takes the progress.

    Returns:
        The report; its verdict is the worst of everything found.

    Raises:
        AuditInputError: There is no bundle, or its manifest cannot be read.
    """
    findings = Findings()
    with open_bundle(path) as source:
        # 0. Manifest.
        manifest = source.manifest()
        findings.counts["unknown_files"] = len(source.strangers())
        # 1. Hub.
        if manifest.hub != anchor.hub:
            findings.fail("hub", f"the bundle is of {manifest.hub}, the anchor of {anchor.hub}")
        # 2. Certificates.
        keyring = read_certificates(source, anchor, findings)
        # 3. Log.
        leaves = read_log(source, manifest, anchor, findings)
        # 4. Exchanges and publications.
        Judge(source, manifest, keyring, findings).judge_all(leaves, progress)
    verdicts = [failure.verdict for failure in findings.failures]
    return AuditReport(
        hub=manifest.hub,
        from_index=manifest.from_index,
        to_index=manifest.to_index,
        period=manifest.period,
        created=manifest.created,
        verdict=worst(verdicts + [exchange.verdict for exchange in findings.exchanges]),
        counts=dict(findings.counts),
        pack_digests=dict(findings.packs),
        exchanges=tuple(findings.exchanges),
        failures=tuple(findings.failures),
    )
