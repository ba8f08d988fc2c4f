"""A month's statements, counted again from the records they say they were counted from.

Rules:
- a statement cites the size of the tree: the month is counted as the records stood then, with
  the measures of the pack that it cites, and its digest must come out;
- what is not counted here, and why: messages are in no tree; measures of supervision are counted
  by their own nightly run; a size that is not committed yet; another pack; a month whose records
  retention deleted.

Source: SECURITY §13.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from node.domain.records import MESSAGE
from node.inspection.findings import MOST_LISTED, Check, Finding, StatementFindings
from node.store.committed import Committed
from node.store.relations import measure_rows
from protos.yixin.v1 import spot_pb2
from scoring_kernel import Catalog
from scoring_kernel.measure_sets import KEY_COLUMNS, MeasureSet
from scoring_kernel.statements import rows_digest
from security.progress import ProgressReporter

__all__ = ["StatedMonth", "check_statements"]

_STAGE: Final = "statements"
NOT_IN_TREE: Final = "counted from messages, which are in no tree"
OWN_RUN: Final = "counted by the nightly run of supervision"
NOT_COMMITTED: Final = "cites records that came after the commitment: ask again tomorrow"
OTHER_PACK: Final = "counted with another pack than the one in use here: name it with --pack"
DELETED: Final = "looks back into a month that retention deleted"
OUTSIDE: Final = frozenset({NOT_IN_TREE, OWN_RUN})
"""Reasons that no other moment or pack would change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedMonth:
    """What a node stated of a month."""

    slots: Sequence[spot_pb2.StatedSlotRow] = field(repr=False)
    """Statements, as the hub holds them."""
    size: int
    """Leaves of the committed tree."""
    frozen_through: Mapping[str, int]
    """Month up to which figures are no longer stated, yyyymm, by measure set."""


def check_statements(
    opened: Committed, catalog: Catalog, stated: StatedMonth, progress: ProgressReporter
) -> StatementFindings:
    """Count again what was stated.

    Args:
        opened: Versions of the kinds that the measures read.
        catalog: Measures; the pack in use.
        stated: What was stated.
        progress: Takes the number of statements counted.
    """
    left: Counter[str] = Counter()
    due = []
    for slot in stated.slots:
        reason = _reason(slot, catalog, stated)
        if reason is None:
            due.append(slot)
        else:
            left[reason] += 1
    due.sort(key=lambda slot: (slot.ledger_size, slot.measure_set))
    findings: list[Finding] = []
    counted = 0
    for (size, name), slots in groupby(due, key=lambda slot: (slot.ledger_size, slot.measure_set)):
        measures = catalog.measure_sets[name]
        table = measure_rows(opened.stand_as_of(size), measures)
        for slot in slots:
            counted += 1
            if (fault := _compare(slot, table, measures)) is not None:
                findings.append(fault)
        progress(_STAGE, counted, len(due), "statements")
    return StatementFindings(
        counted=counted,
        agreed=counted - len(findings),
        not_counted={reason: count for reason, count in left.items() if reason not in OUTSIDE},
        outside={reason: count for reason, count in left.items() if reason in OUTSIDE},
        findings=tuple(findings[:MOST_LISTED]),
    )


def _reason(slot: spot_pb2.StatedSlotRow, catalog: Catalog, stated: StatedMonth) -> str | None:
    measures = catalog.measure_sets.get(slot.measure_set)
    if measures is None:
        return OWN_RUN
    if MESSAGE in measures.relations:
        return NOT_IN_TREE
    if slot.ledger_size > stated.size:
        return NOT_COMMITTED
    if slot.pack_digest != catalog.digest:
        return OTHER_PACK
    if slot.month <= stated.frozen_through.get(slot.measure_set, 0):
        return DELETED
    return None


def _compare(slot: spot_pb2.StatedSlotRow, table: pa.Table, measures: MeasureSet) -> Finding | None:
    rows = table.filter(
        pc.and_(
            pc.equal(table.column("institution"), slot.institution),
            pc.equal(table.column("month"), pa.scalar(slot.month, pa.int32())),
        )
    )
    digest, count = _digest(rows, slot, measures)
    if digest == slot.digest:
        return None
    return Finding(
        check=Check.STATEMENT,
        subject=f"{slot.measure_set} of {slot.institution} {slot.month}",
        detail=f"version {slot.version} stated {slot.rows} rows ({slot.digest[:8].hex()}…); the "
        f"records give {count} rows ({digest[:8].hex()}…)",
    )


def _digest(
    rows: pa.Table, slot: spot_pb2.StatedSlotRow, measures: MeasureSet
) -> tuple[bytes, int]:
    names = [name for name in rows.column_names if name not in KEY_COLUMNS]
    institutions: Iterable[str] = rows.column("institution").to_pylist()
    subjects: Iterable[str] = rows.column("subject").to_pylist()
    months: Iterable[int] = rows.column("month").to_pylist()
    columns = {name: rows.column(name).to_pylist() for name in names}
    count = rows.num_rows
    if not count and not measures.any_month:
        # An institution that did nothing states zeros; staff who did nothing have no row.
        institutions, subjects, months = [slot.institution], [slot.institution], [slot.month]
        columns, count = {name: [0] for name in names}, 1
    return rows_digest(list(institutions), list(months), list(subjects), columns), count
