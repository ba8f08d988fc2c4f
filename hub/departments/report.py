"""What an import did, for the operator and for scripts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What became of one file.

    Attributes:
        file_name: Name of the file.
        item: Number of the information item; empty when it could not be told.
        period: Rating period; empty for a register.
        added: Rows with a new key.
        corrected: Rows that replaced a version of their key.
        unchanged: Rows known before, and rows repeated within the file.
        quarantined: Refused lines; 1 when the whole file was refused.
        by_rule: Refused lines by rule.
        known_before: True when a file with this content had been read to its end before.
    """

    file_name: str
    item: str
    period: str
    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    quarantined: int = 0
    by_rule: Mapping[str, int]
    known_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did with all its files.

    Attributes:
        files: One report per file, in reading order.
    """

    files: tuple[FileReport, ...]

    @property
    def added(self) -> int:
        """Rows with a new key."""
        return sum(file.added for file in self.files)

    @property
    def corrected(self) -> int:
        """Rows that replaced a version of their key."""
        return sum(file.corrected for file in self.files)

    @property
    def unchanged(self) -> int:
        """Rows known before."""
        return sum(file.unchanged for file in self.files)

    @property
    def quarantined(self) -> int:
        """Refused lines and files; the exit code depends on it."""
        return sum(file.quarantined for file in self.files)

    @property
    def by_rule(self) -> dict[str, int]:
        """Refused lines and files by rule, sorted by rule."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.by_rule)
        return dict(sorted(total.items()))
