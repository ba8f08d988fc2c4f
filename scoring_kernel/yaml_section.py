"""Typed access to a mapping of a catalogue file, with the line of every mistake.

Rules:
- A reader names every key it knows; ``refuse_unknown`` refuses the others.
- A missing key, a wrong type or a value out of bounds is a ``CatalogError`` that
  names file, line, what was found and what was expected.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

from scoring_kernel.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Value: TypeAlias = "str | int | bool | date | Section | Items | None"

MAX_TEXT: Final = 8_000
"""Longest text of a catalogue entry, characters (SQL included)."""

_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Categories of characters that a name does not have."""
_DECIMAL: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list of a catalogue file, with the line of each entry."""

    values: tuple[Value, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping of a catalogue file, with the line of each key."""

    file: str
    line: int
    values: Mapping[str, Value]
    lines: Mapping[str, int]

    def keys(self) -> tuple[str, ...]:
        """Keys in the order of the file."""
        return tuple(self.values)

    def line_of(self, key: str | None) -> int:
        """Line of a key; of the section itself for None or an absent key."""
        return self.line if key is None else self.lines.get(key, self.line)

    def error(self, problem: str, key: str | None = None) -> CatalogError:
        """Build (not raise) the error for a key of this section."""
        return CatalogError(self.file, self.line_of(key), problem)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Refuse keys that nobody reads.

        Raises:
            CatalogError: The section has a key outside ``known``.
        """
        for key in self.values:
            if key not in known:
                expected = ", ".join(sorted(known))
                raise self.error(f"unknown key {key!r}, expected one of {expected}", key)

    def refuse_name_unless(self, key: str, pattern: str) -> None:
        """Refuse a key that is not a name of the given form.

        Raises:
            CatalogError: ``pattern`` does not match the whole key.
        """
        if not re.fullmatch(pattern, key):
            raise self.error(f"found the name {key[:80]!r}, expected the form {pattern}", key)

    def text(self, key: str, *, pattern: str | None = None, max_chars: int = MAX_TEXT) -> str:
        """Text of a key, not blank; a name (``name_zh``, ``name_en``) is one line.

        Raises:
            CatalogError: Absent, not text, blank, longer than ``max_chars``, a name with a
                control character, or not matched by ``pattern`` as a whole.
        """
        value = self._get(key)
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, value, "text (quote it if it looks like a number)")
        if key.startswith("name_") and any(unicodedata.category(one) in _UNSEEN for one in value):
            raise self.error(f"{key}: found {value[:80]!r}, expected one line of text", key)
        if len(value) > max_chars:
            raise self.error(f"{key}: {len(value)} characters, expected at most {max_chars}", key)
        if pattern is not None and not re.fullmatch(pattern, value):
            raise self.error(f"{key}: found {value[:80]!r}, expected the form {pattern}", key)
        return value

    def find_text(self, key: str, *, pattern: str | None = None) -> str | None:
        """Text of a key, or None where the key is absent or null."""
        return self.text(key, pattern=pattern) if self._has(key) else None

    def choice(self, key: str, allowed: Collection[str]) -> str:
        """Text of a key, one of the allowed words.

        Raises:
            CatalogError: Absent, or not one of ``allowed``.
        """
        value = self.text(key)
        if value not in allowed:
            expected = ", ".join(sorted(allowed))
            raise self.error(f"{key}: found {value[:80]!r}, expected one of {expected}", key)
        return value

    def integer(self, key: str, *, least: int, most: int) -> int:
        """Whole number of a key within [least, most].

        Raises:
            CatalogError: Absent, not a whole number, or out of bounds.
        """
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, value, f"a whole number from {least} to {most}")
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """Boolean of a key; ``default`` where absent.

        Raises:
            CatalogError: Not ``true`` or ``false``, or absent without a default.
        """
        if default is not None and key not in self.values:
            return default
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def day(self, key: str) -> date:
        """Day of a key.

        Raises:
            CatalogError: Absent or not a day such as 2024-01-01.
        """
        value = self._get(key)
        if not isinstance(value, date):
            raise self._wrong(key, value, "a day such as 2024-01-01")
        return value

    def decimal(self, key: str) -> Fraction:
        """Quoted decimal of a key, exactly.

        Raises:
            CatalogError: Absent, not quoted, or not a decimal of at most nine places.
        """
        value = self._get(key)
        if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
            raise self._wrong(key, value, 'a quoted decimal such as "0.08"')
        return Fraction(value)

    def section(self, key: str) -> Section:
        """Mapping under a key.

        Raises:
            CatalogError: Absent or not a mapping.
        """
        value = self._get(key)
        if not isinstance(value, Section):
            raise self._wrong(key, value, "a mapping")
        return value

    def find_section(self, key: str) -> Section | None:
        """Mapping under a key, or None where the key is absent or null."""
        return self.section(key) if self._has(key) else None

    def sections(self, key: str) -> tuple[Section, ...]:
        """List of mappings under a key.

        Raises:
            CatalogError: Absent, not a list, or an entry is not a mapping.
        """
        items = self._items(key)
        found: list[Section] = []
        for value, line in zip(items.values, items.lines, strict=True):
            if not isinstance(value, Section):
                raise CatalogError(self.file, line, f"{key}: expected a mapping in each entry")
            found.append(value)
        return tuple(found)

    def texts(self, key: str, *, pattern: str | None = None) -> tuple[str, ...]:
        """List of texts under a key.

        Raises:
            CatalogError: Absent, not a list, or an entry is not text of that form.
        """
        items = self._items(key)
        found: list[str] = []
        for value, line in zip(items.values, items.lines, strict=True):
            if not isinstance(value, str) or not value.strip():
                raise CatalogError(self.file, line, f"{key}: expected text in each entry")
            if pattern is not None and not re.fullmatch(pattern, value):
                problem = f"{key}: found {value[:80]!r}, expected the form {pattern}"
                raise CatalogError(self.file, line, problem)
            found.append(value)
        return tuple(found)

    def _has(self, key: str) -> bool:
        return self.values.get(key) is not None

    def _get(self, key: str) -> Value:
        if key not in self.values:
            raise self.error(f"key {key!r} is missing: add it")
        return self.values[key]

    def _items(self, key: str) -> Items:
        value = self._get(key)
        if not isinstance(value, Items):
            raise self._wrong(key, value, "a list")
        return value

    def _wrong(self, key: str, value: Value, expected: str) -> CatalogError:
        if isinstance(value, Section | Items):
            found = "a mapping" if isinstance(value, Section) else "a list"
        else:
            found = repr(value)[:80]
        return self.error(f"{key}: found {found}, expected {expected}", key)
