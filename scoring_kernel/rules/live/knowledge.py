"""Knowledge as the live forms read it: rows by code, each with the days it holds for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from scoring_kernel.rules.live.encounter import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["KnowledgeIndex", "KnowledgeRow"]

KnowledgeRow: TypeAlias = Mapping[str, Any]
"""Value by column, without the days."""

_CODE: Final = "code"


@dataclass(frozen=True, slots=True)
class _Held:
    begins_at: int
    ends_at: int | None
    row: KnowledgeRow = field(repr=False)


class KnowledgeIndex:
    """Rows of the knowledge tables by table and code."""

    __slots__ = ("_lengths", "_tables", "_values")

    def __init__(self, tables: Mapping[str, Iterable[KnowledgeRow]]) -> None:
        """Index rows.

        Args:
            tables: Rows by table; each with ``code``, ``begins_at`` and ``ends_at`` as moments
                of the wall clock, the latter None where it has no end.
        """
        self._tables: dict[str, dict[str, list[_Held]]] = {}
        self._values: dict[tuple[str, str], frozenset[Any]] = {}
        for name, rows in tables.items():
            table = self._tables.setdefault(name, {})
            for row in rows:
                begins, ends = row["begins_at"], row["ends_at"]
                held = _Held(
                    begins_at=_seconds(begins),
                    ends_at=None if ends is None else _seconds(ends),
                    row={
                        key: value
                        for key, value in row.items()
                        if key not in ("begins_at", "ends_at")
                    },
                )
                table.setdefault(row[_CODE], []).append(held)

        self._lengths = {
            name: tuple(sorted({len(code) for code in table}))
            for name, table in self._tables.items()
        }

    def rows(self, table: str, code: str, at: int) -> Iterator[KnowledgeRow]:
        """Give the rows of a code that hold at a moment."""
        for held in self._tables.get(table, {}).get(code, ()):
            if held.begins_at <= at and (held.ends_at is None or at < held.ends_at):
                yield held.row

    def prefixed(
        self, table: str, item_code: str, at: int, least: int = 10
    ) -> Iterator[KnowledgeRow]:
        """Give the rows whose code the item's begins with, and that hold at a moment.

        Args:
            table: Name of the table.
            item_code: Code of the item.
            at: The moment.
            least: Fewest characters of a code, unless the item's own has fewer.
        """
        held, whole = self._tables.get(table), len(item_code)
        for length in self._lengths.get(table, ()):
            if min(least, whole) <= length <= whole and held and item_code[:length] in held:
                yield from self.rows(table, item_code[:length], at)

    def codes(self, table: str) -> frozenset[str]:
        """Give all codes of a table, whenever their rows hold."""
        return frozenset(self._tables.get(table, ()))

    def values_of(self, table: str, column: str) -> frozenset[Any]:
        """Give all values of a column, whenever their rows hold."""
        found = self._values.get((table, column))
        if found is None:
            rows = self._tables.get(table, {}).values()
            found = frozenset(held.row[column] for helds in rows for held in helds)
            self._values[table, column] = found
        return found

    def has(self, table: str, code: str) -> bool:
        """Whether a code is in a table, whenever it holds."""
        return code in self._tables.get(table, {})


def _seconds(moment: datetime | int) -> int:
    return moment_of(moment) if isinstance(moment, datetime) else moment
