"""What retention emptied after a bundle's range is told by leaves that are proved apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import transparency_pb2
from security.audit import Verdict
from security.merkle import Tree, consistency_path, leaf_hash
from security.transparency import Checkpoint, sign_checkpoint
from tests.support.auditor import Auditor, checks
from tests.support.members import DAY_MS, NODE, NOW_MS

if TYPE_CHECKING:
    from security.audit import BundleParts
    from tests.support.logs import LogUnderTest

END = 6
EMPTIED = transparency_pb2.LOG_KIND_EMPTIED


def bundle(
    log: LogUnderTest,
    *,
    frames: list[bytes] | None = None,
    proof: bool = True,
    **changes: Any,  # noqa: ANN401 - parts of a leaf
) -> BundleParts:
    """The first six leaves; the second envelope was emptied by the seventh."""
    digest = transparency_pb2.LogLeaf.FromString(log.leaves[1]).envelope_hash
    values: dict[str, Any] = {"logged_at_ms": NOW_MS + DAY_MS, "recipient": NODE}
    kind = changes.pop("kind", EMPTIED)
    parts = log.parts()
    log.event(kind, changes.pop("digest", digest), **(values | changes))
    tree = Tree(leaf_hash(leaf) for leaf in log.leaves)
    size = len(log.leaves)
    later = Checkpoint(origin=log.hub.anchor.log_origin, size=size, root=tree.root)
    continued = transparency_pb2.Proof(
        path=consistency_path([*map(leaf_hash, log.leaves)], END),
        checkpoint=sign_checkpoint(later, log.hub.signing),
    )
    shown = [
        END.to_bytes(8) + size.to_bytes(8),
        log.leaves[END],
        b"".join(tree.inclusion_path(END)),
    ]
    envelopes = [one for at, one in enumerate(log.envelopes) if at != 1]
    return replace(
        parts,
        envelopes=envelopes,
        emptied=shown if frames is None else frames,
        earlier=[continued.SerializeToString()] if proof else [],
    )


def test_it_is_told_with_its_moment(log: LogUnderTest, auditor: Auditor) -> None:
    report = auditor.verify(bundle(log))
    assert (checks(report), checks(report, 1)) == ([], ["envelope_emptied"])
    assert str(NOW_MS + DAY_MS) in report.exchanges[1].failures[0].detail
    assert report.verdict is Verdict.INDETERMINATE


def test_without_the_later_checkpoint_it_proves_nothing(
    log: LogUnderTest, auditor: Auditor
) -> None:
    report = auditor.verify(bundle(log, proof=False))
    assert (checks(report), checks(report, 1)) == (["emptied"], ["envelope_missing"])
    assert report.verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": transparency_pb2.LOG_KIND_REFUSED_REQUEST},
        {"sender": NODE},
        {"digest": bytes(32)},
    ],
)
def test_only_a_leaf_that_empties_an_envelope_of_the_range_counts(
    log: LogUnderTest, auditor: Auditor, changes: dict[str, Any]
) -> None:
    report = auditor.verify(bundle(log, **changes))
    assert (checks(report), checks(report, 1)) == (["emptied"], ["envelope_missing"])


def test_a_leaf_of_the_range_itself_is_no_later_one(log: LogUnderTest, auditor: Auditor) -> None:
    parts = bundle(log)
    tree = Tree(leaf_hash(leaf) for leaf in log.leaves)
    place = (1).to_bytes(8) + len(log.leaves).to_bytes(8)
    shown = [place, log.leaves[1], b"".join(tree.inclusion_path(1))]
    report = auditor.verify(replace(parts, emptied=shown))
    assert checks(report) == ["emptied"]


@pytest.mark.parametrize(
    "frames",
    [
        [b""],
        [b"", b""],
        [b"", b"", b""],
        [bytes(16), bytes(16), bytes(16)],
        [bytes(16), b"x", b"y"],
    ],
)
def test_malformed_proofs_are_told(
    log: LogUnderTest, auditor: Auditor, frames: list[bytes]
) -> None:
    report = auditor.verify(bundle(log, frames=frames))
    assert checks(report) == ["emptied"]
    assert report.verdict is Verdict.INVALID


def test_a_forged_path_or_leaf_is_told(log: LogUnderTest, auditor: Auditor) -> None:
    parts = bundle(log)
    place, leaf, path = parts.emptied
    for shown in ([place, leaf, path[:-32]], [place, leaf, path[:-1] + b"\0"], [place, b"", path]):
        assert checks(auditor.verify(replace(parts, emptied=shown))) == ["emptied"]
