"""Read the files of ``information/``: one information item (信息类别) each.

Rules:
- Keys, measures and rules may only name columns that the item's fields give.
- The primary key follows from the kind: a row by subject and period, an event or an
  entry of a listing by authority and document number, a register by subject.
- An item about persons has no free text: an event or entry names its authority and the
  kind of decision by codes, and the decision by its number alone.
- The day that ends an event (``revoked_day``) or an entry (``until_day``) is optional
  and never before the day it began.
- A register names no register; every other item names one, institutions' by default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.document_numbers import DOCUMENT
from scoring_kernel.due_dates import parse_due
from scoring_kernel.information import (
    FIELD_TYPES,
    INSTITUTION_REGISTER,
    KINDS,
    MAX_VALUE,
    NUMBER,
    NUMERIC_TYPES,
    SUFFIXES,
    InformationItem,
    ItemField,
)
from scoring_kernel.item_measures import ID, parse_measures
from scoring_kernel.subject_ids import INSTITUTION, PERSON, SUBJECT_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.yaml_section import Section

MAX_FIELDS: Final = 40

_DOCUMENT: Final = ("authority", "document_number")
_DAYS: Final[Mapping[str, tuple[str, ...]]] = {"event": ("event_day",), "listing": ("from_day",)}
"""Days that a row of each kind must have."""
_LATER_DAYS: Final[Mapping[str, tuple[str, str]]] = {
    "event": ("event_day", "revoked_day"),
    "listing": ("from_day", "until_day"),
}
"""Day of a row and the optional one that ends what it says, never before it."""
_FREE: Final = ("text", "phone")
_OF_PERSONS: Final[Mapping[str, str]] = {
    "authority": "code",
    "document_number": DOCUMENT,
    "decision": "code",
}
"""Types of the fields that tell which decision about a person a row is from."""
_FIELD_KEYS: Final = frozenset(
    (
        *("name_zh", "type", "unit", "required", "personal", "counted", "codes"),
        *("least", "most", "max_chars"),
    )
)


def parse_item(document: Section, units: Collection[str]) -> InformationItem:
    """Read one file of ``information/``.

    Args:
        document: The file's top mapping.
        units: Known unit ids.

    Returns:
        The item.

    Raises:
        CatalogError: A key is missing, unknown or of the wrong form, or a measure, key
            or rule names a column that the fields do not have.
    """
    document.refuse_unknown(
        (
            *("number", "id", "name_zh", "name_en", "source_department", "range", "frequency"),
            *("due", "kind", "subject", "register", "primary_key", "fields", "at_most", "measures"),
        )
    )
    kind = document.choice("kind", KINDS)
    listed = document.section("fields")
    if not 1 <= len(listed.values) <= MAX_FIELDS:
        raise document.error(f"expected 1 to {MAX_FIELDS} fields", "fields")
    fields = tuple(_parse_field(name, listed, units) for name in listed.values)
    columns = {field.column: field for field in fields}
    subject = document.find_text("subject", pattern=ID) or INSTITUTION
    primary_key = _parse_key(document, kind, subject)
    for name in sorted({subject, *primary_key, *_DAYS.get(kind, ())}):
        if name not in columns or not columns[name].required:
            raise document.error(
                f"an item of kind {kind} needs the required field {name}", "fields"
            )
    if columns[subject].type not in SUBJECT_TYPES:
        expected = ", ".join(SUBJECT_TYPES)
        problem = f"subject: {subject!r} is a {columns[subject].type}, expected one of {expected}"
        raise document.error(problem, "subject")
    if columns[subject].type == PERSON:
        _refuse_free_text(listed, kind, columns)
    return InformationItem(
        number=document.text("number", pattern=NUMBER),
        id=document.text("id", pattern=ID),
        name_zh=document.text("name_zh", max_chars=60),
        name_en=document.text("name_en", max_chars=80),
        source_department=document.text("source_department", max_chars=40),
        range=document.text("range", max_chars=40),
        frequency=document.text("frequency", max_chars=20),
        kind=kind,
        subject_field=subject,
        register=_parse_register(document, kind),
        fields=fields,
        primary_key=primary_key,
        at_most=_parse_at_most(document, kind, columns),
        measures=parse_measures(document, kind, columns, units),
        due=parse_due(document),
    )


def _parse_key(document: Section, kind: str, subject: str) -> tuple[str, ...]:
    found = document.texts("primary_key")
    expected = {"row": (subject, "period"), "register": (subject,)}.get(kind, _DOCUMENT)
    if found != expected:
        problem = f"primary_key: an item of kind {kind} has [{', '.join(expected)}]"
        raise document.error(problem, "primary_key")
    return found


def _refuse_free_text(listed: Section, kind: str, columns: Mapping[str, ItemField]) -> None:
    """Refuse fields of an item about persons that could carry a name or number of a person."""
    for field in columns.values():
        if field.type in _FREE:
            problem = f"{field.name}: an item about persons has no field of type {field.type}"
            raise listed.error(
                f"{problem}, expected codes, days, numbers or a document", field.name
            )
    for name, expected in _OF_PERSONS.items() if kind in _DAYS else ():
        found = columns.get(name)
        if found is None or found.type != expected or not found.required:
            problem = f"{name}: an item about persons needs it as a required field of type"
            raise listed.error(f"{problem} {expected}", name)


def _parse_register(document: Section, kind: str) -> str | None:
    named = document.find_text("register", pattern=NUMBER)
    if kind != "register":
        return named or INSTITUTION_REGISTER
    if named is not None:
        problem = "register: a register knows its subjects itself: leave the key out"
        raise document.error(problem, "register")
    return None


def _parse_field(name: str, listed: Section, units: Collection[str]) -> ItemField:
    listed.refuse_name_unless(name, ID)
    section = listed.section(name)
    section.refuse_unknown(_FIELD_KEYS)
    kind = section.choice("type", FIELD_TYPES)
    given = section.values
    for key, owners in (
        ("unit", ("count", "flag")),
        ("codes", ("code",)),
        ("max_chars", ("text",)),
        ("least", tuple(NUMERIC_TYPES)),
        ("most", tuple(NUMERIC_TYPES)),
    ):
        if key in given and kind not in owners:
            raise section.error(f"{key} does not belong to a field of type {kind}", key)
    column, unit = name, None
    if kind in SUFFIXES:
        old, new, unit = SUFFIXES[kind]
        if not name.endswith(old):
            raise listed.error(f"{name}: a {kind} field's name ends in {old}", name)
        column = name.removesuffix(old) + new
    elif kind in NUMERIC_TYPES:
        unit = section.choice("unit", units)
    most = section.integer("most", least=1, most=MAX_VALUE) if "most" in given else MAX_VALUE
    return ItemField(
        name=name,
        column=column,
        name_zh=section.text("name_zh", max_chars=40),
        type=kind,
        unit=unit,
        required=section.flag("required", default=False),
        personal=section.flag("personal", default=False),
        counted=section.flag("counted", default=False),
        codes=_parse_codes(section) if kind == "code" else {},
        least=section.integer("least", least=0, most=most) if "least" in given else 0,
        most=most,
        max_chars=section.integer("max_chars", least=1, most=500) if "max_chars" in given else 100,
    )


def _parse_codes(section: Section) -> dict[str, str]:
    codes = section.section("codes")
    labels: dict[str, str] = {}
    for code in codes.values:
        codes.refuse_name_unless(code, r"[a-z0-9_]{1,30}")
        labels[code] = codes.text(code, max_chars=40)
    if not labels:
        raise section.error("codes: found none, expected at least one", "codes")
    return labels


def _parse_at_most(
    document: Section, kind: str, columns: Mapping[str, ItemField]
) -> dict[str, str]:
    found: dict[str, str] = {}
    first, last = _LATER_DAYS.get(kind, ("", ""))
    if last in columns:
        if columns[last].type != "date" or columns[last].required:
            raise document.error(f"{last}: expected an optional day", "fields")
        found[first] = last
    rules = document.find_section("at_most")
    if rules is None:
        return found
    for smaller in rules.values:
        greater = rules.text(smaller)
        kinds = [columns[name].type for name in (smaller, greater) if name in columns]
        if len(kinds) != 2 or not (set(kinds) <= NUMERIC_TYPES or set(kinds) == {"date"}):
            raise rules.error(
                f"at_most: {smaller!r} and {greater!r} are not two numeric or two date columns",
                smaller,
            )
        found[smaller] = greater
    return found
