"""The outline of a refused line: every field with its masked value, the faulty ones marked.

Of a list only the first lines are shown, and every line with a marked field; the outline of
the largest message stays a few screens long.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from node.domain.masking import MAX_SHOWN, printable, shorten, show
from node.quarantine.fields import KnownFields
from node.quarantine.places import HEADS, Place, place_name
from scoring_kernel.showing import may_be_shown

__all__ = ["OutlineRow", "outline_message", "outline_row"]

MAX_ROWS: Final = 400
"""Most rows of an outline."""
SHOWN_LINES: Final = 5
"""Lines of a list that are shown although nothing in them is marked."""
_MAX_DEPTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineRow:
    """One field."""

    place: str
    """Path of the field as ``quarantine fix --set`` takes it."""
    value: str
    """Masked; of a node or list what it holds."""
    faulty: bool = False
    """True where the fault was found."""


def outline_message(
    document: object, fields: KnownFields, fault_field: str, fault_value: str
) -> tuple[OutlineRow, ...]:
    """Outline a message.

    Args:
        document: The decoded message.
        fields: What the catalogue knows of its fields.
        fault_field: Path that the fault names; empty for the whole message.
        fault_value: The masked value that the fault shows: of several lines, those are marked
            that show it.

    Returns:
        Rows in the order of the document, at most ``MAX_ROWS``.
    """
    leaves = list(_leaves(document, ()))
    suspects = [
        (place, value) for place, value in leaves if _fault_path(place) == fault_field != ""
    ]
    alike = {place for place, value in suspects if fields.shown(place, value) == fault_value}
    marked = alike or {place for place, _ in suspects}
    lines_with_mark = {place[:end] for place in marked for end in range(len(place) + 1)}
    rows: list[OutlineRow] = []
    if fault_field and not marked:
        rows.append(OutlineRow(place=fault_field, value=fault_value, faulty=True))
    left_out: dict[Place, int] = {}
    for place, value in leaves:
        hidden = _hidden_list(place, lines_with_mark)
        if hidden is not None or len(rows) >= MAX_ROWS - 1:
            left_out[hidden or ()] = left_out.get(hidden or (), 0) + 1
            continue
        rows.append(
            OutlineRow(
                place=_shown_name(place),
                value=fields.shown(place, value),
                faulty=place in marked,
            )
        )
    rows += [
        OutlineRow(place=_shown_name(place) or "…", value=f"{count} more fields")
        for place, count in left_out.items()
    ][: MAX_ROWS - len(rows)]
    return tuple(rows)


def outline_row(
    header: Sequence[str],
    cells: Sequence[str | None],
    personal: Mapping[str, bool],
    fault_field: str,
) -> tuple[OutlineRow, ...]:
    """Outline a row of a mapped file, column by column.

    Args:
        header: Columns of the file.
        cells: The row's cells; more or fewer than columns when that is the fault.
        personal: Columns the mapping knows → whether they are personal; others count as such.
        fault_field: Column that the fault names.
    """
    rows = []
    for position in range(max(len(header), len(cells))):
        name = header[position] if position < len(header) else f"(column {position + 1})"
        cell = cells[position] if position < len(cells) else None
        value = show(cell, personal=personal.get(name, True))
        rows.append(OutlineRow(place=printable(name), value=value, faulty=name == fault_field))
    return tuple(rows[:MAX_ROWS])


def _leaves(value: object, place: Place) -> Iterator[tuple[Place, object]]:
    """Walk a document to its values; empty nodes and what lies too deep count as values."""
    if isinstance(value, dict) and value and len(place) < _MAX_DEPTH:
        for name, item in value.items():
            yield from _leaves(item, (*place, name))
    elif isinstance(value, list) and value and len(place) < _MAX_DEPTH:
        for line, item in enumerate(value):
            yield from _leaves(item, (*place, line))
    else:
        yield place, value


def _fault_path(place: Place) -> str:
    """Name a place as faults do: without ``input`` and ``output``, without lines."""
    names = [step for step in place if isinstance(step, str)]
    if not names or names[0] not in HEADS:
        names.insert(0, "request")
    if len(names) > 1 and names[1] == HEADS[names[0]]:
        del names[1]
    return ".".join(names)


def _hidden_list(place: Place, lines_with_mark: set[Place]) -> Place | None:
    """Find the list whose line holds the place, when that line is not shown."""
    for end, step in enumerate(place, start=1):
        if isinstance(step, int) and step >= SHOWN_LINES and place[:end] not in lines_with_mark:
            return place[: end - 1]
    return None


def _shown_name(place: Place) -> str:
    """Name a place; keys that no interface has may hold anything, so they are bounded."""
    safe = tuple(
        step if isinstance(step, int) or may_be_shown(step) else f"({len(step)} characters)"
        for step in place
    )
    name = place_name(safe)
    return name if len(name) <= 4 * MAX_SHOWN else shorten(name)
