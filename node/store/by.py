"""Who does something, when and why: what an entry of the log of operators is made of."""

from dataclasses import dataclass
from datetime import date, datetime

from node.store.operator_log import LogEntry
from security.moments import SHANGHAI

__all__ = ["By"]


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who does something, when and why: for the log of operators."""

    operator: str
    at: datetime
    """UTC-aware."""
    why: str = ""
    """Reason in words; never a value of a record."""

    def entry(self, action: str, subject: str, detail: str = "") -> LogEntry:
        """Build an entry."""
        return LogEntry(
            at=self.moment,
            operator=self.operator,
            action=action,
            subject=subject,
            detail=detail or self.why,
        )

    @property
    def moment(self) -> str:
        """When, ISO 8601, to the second."""
        return self.at.isoformat(timespec="seconds")

    @property
    def day(self) -> date:
        """When, as a day in Shanghai."""
        return self.at.astimezone(SHANGHAI).date()
