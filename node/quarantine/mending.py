"""Corrections of a refused line: applied to a copy, told masked.

A correction never touches the line as it was kept; whoever replays it gives the copy on.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from node.domain.masking import mask, show
from node.errors import ConfigurationError
from node.quarantine.fields import KnownFields
from node.quarantine.places import open_place, place_name, put_value
from node.quarantine.ports import RowCells

__all__ = [
    "MAX_BODY_BYTES",
    "Change",
    "Correction",
    "correct_message",
    "parse_change",
    "row_changes",
]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Longest line that is taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed field, masked."""

    place: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A corrected line."""

    body: bytes = field(repr=False)
    changes: tuple[Change, ...]
    """Empty when the line was replaced whole."""


def parse_change(text: str) -> tuple[str, str]:
    """Cut ``path=value`` at its first equals sign.

    Raises:
        ConfigurationError: There is none.

    >>> parse_change("request.data.cnt=2")
    ('request.data.cnt', '2')
    """
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        # The text may be a value alone: it is not repeated.
        raise ConfigurationError("a change without '=' found, expected --set PATH=VALUE")
    return path.strip(), value


def correct_message(body: bytes, changes: Sequence[str], fields: KnownFields) -> Correction:
    """Apply changes to a copy of a message.

    Args:
        body: The message as it was refused.
        changes: Texts ``path=value``.
        fields: What the catalogue knows of its fields.

    Raises:
        ConfigurationError: The body is no JSON, or a change does not fit it.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            "the refused line is no JSON that can be changed field by field: give the whole"
            " corrected message with --file"
        ) from error
    told = []
    for text in changes:
        path, value = parse_change(text)
        place = open_place(document, path, fields.head)
        put = fields.typed(place, value)
        before = put_value(document, place, put)
        if isinstance(before, dict | list):
            raise ConfigurationError(
                f"{place_name(place)} is a node, not a field: name a field in it, or use --file"
            )
        told.append(
            Change(
                place=place_name(place),
                before=fields.shown(place, before),
                after=fields.shown(place, put),
            )
        )
    corrected = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Correction(body=bounded(corrected), changes=tuple(told))


def row_changes(cells: RowCells, changes: Sequence[str]) -> tuple[dict[str, str], list[Change]]:
    """Read changes of a row of a mapped file.

    Returns:
        New cells by column, and the changes as they are told.

    Raises:
        ConfigurationError: A column is not of the file.
    """
    new: dict[str, str] = {}
    told = []
    held = dict(zip(cells.header, cells.cells, strict=False))
    for text in changes:
        column, value = parse_change(text)
        if column not in cells.header:
            raise ConfigurationError(
                f"column {mask(column)} is not in the row's file; see its columns with"
                " `yixin node quarantine show`"
            )
        new[column] = value
        personal = cells.personal.get(column, True)
        told.append(
            Change(
                place=column,
                before=show(held.get(column), personal=personal),
                after=show(value, personal=personal),
            )
        )
    return new, told


def bounded(body: bytes) -> bytes:
    """Refuse a corrected line that no intake would read.

    Raises:
        ConfigurationError: It is empty or longer than ``MAX_BODY_BYTES``.
    """
    if not body.strip() or len(body) > MAX_BODY_BYTES:
        raise ConfigurationError(
            f"a corrected line of {len(body)} bytes, expected 1 to {MAX_BODY_BYTES}"
        )
    return body.strip(b" \t\r\n")
