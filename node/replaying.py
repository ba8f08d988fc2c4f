"""Refused lines back into the intake that refused them: the desk's port, over the real intake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np

from node.domain.faults import Fault
from node.domain.row_context import RowContext
from node.errors import MappingError
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.group import DayBounds, latest_moment
from node.intake.lines import Line
from node.intake.outcomes import Outcome, Taken
from node.intake.report import Tally
from node.intake.table_intake import TableIntake
from node.quarantine.kept_rows import changed_row, cut_rows, shown_cells
from node.quarantine.ports import RefusedLine, Replayed, RowCells
from node.store import NodeStore
from scoring_kernel import Catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.tables.errors import ROW_MENDS, TableRule
from scoring_kernel.tables.mapping import RecordMapping
from scoring_kernel.tables.mapping_files import parse_record_mapping
from scoring_kernel.tables.table import RowFault

__all__ = ["StoreIntake"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIntake:
    """The intake of one store, line by line."""

    store: NodeStore
    catalog: Catalog
    now: datetime
    expected_months: frozenset[int] | None = None
    """Months (yyyymm) that records may carry; None for any."""

    def take_messages(self, source: str, lines: Sequence[RefusedLine]) -> Sequence[Replayed]:
        """Take messages of one file, each under the digest it was refused with."""
        intake = BatchIntake(
            self.store,
            compile_intake(self.catalog),
            now=self.now,
            expected_months=self.expected_months,
        )
        again = [Line(number=one.row.line, body=one.body, digest=one.row.digest) for one in lines]
        return [_replayed(taken) for taken in intake.take(source, again, Tally())]

    def take_rows(
        self, source: str, context: bytes, lines: Sequence[RefusedLine]
    ) -> Sequence[Replayed]:
        """Take rows of one mapped file, each under the digest it was refused with."""
        read_with = RowContext.from_bytes(context)
        mapping = self._mapping(read_with)
        cut = cut_rows(
            read_with,
            [one.body for one in lines],
            sorted(mapping.table_columns),
            mapping.layout.nulls,
        )
        places = cut.batch.numbers.tolist()
        bounds = DayBounds(latest=latest_moment(self.now), months=self.expected_months)
        built = TableIntake(self.store, mapping, bounds, self.now).take_batch(
            source,
            replace(
                cut.batch,
                numbers=np.array([lines[place].row.line for place in places], np.int64),
                faults=(),
            ),
            read_with,
            Tally(),
            [lines[place].row.digest for place in places],
        )
        outcomes = {place: _uncut(fault) for place, fault in cut.faults.items()}
        for row, place in enumerate(places):
            fault = built.faults.get(row)
            outcomes[place] = _STORED if fault is None else _refused(fault)
        return [outcomes.get(place, _EMPTY) for place in range(len(lines))]

    def cut_row(self, context: bytes, body: bytes) -> RowCells:
        """Cut a row into its cells, and tell which columns are personal."""
        read_with = RowContext.from_bytes(context)
        mapping = self._mapping(read_with)
        personal = dict.fromkeys(mapping.table_columns, False)
        for kind in mapping.kinds:
            for spec in kind.columns:
                personal |= dict.fromkeys(spec.columns, True) if spec.personal else {}
        return RowCells(
            header=read_with.header, cells=shown_cells(read_with, body), personal=personal
        )

    def change_row(self, context: bytes, body: bytes, changes: Mapping[str, str]) -> bytes:
        """Write a row anew with some cells changed."""
        return changed_row(RowContext.from_bytes(context), body, changes)

    def _mapping(self, context: RowContext) -> RecordMapping:
        try:
            return parse_record_mapping(
                context.mapping.encode(), context.mapping_name, self.catalog
            )
        except CatalogError as error:
            raise MappingError(
                f"the mapping the row was read with is no longer one ({error}): ingest its file"
                " again with a mapping of today"
            ) from error


def _replayed(taken: Taken) -> Replayed:
    if taken.fault is None:
        return Replayed(standing=taken.standing)
    return _refused(taken.fault)


def _refused(fault: Fault) -> Replayed:
    return Replayed(standing=Outcome.REFUSED, rule=fault.rule, reason=fault.reason, mend=fault.mend)


def _uncut(fault: RowFault) -> Replayed:
    return Replayed(
        standing=Outcome.REFUSED,
        rule=fault.rule,
        reason=f"the row is {fault.found}, expected {fault.expected}",
        mend=ROW_MENDS.get(fault.rule, ""),
    )


_STORED: Final = Replayed(standing=Outcome.STORED)
_EMPTY: Final = Replayed(
    standing=Outcome.REFUSED,
    rule=TableRule.CELL,
    reason="the row is empty, expected a cell",
    mend="leave the row out of the file",
)
