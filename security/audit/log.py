"""The foundation of a bundle: its leaves up to the checkpoint that the hub signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import CHECKPOINT, FRONTIER, LEAVES
from security.audit.moments import find_backdated
from security.audit.report import Failure
from security.errors import AuditInputError, LogCorruptError, SecurityError
from security.merkle import Frontier, leaf_hash
from security.transparency import (
    MAX_CHECKPOINT_CHARS,
    MAX_LEAF_BYTES,
    parse_leaf,
    verify_checkpoint,
)

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust

MAX_FRONTIER_BYTES: Final = 4 * 1024
CHAINED: Final = frozenset({transparency_pb2.LOG_KIND_ENVELOPE, transparency_pb2.LOG_KIND_DELIVERY})
"""Kinds of leaves that stand for an envelope."""


def read_checkpoint(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Verify the signed checkpoint of the bundle against the hub's anchor."""
    try:
        text = evidence.source.read(CHECKPOINT, 4 * MAX_CHECKPOINT_CHARS).decode()
        if evidence.anchor is not None:
            evidence.checkpoint = verify_checkpoint(text, evidence.anchor)
            evidence.note = text
            return
    except (SecurityError, UnicodeDecodeError) as error:
        findings.fail("checkpoint", str(error))
        return
    findings.fail("checkpoint", "no anchor of this hub is held: nothing says who signed it")


def read_leaves(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Read every leaf, and check that they lead to the root that the hub signed."""
    manifest = evidence.manifest
    frontier = _read_frontier(evidence, findings)
    try:
        frames = evidence.source.frames(LEAVES, max_bytes=MAX_LEAF_BYTES, max_count=manifest.size)
        for leaf in frames:
            hashed = leaf_hash(leaf)
            frontier.append(hashed)
            evidence.hashes.append(hashed)
            _hold(evidence, leaf)
    except AuditInputError as error:
        findings.fail("leaves", str(error))
    shown = len(evidence.leaves)
    findings.counts["leaves"] = shown
    if shown < manifest.size:
        findings.fail("leaves", f"{shown} leaves, the manifest speaks of {manifest.size}")
    find_backdated(evidence, findings)
    checkpoint = evidence.checkpoint
    if checkpoint is None or evidence.before is None:
        return
    evidence.is_rooted = (frontier.size, frontier.root()) == (checkpoint.size, checkpoint.root)
    if not evidence.is_rooted:
        findings.fail(
            "root",
            f"{frontier.size} leaves do not lead to the root that the hub signed for "
            f"{checkpoint.size}: a leaf was changed, left out, added or moved",
        )


def _read_frontier(evidence: Evidence, findings: Findings) -> Frontier:
    """The compact range before the leaves; an empty one when none can be read."""
    try:
        frontier = Frontier.from_bytes(evidence.source.read(FRONTIER, MAX_FRONTIER_BYTES))
    except SecurityError as error:
        findings.fail("frontier", str(error))
        return Frontier()
    evidence.before = Frontier.from_bytes(frontier.to_bytes())
    expected = evidence.manifest.from_index
    if frontier.size != expected:
        findings.fail("frontier", f"of {frontier.size} leaves, expected {expected}")
    return frontier


def _hold(evidence: Evidence, data: bytes) -> None:
    """Hold a leaf, and note what later checks look for: places, agreements, the newest list."""
    place = len(evidence.leaves)
    try:
        leaf = parse_leaf(data)
    except LogCorruptError as error:
        evidence.leaves.append(Failure(check="leaf", detail=str(error)))
        return
    evidence.leaves.append(leaf)
    if leaf.kind in CHAINED:
        evidence.places.setdefault(leaf.envelope_hash, place)
    elif leaf.kind == transparency_pb2.LOG_KIND_AGREEMENT:
        evidence.agreement_leaves.append(leaf)
    elif leaf.kind == transparency_pb2.LOG_KIND_REVOCATION:
        evidence.newest_list = (evidence.manifest.from_index + place, leaf.envelope_hash)
    elif leaf.kind == transparency_pb2.LOG_KIND_EMPTIED:
        evidence.emptied.setdefault(leaf.envelope_hash, leaf.logged_at_ms)
