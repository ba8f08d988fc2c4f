"""The way of an inspection: the spot file, the tree, the records, the month, the outside counts.

Rules:
- the inspector's program reads the node's directory and changes nothing in it;
- everything that records are compared with comes from the hub or the bureau, never from the node;
- the seed was fixed after the node committed; the same files give the same sample.

Source: SECURITY §13.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.errors import StoreError
from node.inspection.clearing import check_clearing, read_clearing
from node.inspection.findings import (
    Check,
    ClearingFindings,
    Finding,
    LeafFindings,
    SpotReport,
    StatementFindings,
    TotalRow,
)
from node.inspection.leaves import check_leaves, check_version
from node.inspection.statements import StatedMonth, check_statements
from node.inspection.totals import check_totals, read_totals
from node.store import DayCheckpoint, NodeStore
from node.store.committed import Committed
from scoring_kernel import Catalog
from security.progress import ProgressReporter
from security.spot.probability import certainties
from security.spot.sampling import sample
from security.spot.spot_file import SpotFile

__all__ = ["Outside", "inspect"]

NOT_SHOWN: Final = (
    "Records that never reached the node and are in no file of the bureau.",
    "Whether a record that is what was committed says what happened to the patient.",
    "What months said whose records retention deleted; their leaves are counted only.",
)
WITHOUT_CLEARING: Final = (
    "Hidden and invented settlements: no clearing file was given (--clearing)."
)
WITHOUT_TOTALS: Final = (
    "What was never committed: no totals of the platform for this node were given (--totals)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What others count, and how much is looked at."""

    clearing: Path | None = None
    """The bureau's clearing file of the month."""
    totals: Path | None = None
    """Messages of 3201 or 3202, one a line."""
    sample: int = 300
    """Records of each sample."""


def inspect(
    store: NodeStore,
    catalog: Catalog,
    spot: SpotFile,
    outside: Outside,
    *,
    frozen_through: Mapping[str, int],
    progress: ProgressReporter,
) -> SpotReport:
    """Inspect one month of a node.

    Args:
        store: The node's store, opened for reading.
        catalog: The pack that the month is counted with.
        spot: What the hub handed over, verified.
        outside: What others count.
        frozen_through: Month up to which figures are no longer stated, by measure set.
        progress: Takes what was looked at.

    Raises:
        StoreError: The node's store cannot be read.
        IntakeFileError: A file of the bureau cannot be read.
    """
    committed = DayCheckpoint(day=0, size=spot.committed.size, root=spot.committed.root)
    cleared = None if outside.clearing is None else read_clearing(outside.clearing)
    platform = None if outside.totals is None else read_totals(outside.totals)
    findings = list(_tree(store, spot))
    if findings:
        # Nothing of a node that keeps another tree can be proved against this one.
        return _report(spot, outside, findings=tuple(findings))
    kinds = [one for one in catalog.records.values() if one.stored == "segment"]
    institutions = _institutions(store, spot)
    with store.record_ledger.committed(kinds) as opened:
        places = sample(spot.seed, "records", committed.size, outside.sample)
        leaves = check_leaves(
            store.record_ledger, opened, store.schemas, committed, places=places, progress=progress
        )
        stated = StatedMonth(slots=spot.slots, size=committed.size, frozen_through=frozen_through)
        statements = check_statements(opened, catalog, stated, progress)
        findings += [*leaves.findings, *statements.findings]
        clearing = None
        if cleared is not None:
            clearing, found = check_clearing(
                opened,
                cleared,
                institutions,
                month=spot.month,
                size=committed.size,
                seed=spot.seed,
                wanted=outside.sample,
            )
            findings += [*clearing.findings, *_unproved(store, opened, found, committed)]
        mine = {key: one for key, one in (platform or {}).items() if key[0] in institutions}
        totals = tuple(check_totals(opened, mine, committed.size))
    findings += [
        Finding(
            check=Check.TOTAL,
            subject=f"{one.subject}: {one.measure}",
            detail=f"the platform has {one.platform}, the records give {one.recorded}",
        )
        for one in totals
        if one.platform != one.recorded
    ]
    return _report(
        spot,
        outside,
        findings=tuple(findings),
        leaves=leaves,
        statements=statements,
        clearing=clearing,
        totals=totals,
        foreign_totals=len(platform or {}) - len(mine),
    )


def _institutions(store: NodeStore, spot: SpotFile) -> frozenset[str]:
    """Codes that the node answers for: what the hub says it stated of, not its own list alone."""
    own = {one.code for one in store.institutions() if not one.foreign}
    return frozenset(own | {slot.institution for slot in spot.slots})


def _tree(store: NodeStore, spot: SpotFile) -> Iterator[Finding]:
    """Whether the node's tree has every root that was committed."""
    size = store.ledger_size()
    for note in spot.notes:
        subject = f"checkpoint of {note.size} leaves"
        if note.size > size:
            detail = f"was committed, but the node's tree has {size} leaves"
            yield Finding(check=Check.TREE, subject=subject, detail=detail)
            continue
        try:
            is_same = store.record_ledger.root(note.size) == note.root
        except StoreError as error:
            yield Finding(check=Check.TREE, subject=subject, detail=f"cannot be read: {error}")
            continue
        if not is_same:
            detail = "was committed with another root than the node's tree has"
            yield Finding(check=Check.TREE, subject=subject, detail=detail)


def _unproved(
    store: NodeStore, opened: Committed, leaves: Sequence[int], committed: DayCheckpoint
) -> Iterator[Finding]:
    """Settlements of the clearing file whose leaves do not lead to the committed root."""
    for version in opened.find(leaves).values():
        fault = check_version(store.record_ledger, version, store.schemas, committed)
        if fault is not None:
            yield fault


def _report(
    spot: SpotFile,
    outside: Outside,
    *,
    findings: tuple[Finding, ...],
    leaves: LeafFindings | None = None,
    statements: StatementFindings | None = None,
    clearing: ClearingFindings | None = None,
    totals: tuple[TotalRow, ...] = (),
    foreign_totals: int = 0,
) -> SpotReport:
    cannot_show = list(NOT_SHOWN)
    if outside.clearing is None:
        cannot_show.append(WITHOUT_CLEARING)
    if not totals:
        cannot_show.append(WITHOUT_TOTALS)
    if statements is not None:
        cannot_show += [
            f"{count} statements {reason}." for reason, count in sorted(statements.outside.items())
        ]
    return SpotReport(
        hub=spot.hub,
        member=spot.member,
        month=spot.month,
        size=spot.committed.size,
        root=spot.committed.root.hex(),
        log_size=spot.log.size,
        cosigned_by=spot.cosigned_by,
        seed=spot.seed.hex(),
        leaves=leaves,
        statements=statements,
        clearing=clearing,
        totals=totals,
        foreign_totals=foreign_totals,
        certainties=certainties(leaves.population, leaves.sampled) if leaves else (),
        cleared_certainties=(
            certainties(clearing.cleared, clearing.cleared_sampled) if clearing else ()
        ),
        findings=findings,
        cannot_show=tuple(cannot_show),
    )
