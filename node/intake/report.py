"""What an intake did, for the operator and for scripts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["IngestReport", "Tally"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """Result of one file or directory."""

    source: str
    """Name of the file or directory."""
    messages_in: int
    """Messages or lines read, refused ones included."""
    records_stored: Mapping[str, int]
    """New records by kind."""
    already_seen: int
    """Messages the ledger had already with the same content."""
    pending: int
    """Messages taken in that wait for their response."""
    not_accepted: int
    """Messages the platform did not accept: in the ledger, without records."""
    quarantined: int
    """Refused lines, also those refused in an earlier run."""
    by_rule: Mapping[str, int]
    """Refused lines by rule."""
    skipped_files: tuple[str, ...] = ()
    """Files of a directory that are no input."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts while an intake runs."""

    messages_in: int = 0
    already_seen: int = 0
    pending: int = 0
    not_accepted: int = 0
    records: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def report(self, source: str, skipped_files: tuple[str, ...] = ()) -> IngestReport:
        """Close the counts."""
        return IngestReport(
            source=source,
            messages_in=self.messages_in,
            records_stored={kind: n for kind, n in sorted(self.records.items()) if n},
            already_seen=self.already_seen,
            pending=self.pending,
            not_accepted=self.not_accepted,
            quarantined=sum(self.rules.values()),
            by_rule=dict(sorted(self.rules.items())),
            skipped_files=skipped_files,
        )
