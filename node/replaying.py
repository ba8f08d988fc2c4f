"""Refused lines back into the intake that refused them: the desk's port, over the real intake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from node.errors import ConfigurationError
from node.intake.batch import BatchIntake
from node.intake.field_rules import compile_intake
from node.intake.lines import Line
from node.intake.outcomes import Taken
from node.intake.report import Tally
from node.quarantine.ports import RefusedLine, Replayed, RowCells
from node.store import NodeStore
from scoring_kernel import Catalog

__all__ = ["StoreIntake"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreIntake:
    """The intake of one store, line by line."""

    store: NodeStore
    catalog: Catalog
    now: datetime

    def take_messages(self, source: str, lines: Sequence[RefusedLine]) -> Sequence[Replayed]:
        """Take messages of one file, each under the digest it was refused with."""
        intake = BatchIntake(self.store, compile_intake(self.catalog), now=self.now)
        again = [Line(number=one.row.line, body=one.body, digest=one.row.digest) for one in lines]
        return [_replayed(taken) for taken in intake.take(source, again, Tally())]

    def take_rows(
        self, source: str, context: bytes, lines: Sequence[RefusedLine]
    ) -> Sequence[Replayed]:
        """Take rows of one mapped file."""
        raise ConfigurationError("rows of mapped files: ingest the corrected file again")

    def cut_row(self, context: bytes, body: bytes) -> RowCells:
        """Cut a row into its cells."""
        raise ConfigurationError("rows of mapped files: ingest the corrected file again")

    def change_row(self, context: bytes, body: bytes, changes: Mapping[str, str]) -> bytes:
        """Write a row anew with some cells changed."""
        raise ConfigurationError("rows of mapped files: ingest the corrected file again")


def _replayed(taken: Taken) -> Replayed:
    if taken.fault is None:
        return Replayed(standing=taken.standing)
    return Replayed(
        standing=taken.standing,
        rule=taken.fault.rule,
        reason=taken.fault.reason,
        mend=taken.fault.mend,
    )
