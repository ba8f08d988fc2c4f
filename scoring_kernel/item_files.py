"""Read the files of ``information/``: one information item (信息类别) each.

Rules:
- Keys, measures and rules may only name columns that the item's fields give.
- The primary key follows from the kind: a row by institution and period, an event
  by authority and document number, a register by institution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.information import (
    DERIVATIONS,
    FIELD_TYPES,
    KINDS,
    MAX_VALUE,
    NUMERIC_TYPES,
    SUFFIXES,
    InformationItem,
    ItemField,
    ItemMeasure,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scoring_kernel.yaml_section import Section

MAX_FIELDS: Final = 40
MAX_MEASURES: Final = 40

_ID: Final = r"[a-z][a-z0-9_]{0,39}"
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "row": ("institution", "period"),
    "event": ("authority", "document_number"),
    "register": ("institution",),
}
_FIELD_KEYS: Final = frozenset(
    ("name_zh", "type", "unit", "required", "personal", "counted", "codes", "most", "max_chars")
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
            *("kind", "primary_key", "fields", "at_most", "measures"),
        )
    )
    kind = document.choice("kind", KINDS)
    listed = document.section("fields")
    if not 1 <= len(listed.values) <= MAX_FIELDS:
        raise document.error(f"expected 1 to {MAX_FIELDS} fields", "fields")
    fields = tuple(_parse_field(name, listed, units) for name in listed.values)
    columns = {field.column: field for field in fields}
    primary_key = document.texts("primary_key")
    if primary_key != _KEYS[kind]:
        expected = ", ".join(_KEYS[kind])
        raise document.error(f"primary_key: an item of kind {kind} has [{expected}]", "primary_key")
    needed = {"institution", *primary_key, *(("event_day",) if kind == "event" else ())}
    for name in sorted(needed):
        if name not in columns or not columns[name].required:
            raise document.error(
                f"an item of kind {kind} needs the required field {name}", "fields"
            )
    return InformationItem(
        number=document.text("number", pattern=r"[0-9]{2}"),
        id=document.text("id", pattern=_ID),
        name_zh=document.text("name_zh", max_chars=60),
        name_en=document.text("name_en", max_chars=80),
        source_department=document.text("source_department", max_chars=40),
        range=document.text("range", max_chars=40),
        frequency=document.text("frequency", max_chars=20),
        kind=kind,
        fields=fields,
        primary_key=primary_key,
        at_most=_parse_at_most(document, columns),
        measures=_parse_measures(document, kind, columns, units),
    )


def _parse_field(name: str, listed: Section, units: Collection[str]) -> ItemField:
    listed.refuse_name_unless(name, _ID)
    section = listed.section(name)
    section.refuse_unknown(_FIELD_KEYS)
    kind = section.choice("type", FIELD_TYPES)
    given = section.values
    for key, owners in (
        ("unit", ("count", "flag")),
        ("codes", ("code",)),
        ("max_chars", ("text",)),
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
        most=section.integer("most", least=1, most=MAX_VALUE) if "most" in given else MAX_VALUE,
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


def _parse_at_most(document: Section, columns: Mapping[str, ItemField]) -> dict[str, str]:
    rules = document.find_section("at_most")
    if rules is None:
        return {}
    found: dict[str, str] = {}
    for smaller in rules.values:
        greater = rules.text(smaller)
        for name in (smaller, greater):
            if name not in columns or columns[name].type not in NUMERIC_TYPES:
                raise rules.error(f"at_most: {name!r} is not a numeric column", smaller)
        found[smaller] = greater
    return found


def _parse_measures(
    document: Section, kind: str, columns: Mapping[str, ItemField], units: Collection[str]
) -> tuple[ItemMeasure, ...]:
    listed = document.section("measures")
    if not 1 <= len(listed.values) <= MAX_MEASURES:
        raise document.error(f"expected 1 to {MAX_MEASURES} measures", "measures")
    measures = []
    for name in listed.values:
        listed.refuse_name_unless(name, _ID)
        section = listed.section(name)
        parse = {"row": _row_measure, "event": _event_measure, "register": _register_measure}[kind]
        measures.append(parse(name, section, columns, units))
    return tuple(measures)


def _row_measure(
    name: str, section: Section, columns: Mapping[str, ItemField], units: Collection[str]
) -> ItemMeasure:
    section.refuse_unknown(("name_zh",))
    unit = columns[name].unit if name in columns else None
    if unit is None or unit not in units:
        raise section.error(f"measure {name!r} is not a numeric column of the item")
    title = section.text("name_zh", max_chars=60)
    return ItemMeasure(id=name, name_zh=title, unit=unit, column=name, where=None, derive=None)


def _event_measure(
    name: str, section: Section, columns: Mapping[str, ItemField], units: Collection[str]
) -> ItemMeasure:
    section.refuse_unknown(("name_zh", "unit", "sum", "where"))
    column = section.find_text("sum")
    if column is not None and (column not in columns or columns[column].unit is None):
        raise section.error(f"sum: {column!r} is not a numeric column of the item", "sum")
    return ItemMeasure(
        id=name,
        name_zh=section.text("name_zh", max_chars=60),
        unit=section.choice("unit", units),
        column=column,
        where=_parse_where(section, columns),
        derive=None,
    )


def _parse_where(
    section: Section, columns: Mapping[str, ItemField]
) -> tuple[str, str | int] | None:
    where = section.find_section("where")
    if where is None:
        return None
    if len(where.values) != 1:
        raise section.error("where: expected one column and its value", "where")
    (column,) = where.values
    field = columns.get(column)
    if field is not None and field.type == "code":
        return column, where.choice(column, field.codes)
    if field is not None and field.type == "flag":
        return column, where.integer(column, least=0, most=1)
    raise section.error(f"where: {column!r} is not a code or flag column of the item", "where")


def _register_measure(
    name: str, section: Section, columns: Mapping[str, ItemField], units: Collection[str]
) -> ItemMeasure:
    section.refuse_unknown(("name_zh", "unit", "derive"))
    derive = section.choice("derive", DERIVATIONS)
    day = columns.get("first_agreement_day")
    if derive == "agreement_months" and (day is None or day.type != "date"):
        raise section.error("agreement_months needs the date field first_agreement_day", "derive")
    return ItemMeasure(
        id=name,
        name_zh=section.text("name_zh", max_chars=60),
        unit=section.choice("unit", units),
        column=None,
        where=None,
        derive=derive,
    )
