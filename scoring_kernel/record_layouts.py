"""Layouts (记录版式): which transactions become which records, as data.

Rules:
- A layout takes one node of one transaction; every row of the node is one record. What
  needs several nodes compared (settlements, fees, stays, reversals) is code of the node.
- A column of the kind is given by a field of the row (``own``), of the row that holds it
  (``parent``), of a node that stands once in the message, or of the message's head, or
  by a constant. ``record_id`` of the parent is the id of the record that its row became.
- ``record_id``, ``institution`` and ``month`` belong to every record and are not given;
  every other column that may not be null must be.
- A column's ending is the unit: ``_fen`` hundredths, ``_e4`` ten-thousandths, ``_e6``
  millionths; another whole number has no decimals. Booleans name the codes of both sides;
  any other code is refused.
- A record's month is that of one of its moments, or of its message where it has none of its own.
- A personal field goes into a personal column only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.transactions import InterfaceField, Transaction
    from scoring_kernel.yaml_section import Section

OWN: Final = "own"
PARENT: Final = "parent"
HEAD: Final = "head"
RECORD_ID: Final = "record_id"
"""Pseudo-field of a parent: the id of the record that the parent's row became."""
GIVEN: Final = ("record_id", "institution", "month")
"""Columns that the node fills itself."""

MAX_RECORDS: Final = 8
"""Most records' layouts of one transaction."""

_COLUMN_KEYS: Final = ("field", "from", "constant", "truths", "falses")
_FIELD_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset(("string", "number")),
    "bool": frozenset(("string", "number")),
    "int8": frozenset(("number",)),
    "int32": frozenset(("number",)),
    "int64": frozenset(("number",)),
    "timestamp[s]": frozenset(("datetime", "date")),
}
"""Types of the fields that a column of each type is made from."""
_SCALES: Final[Mapping[str, int]] = {"_fen": 2, "_e4": 4, "_e6": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutColumn:
    """How one column of a record is filled."""

    name: str
    """Column of the kind."""
    field: str | None
    """Field of the interface; None where the column is a constant."""
    origin: str | tuple[str, str]
    """``own``, ``parent``, ``head``, or (direction, node) of a node that stands once."""
    constant: str | None
    """Text that every record has; None where a field is taken."""
    truths: frozenset[str]
    """Codes that mean true; empty unless the column is a boolean."""
    falses: frozenset[str]
    """Codes that mean false."""

    @property
    def scale(self) -> int:
        """Decimals kept of a number, from the column's name.

        >>> LayoutColumn(name="price_e6", field="pric", origin="own", constant=None,
        ...              truths=frozenset(), falses=frozenset()).scale
        6
        """
        return next((scale for end, scale in _SCALES.items() if self.name.endswith(end)), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLayout:
    """How the rows of one node become records of one kind."""

    kind: str
    """Record kind."""
    direction: str
    node: str
    day: str
    """Column, a moment that is never null, whose month is the record's; ``head`` for the
    moment of the message."""
    columns: tuple[LayoutColumn, ...]
    """Columns in the order of the kind; those left out are null."""

    @property
    def key(self) -> tuple[str, str]:
        """Direction and node."""
        return self.direction, self.node


def parse_record_layouts(
    document: Section,
    *,
    records: Mapping[str, RecordKind],
    transactions: Mapping[str, Transaction],
    envelope: Transaction,
) -> dict[str, tuple[RecordLayout, ...]]:
    """Read ``record_layouts.yaml``.

    Args:
        document: The file's top mapping: per transaction, under ``layouts``, its records.
        records: Record kinds.
        transactions: Transactions by number.
        envelope: The head of every message.

    Returns:
        Layouts by transaction, in the order of the file.

    Raises:
        CatalogError: A kind, transaction, node, field or column does not exist or is of a
            type that does not fit, or a column that may not be null is not given.
    """
    document.refuse_unknown(("layouts",))
    listed = document.section("layouts")
    found: dict[str, tuple[RecordLayout, ...]] = {}
    for infno in listed.values:
        transaction = transactions.get(infno)
        if transaction is None or not transaction.is_described:
            problem = f"transaction {infno[:10]!r} has no file in interface/: describe it first"
            raise listed.error(problem, infno)
        section = listed.section(infno)
        section.refuse_unknown(("records",))
        entries = section.sections("records")
        if not 1 <= len(entries) <= MAX_RECORDS:
            raise section.error(f"records: expected 1 to {MAX_RECORDS}", "records")
        found[infno] = tuple(
            _Reader(entry, records, transaction, envelope).layout() for entry in entries
        )
        _verify_parents(section, found[infno], transaction)
    return found


def _verify_parents(
    section: Section, layouts: tuple[RecordLayout, ...], transaction: Transaction
) -> None:
    """Refuse a parent's record id where the parent's rows become no record, or several."""
    for layout in layouts:
        parent = (layout.direction, transaction.parents.get(layout.key, ""))
        wanted = any(one.field == RECORD_ID for one in layout.columns)
        if wanted and sum(one.key == parent for one in layouts) != 1:
            problem = f"{layout.kind}: {RECORD_ID} of {parent[1]!r}, whose rows are not one record"
            raise section.error(f"{problem} each: add its layout, or leave this out", "records")


class _Reader:
    """Reads one entry of ``records``."""

    __slots__ = ("_envelope", "_key", "_kind", "_section", "_transaction")

    def __init__(
        self,
        section: Section,
        records: Mapping[str, RecordKind],
        transaction: Transaction,
        envelope: Transaction,
    ) -> None:
        section.refuse_unknown(("kind", "node", "day", "columns"))
        self._section = section
        kinds = [kind.id for kind in records.values() if kind.stored == "segment"]
        self._kind = records[section.choice("kind", kinds)]
        self._transaction = transaction
        self._envelope = envelope
        self._key = self._node(section, "node")

    def layout(self) -> RecordLayout:
        """Read the entry."""
        listed = self._section.section("columns")
        words = dict(self._kind.schema)
        for name in listed.values:
            if name in GIVEN or name not in words:
                expected = ", ".join(one for one in words if one not in GIVEN)
                problem = f"{name[:40]}: no column to give, expected some of {expected}"
                raise listed.error(problem, name)
        missing = sorted(set(words) - set(listed.values) - self._kind.nullable - set(GIVEN))
        if missing:
            problem = f"columns: {', '.join(missing)} may not be null: give them"
            raise self._section.error(problem, "columns")
        day = self._section.text("day")
        is_moment = words.get(day) == "timestamp[s]" and day not in self._kind.nullable
        if not is_moment and day != HEAD:
            problem = f"day: {day[:40]!r} is no moment of {self._kind.id} that is never null"
            raise self._section.error(f"{problem}, nor {HEAD}", "day")
        return RecordLayout(
            kind=self._kind.id,
            direction=self._key[0],
            node=self._key[1],
            day=day,
            columns=tuple(
                self._column(name, word, listed.section(name))
                for name, word in self._kind.schema
                if name in listed.values
            ),
        )

    def _column(self, name: str, word: str, section: Section) -> LayoutColumn:
        section.refuse_unknown(_COLUMN_KEYS)
        truths, falses = self._sides(word, section)
        if "constant" in section.values:
            if set(section.values) != {"constant"} or word != "string":
                raise section.error(f"{name}: a constant is text and stands alone", "constant")
            constant = section.text("constant", max_chars=40)
            return LayoutColumn(
                name=name, field=None, origin=OWN, constant=constant, truths=truths, falses=falses
            )
        origin, fields = self._origin(section)
        field = section.text("field")
        found = next((one for one in fields if one.name == field), None)
        is_id = origin == PARENT and field == RECORD_ID and word == "string"
        if not is_id and (found is None or found.type not in _FIELD_TYPES[word]):
            expected = " or ".join(sorted(_FIELD_TYPES[word]))
            problem = f"{name}: {field[:40]!r} is no field of type {expected} there"
            raise section.error(f"{problem}: name one of the node's", "field")
        if found is not None and found.personal and name not in self._kind.personal:
            problem = f"{name}: field {field} is personal and the column is not"
            raise section.error(f"{problem}: mark the column in records.yaml", "field")
        return LayoutColumn(
            name=name, field=field, origin=origin, constant=None, truths=truths, falses=falses
        )

    def _sides(self, word: str, section: Section) -> tuple[frozenset[str], frozenset[str]]:
        if word != "bool":
            for key in ("truths", "falses"):
                if key in section.values:
                    raise section.error(f"{key} belong to a boolean column: remove them", key)
            return frozenset(), frozenset()
        truths, falses = frozenset(section.texts("truths")), frozenset(section.texts("falses"))
        if not truths or not falses or truths & falses:
            problem = "truths, falses: expected codes on both sides, none on both"
            raise section.error(problem, "truths")
        return truths, falses

    def _origin(self, section: Section) -> tuple[str | tuple[str, str], tuple[InterfaceField, ...]]:
        given = section.values.get("from", OWN)
        if given == OWN:
            return OWN, self._transaction.fields[self._key]
        if given == HEAD:
            return HEAD, self._envelope.fields["request", ""]
        if given == PARENT:
            parent = self._transaction.parents.get(self._key)
            if parent is None:
                problem = f"from: node {self._key[1]!r} stands at the top and has no parent"
                raise section.error(f"{problem}: name the node", "from")
            return PARENT, self._transaction.fields[self._key[0], parent]
        key = self._node(section, "from")
        if key in self._transaction.arrays or key in self._transaction.parents:
            problem = f"from: node {key[1]!r} does not stand once in a message"
            raise section.error(f"{problem}: take a single node at the top", "from")
        return key, self._transaction.fields[key]

    def _node(self, section: Section, name: str) -> tuple[str, str]:
        parts = section.texts(name)
        key = (parts[0], parts[1]) if len(parts) == 2 else ("", "")
        if key not in self._transaction.fields:
            expected = ", ".join(f"[{one}, {node}]" for one, node in self._transaction.fields)
            problem = f"{name}: found [{', '.join(parts)}], expected [direction, node], one of"
            raise section.error(f"{problem} {expected}", name)
        return key
