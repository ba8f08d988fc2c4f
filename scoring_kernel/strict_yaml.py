"""Read catalogue YAML strictly: what the reader sees is what the program gets.

Rules:
- One document, one mapping at the top; no tag, anchor or alias, so nothing expands.
- A key is text as written, appears once in its mapping, and is never a word that
  YAML reads as a boolean (``on``, ``off``, ``yes``, ``no``, ``y``, ``n``).
- A plain value is ``true``, ``false``, ``null``, a whole number, a day
  (``2024-01-01``) or text that starts with a letter. Decimals and codes with
  leading zeros are quoted.
- Size, depth and number of nodes are bounded before anything is built.
- Every refusal is a ``CatalogError`` with file and line.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import yaml

from scoring_kernel.errors import CatalogError
from scoring_kernel.yaml_section import Items, Section, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 512 * 1024
"""Largest file, bytes."""
MAX_DEPTH: Final = 12
"""Deepest nesting of mappings and lists."""
MAX_NODES: Final = 50_000
"""Most keys and values of one file."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOLEAN_WORDS: Final = frozenset(("on", "off", "yes", "no", "y", "n", "true", "false", "null"))
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER_LIKE: Final = re.compile(r"[-+]?\.?[0-9]|[-+]?\.(?:inf|nan)", re.IGNORECASE)


def load_strict(content: bytes, file: str) -> Section:
    r"""Read one catalogue file into a section.

    Args:
        content: The file's bytes, UTF-8, at most ``MAX_BYTES``.
        file: Name of the file inside the catalogue, for messages.

    Returns:
        The top mapping.

    Raises:
        CatalogError: The bytes break one of the rules in the module's docstring.

    >>> load_strict(b"id: bed_days\nsince: 2024-01-01\n", "x.yaml").text("id")
    'bed_days'
    """
    if len(content) > MAX_BYTES:
        problem = f"found {len(content)} bytes, expected at most {MAX_BYTES}: split the file"
        raise CatalogError(file, 0, problem)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogError(file, line, "found bytes that are not UTF-8: save as UTF-8") from error
    try:
        return _Builder(file, yaml.parse(text, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"not YAML ({error.problem or error.context}): mend the syntax"
        raise CatalogError(file, mark.line + 1 if mark else 0, problem) from error
    except yaml.YAMLError as error:  # A reader error has a position, but no mark.
        problem = "found a character that YAML forbids: remove control characters"
        raise CatalogError(file, 0, problem) from error


class _Builder:
    """Turns the parser's events into sections, lists and scalars."""

    __slots__ = ("_events", "_file", "_nodes")

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._file = file
        self._events = events
        self._nodes = 0

    def document(self) -> Section:
        """Build the one document of the stream."""
        next(self._events)  # Stream start.
        event = next(self._events)
        if not isinstance(event, yaml.DocumentStartEvent):
            raise self._refuse(
                event, "found an empty file, expected a mapping: fill it or delete it"
            )
        event = next(self._events)
        if not isinstance(event, yaml.MappingStartEvent):
            raise self._refuse(event, "expected a mapping at the top: write 'key: value' lines")
        section = self._mapping(event, 1)
        next(self._events)  # Document end.
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._refuse(event, "found a second document, expected one: remove '---'")
        return section

    def _refuse(self, event: Any, problem: str) -> CatalogError:  # noqa: ANN401 - PyYAML's event
        return CatalogError(self._file, event.start_mark.line + 1, problem)

    def _enter(self, event: Any, depth: int) -> None:  # noqa: ANN401 - PyYAML's event
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refuse(event, f"found more than {MAX_NODES} nodes: split the file")
        if depth > MAX_DEPTH:
            raise self._refuse(event, f"nested deeper than {MAX_DEPTH}: flatten it")
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(event, f"found alias *{event.anchor}: write the value out")
        if event.anchor is not None:
            raise self._refuse(event, f"found anchor &{event.anchor}: write the value out")
        if event.tag is not None:
            raise self._refuse(event, f"found tag {event.tag}: remove it")

    def _mapping(self, start: Any, depth: int) -> Section:  # noqa: ANN401 - PyYAML's event
        self._enter(start, depth)
        values: dict[str, Value] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, depth)
            if key in values:
                problem = f"key {key!r} again, first in line {lines[key]}: keep one of them"
                raise self._refuse(event, problem)
            lines[key] = event.start_mark.line + 1
            values[key] = self._value(next(self._events), depth + 1)
        return Section(file=self._file, line=start.start_mark.line + 1, values=values, lines=lines)

    def _key(self, event: Any, depth: int) -> str:  # noqa: ANN401 - PyYAML's event
        self._enter(event, depth)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._refuse(event, "found a list or mapping as a key: use text as the key")
        key: str = event.value
        if not key:
            raise self._refuse(event, "found an empty key: name it")
        if key.casefold() in _BOOLEAN_WORDS:
            problem = f"key {key!r} is a boolean or null to other YAML readers: rename it"
            raise self._refuse(event, problem)
        return key

    def _value(self, event: Any, depth: int) -> Value:  # noqa: ANN401 - PyYAML's event
        if isinstance(event, yaml.ScalarEvent):
            self._enter(event, depth)
            text: str = event.value
            return self._plain(event, text) if event.implicit[0] else text
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        self._enter(event, depth)  # An alias ends here.
        values: list[Value] = []
        lines: list[int] = []
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            lines.append(item.start_mark.line + 1)
            values.append(self._value(item, depth + 1))
        return Items(values=tuple(values), lines=tuple(lines))

    def _plain(self, event: Any, text: str) -> Value:  # noqa: ANN401 - PyYAML's event
        if text in _WORDS:
            return _WORDS[text]
        if not text or text == "~":
            raise self._refuse(event, "found a key without a value: write one, or null")
        if text.casefold() in _BOOLEAN_WORDS:
            problem = f"found {text}: write true, false or null, or quote the text"
            raise self._refuse(event, problem)
        if not _NUMBER_LIKE.match(text):
            return text
        if _INTEGER.fullmatch(text):
            return int(text)
        if _DAY.fullmatch(text):
            try:
                return date.fromisoformat(text)
            except ValueError as error:
                raise self._refuse(event, f"{text} is not a day of the calendar") from error
        raise self._refuse(event, f"found plain {text}: quote decimals and codes")
