"""Moments of a log: who judges by them must know that nobody chose them afterwards.

Rules: keys, agreements and expiry are judged at the moment of a leaf, and that moment is the hub's
own word; its order in the log is not. A leaf that says to be older than one before it was made
with a clock that was set back, or backdated: by its moment a key may hold that was revoked above
it. Nothing proves which of both moments is true, so this is open, not refuted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from protos.yixin.v1 import transparency_pb2
from security.audit.report import Verdict

if TYPE_CHECKING:
    from security.audit.evidence import Evidence
    from security.audit.report import Findings

MAX_BACK_MS: Final = 3_600_000
"""Jobs take their moment when they begin, and clocks are put right by seconds: an hour is taken."""
CHECK: Final = "moments"


def find_backdated(evidence: Evidence, findings: Findings) -> None:
    """Name every leaf that says to be older than one before it."""
    newest_ms, newest = 0, 0
    for index, leaf in enumerate(evidence.leaves, start=evidence.manifest.from_index):
        if not isinstance(leaf, transparency_pb2.LogLeaf):
            continue
        back_ms = newest_ms - leaf.logged_at_ms
        if back_ms > MAX_BACK_MS:
            findings.fail(
                CHECK,
                f"leaf {index} says to be {back_ms // 1000} s older than leaf {newest} before it: "
                "the hub's clock was set back, or the moment was made up; whose key or agreement "
                "held then is open. Ask the hub's officer what happened to its clock",
                Verdict.INDETERMINATE,
            )
        elif back_ms < 0:
            newest_ms, newest = leaf.logged_at_ms, index
