"""Places in a message (路径): how an operator names a field, and where it lies in the document.

Rules:
- A path reads as faults name fields: ``request.feedetail.cnt``. Between head and node,
  ``input`` and ``output`` may be written or left out.
- ``[n]`` chooses the n-th line of a list, from 1: ``request.feedetail[2].cnt``. A list of
  one line needs none.
- A path is of names; whatever cannot be named so is mended with a whole corrected file.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from node.errors import ConfigurationError

__all__ = ["HEADS", "Place", "Step", "open_place", "parse_path", "place_name", "put_value"]

Step = str | int
Place = tuple[Step, ...]
"""Keys and positions (from 0) from the top of a document to a value."""

HEADS: Final[Mapping[str, str]] = {"request": "input", "response": "output"}
"""Direction → where its nodes lie under the message head."""
_MAX_STEPS: Final = 12
_STEP: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,39})(?:\[([1-9][0-9]{0,5})\])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """One part of a path."""

    name: str
    line: int | None
    """Line of a list, from 1; None where none is named."""


def parse_path(path: str) -> tuple[_Named, ...]:
    """Cut a path into its parts.

    Raises:
        ConfigurationError: It is no path.
    """
    parts: list[_Named] = []
    for text in path.split("."):
        found = _STEP.fullmatch(text)
        if found is None or len(parts) == _MAX_STEPS:
            raise ConfigurationError(
                f"{_shown(path)} is no path of a field: expected names joined by points, for"
                " example request.data.medfee_sumamt or request.feedetail[2].cnt"
            )
        name, line = found.groups()
        parts.append(_Named(name=name, line=int(line) if line else None))
    return tuple(parts)


def open_place(document: object, path: str, head: Mapping[str, Collection[str]]) -> Place:
    """Find the place a path names in a document; its last step need not be there yet.

    Args:
        document: A decoded message: ``{infno, request, response}`` or the bare request.
        path: The path.
        head: Names of the message head by direction: these lie beside ``input``.

    Raises:
        ConfigurationError: Nothing lies there, or a list's line is not chosen.
    """
    parts = list(parse_path(path))
    if not isinstance(document, dict):
        raise ConfigurationError("the message is no JSON object: mend it with --file")
    place: list[Step] = []
    direction = parts[0].name
    wrapped = "request" in document
    if direction in HEADS and not wrapped:
        if direction == "response":
            raise ConfigurationError(
                "the message is a bare request without a response: mend it with --file"
            )
        parts = parts[1:]
    if direction in HEADS and wrapped:
        place.append(direction)
        parts = parts[1:]
    elif not wrapped:
        direction = "request"
    if direction in HEADS and parts:
        first = parts[0].name
        if first != HEADS[direction] and first not in head[direction]:
            place.append(HEADS[direction])
    if not parts:
        raise ConfigurationError(f"{_shown(path)} names no field: mend whole messages with --file")
    return _walk(document, tuple(place), parts, path)


def _walk(document: object, start: Place, parts: list[_Named], path: str) -> Place:
    value: Any = document
    place = start
    for step in start:
        value = _child(value, step, path)
    for position, part in enumerate(parts):
        is_last = position == len(parts) - 1
        place = (*place, part.name)
        if is_last and part.line is None:
            if not isinstance(value, dict):
                raise _nothing_there(path, part.name)
            return place
        value = _child(value, part.name, path)
        if isinstance(value, list):
            line = _line(value, part, path)
            place = (*place, line)
            value = value[line]
        elif part.line not in (None, 1):
            raise ConfigurationError(
                f"{_shown(path)}: {part.name} is no list; leave [{part.line}] out"
            )
    return place


def _child(value: object, step: Step, path: str) -> Any:  # noqa: ANN401 - decoded JSON
    if not isinstance(value, dict) or step not in value:
        raise _nothing_there(path, str(step))
    return value[step]


def _line(lines: list[Any], part: _Named, path: str) -> int:
    if part.line is None and len(lines) == 1:
        return 0
    if part.line is None or part.line > len(lines):
        raise ConfigurationError(
            f"{_shown(path)}: {part.name} has {len(lines)} lines; name one,"
            f" from {part.name}[1] to {part.name}[{len(lines)}]"
            if lines
            else f"{_shown(path)}: {part.name} has no lines; mend the message with --file"
        )
    return part.line - 1


def _nothing_there(path: str, name: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_shown(path)}: the message has no {name} there; see its fields with"
        " `yixin node quarantine show`, or mend it whole with --file"
    )


def put_value(document: object, place: Place, value: object) -> object | None:
    """Put a value at a place that ``open_place`` found; returns what was there, None if nothing."""
    holder: Any = document
    for step in place[:-1]:
        holder = holder[step]
    last = place[-1]
    before = holder[last] if isinstance(last, int) else holder.get(last)
    holder[last] = value
    found: object | None = before
    return found


def place_name(place: Place) -> str:
    """Write a place as a path, lines from 1.

    >>> place_name(("request", "input", "feedetail", 1, "cnt"))
    'request.input.feedetail[2].cnt'
    """
    text = ""
    for step in place:
        text += f"[{step + 1}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _shown(path: str) -> str:
    text = path if path.isprintable() else "the path"
    return text if len(text) <= 100 else f"{text[:100]}…"
