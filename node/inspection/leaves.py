"""Records against the tree that was committed: all leaves are accounted for, some are proved.

Rules:
1. Over all: every leaf below the committed size is a version of a record, or one of the months
   that retention deleted; no version claims the leaf of another one.
2. Of the sample: the version's values make the leaf, and its path leads to the committed root,
   which comes from the hub and not from the node.
3. A version that another replaced is proved the same way; that it was replaced since is counted.

Source: SECURITY §13.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from node.errors import StoreError
from node.inspection.findings import MOST_LISTED, Check, Finding, LeafFindings
from node.store import DayCheckpoint, verify_record
from node.store.committed import Committed, LeafVersion
from node.store.record_ledger import RecordLedger
from security.errors import LogCorruptError
from security.progress import ProgressReporter

__all__ = ["check_leaves", "check_version"]

_STAGE: Final = "records"
_STEP: Final = 100


def check_leaves(
    ledger: RecordLedger,
    opened: Committed,
    schemas: Mapping[str, pa.Schema],
    committed: DayCheckpoint,
    *,
    places: Sequence[int],
    progress: ProgressReporter,
) -> LeafFindings:
    """Account for all leaves, and prove some.

    Args:
        ledger: The node's tree.
        opened: Versions of all kinds.
        schemas: Columns by kind.
        committed: The checkpoint, from the hub.
        places: Leaves that were drawn, each below the checkpoint's size.
        progress: Takes the number of leaves proved.
    """
    accounts = opened.accounts(committed.size)
    findings = []
    if accounts.doubled:
        findings.append(
            Finding(
                check=Check.DOUBLED,
                subject=f"{accounts.doubled} records",
                detail="claim a leaf that another record has: they were never committed",
            )
        )
    if accounts.unexplained:
        findings.append(
            Finding(
                check=Check.REMOVED,
                subject=f"{accounts.unexplained} leaves",
                detail=f"of {committed.size} have no record; retention deleted "
                f"{accounts.forgotten} and {accounts.missing} are missing",
            )
        )
    versions = opened.find(places)
    proved = before = since = forgotten = 0
    for number, seq in enumerate(places, start=1):
        version = versions.get(seq)
        if version is None:
            if accounts.forgotten:
                forgotten += 1
            else:
                findings.append(_removed(seq, committed))
        elif (fault := check_version(ledger, version, schemas, committed)) is not None:
            findings.append(fault)
        else:
            proved += 1
            if version.successor is not None:
                since += version.successor >= committed.size
                before += version.successor < committed.size
        if number % _STEP == 0 or number == len(places):
            progress(_STAGE, number, len(places), "records")
    return LeafFindings(
        population=committed.size,
        sampled=len(places),
        proved=proved,
        replaced_before=before,
        replaced_since=since,
        forgotten=forgotten,
        came_since=accounts.later,
        findings=tuple(findings[:MOST_LISTED]),
    )


def check_version(
    ledger: RecordLedger,
    version: LeafVersion,
    schemas: Mapping[str, pa.Schema],
    committed: DayCheckpoint,
) -> Finding | None:
    """Prove one version against the committed root; None when it is what was committed."""
    try:
        leaf = ledger.prove_version(version, committed.size)
        verify_record(version.record, schemas[version.kind], leaf, committed)
    except (LogCorruptError, StoreError) as error:
        return Finding(
            check=Check.CHANGED,
            subject=f"{version.kind} {version.record.get('record_id')}",
            detail=f"is not what leaf {version.seq} committed to: {error}",
        )
    return None


def _removed(seq: int, committed: DayCheckpoint) -> Finding:
    return Finding(
        check=Check.REMOVED,
        subject=f"leaf {seq}",
        detail=f"of the tree of {committed.size} leaves has no record, and retention deleted none",
    )
