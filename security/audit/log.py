"""The foundation of a bundle: its certificates, and its leaves up to the signed checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import identity_pb2
from security.audit.bundle import CERTIFICATES, CHECKPOINT, FRONTIER, LEAVES, MAX_RANGE
from security.certificates import Keyring
from security.encoding import parse_exactly
from security.errors import AuditInputError, SecurityError
from security.merkle import Frontier, leaf_hash
from security.transparency import MAX_CHECKPOINT_CHARS, MAX_LEAF_BYTES, verify_checkpoint

if TYPE_CHECKING:
    from security.audit.bundle import Manifest
    from security.audit.report import Findings
    from security.audit.source import BundleSource

MAX_CERTIFICATE_BYTES: Final = 16 * 1024
MAX_FRONTIER_BYTES: Final = 4 * 1024


def read_certificates(
    source: BundleSource, anchor: identity_pb2.TrustAnchor, findings: Findings
) -> Keyring:
    """Read and verify the certificates; those that fail are recorded and not held."""
    keyring = Keyring([anchor])
    try:
        frames = source.frames(CERTIFICATES, max_bytes=MAX_CERTIFICATE_BYTES, max_count=MAX_RANGE)
        for number, data in enumerate(frames):
            findings.counts["certificates"] += 1
            try:
                certificate = parse_exactly(
                    identity_pb2.KeyCertificate, data, MAX_CERTIFICATE_BYTES
                )
                keyring.add(certificate)
            except (ValueError, SecurityError) as error:
                findings.fail("certificate", f"certificate {number}: {error}")
    except AuditInputError as error:
        findings.fail("certificates", str(error))
    return keyring


def read_log(
    source: BundleSource,
    manifest: Manifest,
    anchor: identity_pb2.TrustAnchor,
    findings: Findings,
) -> list[bytes]:
    """Read the leaves and check that they lead to the root that the hub signed.

    Args:
        source: The bundle.
        manifest: Its manifest.
        anchor: Anchor of the hub.
        findings: Takes the failures.

    Returns:
        Every leaf that could be read, in order.
    """
    leaves: list[bytes] = []
    try:
        for leaf in source.frames(LEAVES, max_bytes=MAX_LEAF_BYTES, max_count=manifest.size):
            leaves.append(leaf)  # noqa: PERF402 - what was read before a fault counts
    except AuditInputError as error:
        findings.fail("leaves", str(error))
    findings.counts["leaves"] = len(leaves)
    if len(leaves) < manifest.size:
        findings.fail("leaves", f"{len(leaves)} leaves, the manifest speaks of {manifest.size}")
    _check_root(source, manifest, anchor, leaves, findings)
    return leaves


def _check_root(
    source: BundleSource,
    manifest: Manifest,
    anchor: identity_pb2.TrustAnchor,
    leaves: list[bytes],
    findings: Findings,
) -> None:
    try:
        frontier = Frontier.from_bytes(source.read(FRONTIER, MAX_FRONTIER_BYTES))
        text = source.read(CHECKPOINT, MAX_CHECKPOINT_CHARS).decode()
        checkpoint = verify_checkpoint(text, anchor)
    except (SecurityError, UnicodeDecodeError) as error:
        findings.fail("checkpoint", str(error))
        return
    if frontier.size != manifest.from_index:
        findings.fail("frontier", f"of {frontier.size} leaves, expected {manifest.from_index}")
    for leaf in leaves:
        frontier.append(leaf_hash(leaf))
    if (frontier.size, frontier.root()) != (checkpoint.size, checkpoint.root):
        findings.fail(
            "root",
            f"{frontier.size} leaves do not lead to the root that the hub signed for "
            f"{checkpoint.size}: a leaf was changed, left out, added or moved",
        )
