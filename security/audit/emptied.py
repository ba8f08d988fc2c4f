"""Envelopes of the range that retention emptied later (清除): their leaves stand after its end.

Rules: each leaf comes with its place, the size of a later checkpoint of the bundle and the path to
its root; a leaf counts when that checkpoint is proved to continue the bundle's own. The reason
that it gives is shown; the envelope stays open, as any that is not shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.bundle import EMPTIED, MAX_RANGE
from security.chain import HASH_BYTES
from security.errors import AuditInputError, SecurityError
from security.merkle import leaf_hash, verify_inclusion
from security.transparency import MAX_LEAF_BYTES, parse_leaf

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings
    from security.audit.trust import Trust

_NUMBER_BYTES: Final = 8
_FRAMES: Final = 3
_CHECK: Final = "emptied"


def read_emptied(evidence: Evidence, _trust: Trust, findings: Findings) -> None:
    """Verify the leaves after the range that say what was emptied, and take over what they say."""
    frames: list[bytes] = []
    try:
        for data in evidence.source.frames(
            EMPTIED, max_bytes=MAX_LEAF_BYTES, max_count=_FRAMES * MAX_RANGE
        ):
            frames.append(data)
            if len(frames) == _FRAMES:
                findings.counts["emptied_later"] += 1
                _take(evidence, findings, *frames)
                frames.clear()
    except AuditInputError as error:
        findings.fail(_CHECK, str(error))
    if frames:
        findings.fail(_CHECK, f"{EMPTIED} ends within a leaf; three messages for each are expected")


def _take(evidence: Evidence, findings: Findings, place: bytes, data: bytes, path: bytes) -> None:
    if evidence.checkpoint is None:
        return
    index, size = int.from_bytes(place[:_NUMBER_BYTES]), int.from_bytes(place[_NUMBER_BYTES:])
    root = evidence.roots.get(size)
    try:
        leaf = parse_leaf(data)
        if len(place) != 2 * _NUMBER_BYTES or len(path) % HASH_BYTES or root is None:
            raise AuditInputError(f"its proof is malformed, or of no checkpoint shown ({size})")
        hashes = [path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)]
        verify_inclusion(leaf_hash(data), index, size, hashes, root)
        _verify_kind(evidence, index, leaf)
    except SecurityError as error:
        findings.fail(_CHECK, f"leaf {index}: {error}")
        return
    evidence.emptied.setdefault(leaf.envelope_hash, leaf.logged_at_ms)


def _verify_kind(evidence: Evidence, index: int, leaf: transparency_pb2.LogLeaf) -> None:
    is_emptied = leaf.kind == transparency_pb2.LOG_KIND_EMPTIED
    if not is_emptied or leaf.sender != evidence.manifest.hub:
        raise AuditInputError("it does not say that this hub emptied an envelope")
    if index < evidence.manifest.to_index:
        raise AuditInputError(f"it stands in the range, which ends at {evidence.manifest.to_index}")
    if leaf.envelope_hash not in evidence.places:
        raise AuditInputError("it empties no envelope of the range")
