"""The rows of one node of many messages, checked as columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook, moments, numbers, texts
from node.intake.field_rules import NodeRules
from node.intake.layouts import REQUEST
from node.intake.messages import Message

__all__ = ["CheckedNode", "check_nodes", "check_rows"]

_TURNED_ROWS: Final = 256
_DAY_TYPES: Final = frozenset(("datetime", "date"))


_Column = TypeVar("_Column")
_Scalar = TypeVar("_Scalar", bound=np.generic)


class _Columns(dict[str, _Column]):
    """Columns by name; one of the catalogue's that no row has is a column of nothing."""

    __slots__ = ("_known", "_nothing")

    def __init__(self, known: frozenset[str], nothing: _Column) -> None:
        super().__init__()
        self._known = known
        self._nothing = nothing

    def __missing__(self, name: str) -> _Column:
        if name not in self._known:
            raise KeyError(name)
        return self._nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedNode:
    """Rows of one node; every column has one value per row."""

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    """The rows as decoded from JSON."""
    owners: npt.NDArray[np.int64]
    """Position in the batch of each row's message, shape (n,), not descending."""
    holders: Sequence[int] = field(repr=False)
    """Row of the parent node that holds each row; of a node at the top, its owner."""
    texts: Mapping[str, Sequence[str | None]] = field(repr=False)
    numbers: Mapping[str, npt.NDArray[np.int64]] = field(repr=False)
    """Numbers in units of their last decimal; 0 where missing."""
    present: Mapping[str, npt.NDArray[np.bool_]] = field(repr=False)
    """Which numbers are there."""
    moments: Mapping[str, npt.NDArray[np.datetime64]] = field(repr=False)
    unknown: Sequence[tuple[int, tuple[str, ...]]] = field(repr=False)
    """Rows that hold keys the catalogue does not know, with these keys."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.owners)

    def places(self) -> npt.NDArray[np.int64]:
        """Give each row's place among the rows of its message, from 1, shape (n,)."""
        places: npt.NDArray[np.int64] = np.arange(self.size) + 1
        return places - np.searchsorted(self.owners, self.owners)

    def optional(self, name: str) -> list[str | None]:
        """Give a text of each row; None where it is blank, or where no message has the field."""
        values = self.texts.get(name)
        if values is None:
            return [None] * self.size
        return [value or None for value in values]


def check_nodes(
    rules: Sequence[NodeRules], messages: Sequence[Message], book: FaultBook
) -> dict[tuple[str, str], CheckedNode]:
    """Take nodes out of some messages and check their fields.

    Args:
        rules: The nodes and their fields, a parent before the nodes within it.
        messages: Messages of one transaction.
        book: Takes the first fault of each message.

    Returns:
        The nodes by (direction, node), rows in the order of the messages; faulty values
        stand in as missing.
    """
    nodes: dict[tuple[str, str], CheckedNode] = {}
    for node in rules:
        if node.parent is None:
            of_request = node.direction == REQUEST
            holders = [one.input if of_request else one.output for one in messages]
            owners: Sequence[int] = range(len(messages))
        else:
            parent = nodes[node.direction, node.parent]
            holders, owners = list(parent.rows), parent.owners.tolist()
        rows, held_by = _rows(node, holders, owners, book)
        nodes[node.direction, node.node] = check_rows(
            node, rows, [owners[holder] for holder in held_by], book, held_by
        )
    return nodes


def check_rows(
    rules: NodeRules,
    rows: Sequence[Mapping[str, Any]],
    owners: Sequence[int],
    book: FaultBook,
    holders: Sequence[int] = (),
) -> CheckedNode:
    """Check the fields of some rows.

    Args:
        rules: The node and its fields.
        rows: Rows as decoded from JSON.
        owners: Position of each row's message in the batch.
        book: Takes the first fault of each message.
        holders: What holds each row; see ``CheckedNode``.

    Returns:
        The rows; faulty values stand in as missing.
    """
    size = len(rows)
    names = rules.known
    found_texts = _Columns[Sequence[str | None]](names, (None,) * size)
    found_numbers = _Columns(names, _constant(np.zeros(size, np.int64)))
    present = _Columns(names, _constant(np.zeros(size, np.bool_)))
    found_moments = _Columns(names, _constant(np.full(size, "NaT", "datetime64[s]")))
    columns, unknown = _columns(rows, rules.known)
    for rule in rules.fields:
        name = rule.name
        values = columns.get(name)
        if values is None:
            if not rule.needed:
                continue
            values = [None] * size
        if rule.type == "number":
            found_numbers[name], present[name] = numbers(rule, values, owners, book)
        elif rule.type in _DAY_TYPES:
            found_moments[name] = moments(rule, values, owners, book)
        else:
            found_texts[name] = texts(rule, values, owners, book)
    return CheckedNode(
        rows=rows,
        owners=np.array(owners, np.int64),
        holders=holders,
        texts=found_texts,
        numbers=found_numbers,
        present=present,
        moments=found_moments,
        unknown=unknown,
    )


def _rows(
    rules: NodeRules,
    holders: Sequence[Mapping[str, Any]],
    owners: Sequence[int],
    book: FaultBook,
) -> tuple[list[Mapping[str, Any]], list[int]]:
    """Take the rows of a node out of what holds it; returns them with their holders."""
    rows: list[Mapping[str, Any]] = []
    held_by: list[int] = []
    for place, holder in enumerate(holders):
        value = holder.get(rules.key)
        if isinstance(value, dict) and value:
            rows.append(value)
            held_by.append(place)
        elif not value:
            if rules.needed:
                expected = "at least one line" if rules.is_array else "an object"
                book.add(owners[place], Fault.of(Rule.FIELD_MISSING, rules.path, None, expected))
        elif rules.is_array and isinstance(value, list) and _all_objects(value):
            rows.extend(value)
            held_by.extend([place] * len(value))
        else:
            expected = "a list of objects" if rules.is_array else "an object"
            found = type(value).__name__
            book.add(owners[place], Fault.of(Rule.FIELD_TYPE, rules.path, found, expected))
    return rows, held_by


_Unknown = list[tuple[int, tuple[str, ...]]]


def _columns(
    rows: Sequence[Mapping[str, Any]], known: frozenset[str]
) -> tuple[dict[str, list[Any]], _Unknown]:
    """Turn rows into columns, None where a row lacks the key; find the keys that are not known.

    Rows of one system carry the same keys, so rows are turned a key set at a
    time: one lookup of all keys per row instead of one walk over all rows per name.
    """
    if not rows:
        return {}, []
    turned = _uniform_columns(rows, tuple(rows[0]))
    if turned is not None:
        others = tuple(turned.keys() - known)
        return turned, [(row, others) for row in range(len(rows))] if others else []
    by_keys: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        by_keys.setdefault(tuple(row), []).append(index)
    columns = {name: [None] * len(rows) for keys in by_keys for name in keys if name in known}
    unknown: _Unknown = []
    for keys, indexes in by_keys.items():
        part = _uniform_columns([rows[index] for index in indexes], keys) or {}
        for name in known.intersection(part):
            column = columns[name]
            for index, value in zip(indexes, part[name], strict=True):
                column[index] = value
        if others := tuple(part.keys() - known):
            unknown.extend((index, others) for index in indexes)
    return columns, unknown


def _uniform_columns(
    rows: Sequence[Mapping[str, Any]], keys: tuple[str, ...]
) -> dict[str, list[Any]] | None:
    """Turn rows that all have the same keys into columns; None when they have not."""
    if not keys or set(map(len, rows)) != {len(keys)}:
        return None
    take = itemgetter(*keys)
    columns: list[list[Any]] = [[] for _ in keys]
    try:
        # A few rows at a time: they stay in the processor's cache while they are turned.
        for start in range(0, len(rows), _TURNED_ROWS):
            picked = map(take, rows[start : start + _TURNED_ROWS])
            turned = [picked] if len(keys) == 1 else zip(*picked, strict=True)
            for column, values in zip(columns, turned, strict=True):
                column.extend(values)
    except KeyError:
        return None
    return dict(zip(keys, columns, strict=True))


def _constant(values: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """Keep an array that several columns share from being changed."""
    values.flags.writeable = False
    return values


def _all_objects(values: Sequence[object]) -> bool:
    return set(map(type, values)) == {dict}
