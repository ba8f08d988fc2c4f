"""Records that rows of a node become, one each, as the catalogue's layouts say.

Rules:
- A record's id is its message's, the transaction, the layout's place among those of the
  transaction and the row's place in the message, all from 1: ``MSGID#3501.1.2``.
- What may not be null must be filled; a day that a node beside leaves out is the
  message's own.
- A number goes into its column exactly or not at all; of a boolean both sides are codes
  and anything else is refused.
- While the response is awaited only what the request holds is checked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from node.domain.faults import Fault, Rule
from node.intake.columns import FaultBook
from node.intake.entries import with_entries
from node.intake.field_rules import FieldRule, NodeRules
from node.intake.group import Group, check_days, months_of
from node.intake.layouts import RESPONSE
from node.intake.nodes import CheckedNode
from scoring_kernel.record_layouts import (
    HEAD,
    OWN,
    PARENT,
    RECORD_ID,
    LayoutColumn,
    RecordLayout,
)

__all__ = ["build_rows"]

_SENT_AT: Final = "inf_time"
_ABSENT: Final = -1

_Index = npt.NDArray[np.int64]


def build_rows(
    layouts: Sequence[RecordLayout],
    rules: Sequence[NodeRules],
    group: Group,
    schemas: Mapping[str, pa.Schema],
    book: FaultBook,
) -> dict[str, pa.Table]:
    """Build the records that rows of some messages become.

    Args:
        layouts: Layouts of the transaction.
        rules: Nodes of the transaction.
        group: The messages, their nodes without a fault.
        schemas: Schema per kind.
        book: Takes the first fault of each message.

    Returns:
        Records by kind; nothing while a response is awaited, or when there is a fault.
    """
    fields = {
        (node.direction, node.node, rule.name): rule for node in rules for rule in node.fields
    }
    parents = {(node.direction, node.node): node.parent for node in rules}
    found: dict[str, list[pa.Table]] = {}
    for layout in layouts:
        node = group.nodes.get(layout.key)
        if node is None or not node.size:
            continue
        builder = _Builder(
            layout=layout,
            layouts=layouts,
            parent=(layout.direction, parents[layout.key] or ""),
            fields=fields,
            group=group,
            node=node,
            schema=schemas[layout.kind],
            book=book,
        )
        columns = builder.columns()
        if group.is_answered and not book.faults:
            found.setdefault(layout.kind, []).append(builder.table(columns))
    return with_entries({kind: pa.concat_tables(tables) for kind, tables in found.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the values of a column stand."""

    node: CheckedNode = field(repr=False)
    at: _Index = field(repr=False)
    """Row of the node for each record, shape (n,); ``_ABSENT`` where there is none."""
    rule: FieldRule
    beside: bool
    """True for a node that is neither the row's own nor its parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """Builds the records of one layout."""

    layout: RecordLayout
    layouts: Sequence[RecordLayout]
    """All layouts of the transaction."""
    parent: tuple[str, str]
    """The node that holds the rows."""
    fields: Mapping[tuple[str, str, str], FieldRule] = field(repr=False)
    group: Group
    node: CheckedNode = field(repr=False)
    schema: pa.Schema = field(repr=False)
    book: FaultBook = field(repr=False)

    def columns(self) -> dict[str, pa.Array]:
        """Fill and check the columns; those that only the response can fill may be missing."""
        filled: dict[str, pa.Array] = {}
        for column in self.layout.columns:
            values = self._values(column)
            if values is None:
                continue
            filled[column.name] = values
            if values.null_count and not self.schema.field(column.name).nullable:
                path = self._path(column)
                for row in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)):
                    fault = Fault.of(Rule.FIELD_MISSING, path, None, "a value")
                    self.book.add(int(self.node.owners[row]), fault)
            if column.name == self.layout.day:
                self._check_days(self._path(column), self._days(filled))
        if self.layout.day == HEAD:
            self._check_days(f"request.{_SENT_AT}", self._days(filled))
        return filled

    def _days(self, columns: Mapping[str, pa.Array]) -> npt.NDArray[np.datetime64]:
        """Give the moments that decide the records' months."""
        if self.layout.day == HEAD:
            return self.group.sent_at()[self.node.owners]
        held = columns[self.layout.day].to_numpy(zero_copy_only=False)
        days: npt.NDArray[np.datetime64] = held.astype("datetime64[s]")
        return days

    def _check_days(self, path: str, days: npt.NDArray[np.datetime64]) -> None:
        check_days(path, days, self.node.owners, self.group.bounds, self.book)

    def table(self, columns: Mapping[str, pa.Array]) -> pa.Table:
        """Put the records together."""
        owners = self.node.owners.tolist()
        messages = self.group.messages
        own = {
            "record_id": self._ids(self.layout, self.node.places(), owners),
            "institution": [messages[owner].institution for owner in owners],
            "month": months_of(self._days(columns)),
            **columns,
        }
        return pa.table(
            {
                one.name: own.get(one.name, pa.nulls(self.node.size, one.type))
                for one in self.schema
            },
            schema=self.schema,
        )

    def _ids(
        self, layout: RecordLayout, places: npt.NDArray[np.int64], owners: Sequence[int]
    ) -> list[str]:
        messages = self.group.messages
        number = self.layouts.index(layout) + 1
        tail = f"#{messages[0].infno}.{number}."
        return [
            f"{messages[owner].msgid}{tail}{place}"
            for owner, place in zip(owners, places.tolist(), strict=True)
        ]

    def _path(self, column: LayoutColumn) -> str:
        """Name a column's field for the operator."""
        if column.origin == HEAD:
            return f"request.{column.field}"
        key = {OWN: self.layout.key, PARENT: self.parent}.get(str(column.origin), column.origin)
        return f"{key[0]}.{key[1]}.{column.field}"

    def _values(self, column: LayoutColumn) -> pa.Array | None:
        """Give a column's values; None while only a response could."""
        kind = self.schema.field(column.name).type
        if column.constant is not None:
            return pa.array([column.constant] * self.node.size, kind)
        if column.origin == HEAD:
            return self._of_head(str(column.field), kind)
        if column.field == RECORD_ID:
            return self._of_parent(kind)
        source = self._source(column)
        return None if source is None else self._of_source(source, column, kind)

    def _of_source(self, source: _Source, column: LayoutColumn, kind: pa.DataType) -> pa.Array:
        if pa.types.is_timestamp(kind):
            return self._moments(source, kind)
        if pa.types.is_integer(kind):
            return self._numbers(source, column, kind)
        texts = self._texts(source)
        if pa.types.is_boolean(kind):
            return self._flags(source, column, texts)
        return pa.array(texts, kind)

    def _source(self, column: LayoutColumn) -> _Source | None:
        """Find where a column's values stand; None where its node has no row at all."""
        key = self.layout.key
        if column.origin == OWN:
            node, at = self.node, np.arange(self.node.size)
        elif column.origin == PARENT:
            key = self.parent
            node, at = self.group.nodes[key], np.array(self.node.holders, np.int64)
        else:
            key = column.origin[0], column.origin[1]
            if key[0] == RESPONSE and not self.group.is_answered:
                return None
            node = self.group.nodes[key]
            at = np.searchsorted(node.owners, self.node.owners)
            has_one = np.isin(self.node.owners, node.owners)
            at = np.where(has_one, at, _ABSENT)
        return _Source(
            node=node,
            at=at,
            rule=self.fields[*key, str(column.field)],
            beside=isinstance(column.origin, tuple),
        )

    def _of_head(self, name: str, kind: pa.DataType) -> pa.Array:
        owners = self.node.owners
        if name == _SENT_AT:
            return pa.array(self.group.sent_at()[owners], kind)
        heads = [message.request.get(name) for message in self.group.messages]
        return pa.array([str(heads[owner] or "") or None for owner in owners.tolist()], kind)

    def _of_parent(self, kind: pa.DataType) -> pa.Array:
        """Give the ids of the records that the rows' parents became."""
        (layout,) = (one for one in self.layouts if one.key == self.parent)
        node = self.group.nodes[self.parent]
        ids = self._ids(layout, node.places(), node.owners.tolist())
        return pa.array([ids[holder] for holder in self.node.holders], kind)

    def _moments(self, source: _Source, kind: pa.DataType) -> pa.Array:
        held = source.node.moments[source.rule.name]
        values = _picked(held, source.at, np.datetime64("NaT", "s"))
        if source.beside:
            values = np.where(np.isnat(values), self.group.sent_at()[self.node.owners], values)
        return pa.array(values, kind)

    def _texts(self, source: _Source) -> list[str | None]:
        """Give texts, of numbers their digits; None where missing or blank."""
        rule = source.rule
        if rule.type != "number":
            texts = source.node.optional(rule.name)
        else:
            texts = [
                f"{Decimal(number).scaleb(-rule.scale).normalize():f}" if is_there else None
                for number, is_there in zip(
                    source.node.numbers[rule.name].tolist(),
                    source.node.present[rule.name].tolist(),
                    strict=True,
                )
            ]
        return [texts[row] if row != _ABSENT else None for row in source.at.tolist()]

    def _flags(
        self, source: _Source, column: LayoutColumn, texts: Sequence[str | None]
    ) -> pa.Array:
        sides = dict.fromkeys(column.truths, True) | dict.fromkeys(column.falses, False)
        for owner, text in zip(self.node.owners.tolist(), texts, strict=True):
            if text is not None and text not in sides:
                expected = f"one of {', '.join(sorted(sides))}"
                self.book.add_value(owner, Rule.CODE_UNKNOWN, source.rule, text, expected)
        return pa.array([None if text is None else sides.get(text) for text in texts], pa.bool_())

    def _numbers(self, source: _Source, column: LayoutColumn, kind: pa.DataType) -> pa.Array:
        rule = source.rule
        values = _picked(source.node.numbers[rule.name], source.at, 0)
        present = _picked(source.node.present[rule.name], source.at, False)  # noqa: FBT003 - a fill value
        up, down = max(column.scale - rule.scale, 0), max(rule.scale - column.scale, 0)
        most = min(np.iinfo(kind.to_pandas_dtype()).max, _INT64_MAX) // 10**up
        large = np.abs(values // 10**down) > most
        uneven = values % 10**down != 0
        for bad, fault, expected in (
            (large, Rule.NUMBER_RANGE, f"at most {most}"),
            (uneven, Rule.NUMBER_SCALE, f"at most {column.scale} decimals"),
        ):
            for row in np.flatnonzero(bad):
                shown = f"{Decimal(int(values[row])).scaleb(-rule.scale):f}"
                owner = int(self.node.owners[row])
                self.book.add_value(owner, fault, rule, shown, expected)
        scaled = np.where(large, 0, values // 10**down * 10**up)
        return pa.array(scaled, kind, mask=~present)


_INT64_MAX: Final = int(np.iinfo(np.int64).max)


def _picked(values: npt.NDArray[Any], at: _Index, absent: object) -> npt.NDArray[Any]:
    """Take the value of each record's row."""
    if not len(values):
        return np.full(len(at), absent, values.dtype)
    return np.where(at == _ABSENT, absent, values[at])  # type: ignore[call-overload, no-any-return]
