"""Read the ``measures`` of an information item: which integers it states.

Rules:
- A row's measure is a numeric column, or an integer for every code of a field. An
  event's or listing's is a count, or the sum of a numeric column, over those with a
  flag, a code or one of several codes.
- A register's measure is one of a row's, full months since one of its days, or derived
  from the row as a whole.
- The state of payment qualification follows from events with ``points`` from 1 to 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.information import (
    DERIVATIONS,
    MAX_VALUE,
    MONTHS_SINCE,
    QUALIFICATIONS,
    ItemField,
    ItemMeasure,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from scoring_kernel.yaml_section import Section

    _Columns = Mapping[str, ItemField]

MAX_MEASURES: Final = 40
MAX_POINTS: Final = 12
"""Most points of one decision."""
MAX_SUSPENDED_MONTHS: Final = 6

ID: Final = r"[a-z][a-z0-9_]{0,39}"

_AGREEMENT_DAY: Final = "first_agreement_day"


def parse_measures(
    document: Section, kind: str, columns: _Columns, units: Collection[str]
) -> tuple[ItemMeasure, ...]:
    """Read the measures of an item.

    Args:
        document: The item file's top mapping.
        kind: Kind of the item.
        columns: Its fields by column.
        units: Known unit ids.

    Returns:
        The measures in the order of the file.

    Raises:
        CatalogError: A measure has a wrong form, or reads a column that the fields do not have.
    """
    listed = document.section("measures")
    if not 1 <= len(listed.values) <= MAX_MEASURES:
        raise document.error(f"expected 1 to {MAX_MEASURES} measures", "measures")
    measures = []
    for name in listed.values:
        listed.refuse_name_unless(name, ID)
        measures.append(_PARSERS[kind](name, listed.section(name), columns, units))
    return tuple(measures)


def _row_measure(
    name: str, section: Section, columns: _Columns, units: Collection[str]
) -> ItemMeasure:
    if "of" in section.values or "values" in section.values:
        return _coded_measure(name, section, columns, units)
    section.refuse_unknown(("name_zh", "unit"))
    unit = columns[name].unit if name in columns else None
    if unit is None or unit not in units:
        raise section.error(f"measure {name!r} is not a numeric column of the item")
    if "unit" in section.values:
        section.choice("unit", (unit,))
    title = section.text("name_zh", max_chars=60)
    return ItemMeasure(id=name, name_zh=title, unit=unit, column=name)


def _coded_measure(
    name: str, section: Section, columns: _Columns, units: Collection[str]
) -> ItemMeasure:
    """An integer for every code of a field."""
    section.refuse_unknown(("name_zh", "unit", "of", "values"))
    column = section.text("of")
    if column not in columns or columns[column].type != "code":
        raise section.error(f"of: {column!r} is not a code column of the item", "of")
    listed = section.section("values")
    codes = columns[column].codes
    listed.refuse_unknown(codes)
    return ItemMeasure(
        id=name,
        name_zh=section.text("name_zh", max_chars=60),
        unit=section.choice("unit", units),
        column=column,
        values={code: listed.integer(code, least=0, most=MAX_VALUE) for code in codes},
    )


def _event_measure(
    name: str, section: Section, columns: _Columns, units: Collection[str]
) -> ItemMeasure:
    if "derive" in section.values:
        return _qualification_measure(name, section, columns, units)
    return _counted_measure(name, section, columns, units)


def _counted_measure(
    name: str, section: Section, columns: _Columns, units: Collection[str]
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
    )


def _parse_where(section: Section, columns: _Columns) -> tuple[str, tuple[str | int, ...]] | None:
    where = section.find_section("where")
    if where is None:
        return None
    if len(where.values) != 1:
        raise section.error("where: expected one column and its value", "where")
    (column,) = where.values
    field = columns.get(column)
    if field is not None and field.type == "code":
        return column, _codes(where, column, field)
    if field is not None and field.type == "flag":
        return column, (where.integer(column, least=0, most=1),)
    raise section.error(f"where: {column!r} is not a code or flag column of the item", "where")


def _codes(where: Section, column: str, field: ItemField) -> tuple[str, ...]:
    """One code, or a list of several."""
    if isinstance(where.values[column], str):
        return (where.choice(column, field.codes),)
    codes = where.texts(column)
    unknown = [code for code in codes if code not in field.codes]
    if unknown:
        expected = ", ".join(sorted(field.codes))
        raise where.error(f"{column}: found {unknown[0]!r}, expected some of {expected}", column)
    if not codes or len({*codes}) < len(codes):
        raise where.error(f"{column}: expected at least one code, none twice", column)
    return codes


def _qualification_measure(
    name: str, section: Section, columns: _Columns, units: Collection[str]
) -> ItemMeasure:
    section.refuse_unknown(("name_zh", "unit", "derive"))
    derive = section.choice("derive", QUALIFICATIONS)
    points = columns.get("points")
    if points is None or not (
        points.type == "count"
        and points.required
        and points.least >= 1
        and points.most <= MAX_POINTS
    ):
        problem = f"{derive} needs the required count field points, least 1, most {MAX_POINTS}"
        raise section.error(problem, "derive")
    months = columns.get("suspended_months")
    if months is not None and not (
        months.type == "count" and months.least >= 1 and months.most <= MAX_SUSPENDED_MONTHS
    ):
        problem = f"suspended_months: expected a count, least 1, most {MAX_SUSPENDED_MONTHS}"
        raise section.error(problem, "derive")
    act = columns.get("act_id")
    if act is not None and act.type != "text":
        raise section.error("act_id: expected a text field", "derive")
    restored = columns.get("restored_day")
    if restored is not None and (restored.type != "date" or restored.required):
        raise section.error("restored_day: expected an optional day", "derive")
    return ItemMeasure(
        id=name,
        name_zh=section.text("name_zh", max_chars=60),
        unit=section.choice("unit", units),
        derive=derive,
    )


def _register_measure(
    name: str, section: Section, columns: _Columns, units: Collection[str]
) -> ItemMeasure:
    if "derive" not in section.values and MONTHS_SINCE not in section.values:
        return _row_measure(name, section, columns, units)
    section.refuse_unknown(("name_zh", "unit", "derive", MONTHS_SINCE))
    title = section.text("name_zh", max_chars=60)
    unit = section.choice("unit", units)
    if MONTHS_SINCE in section.values:
        if "derive" in section.values:
            raise section.error(f"derive and {MONTHS_SINCE} stand together: keep one", "derive")
        since = section.section(MONTHS_SINCE)
        since.refuse_unknown(("day",))
        day = _date_column(since.text("day"), since, "day", columns)
        return ItemMeasure(id=name, name_zh=title, unit=unit, derive=MONTHS_SINCE, day=day)
    derive = section.choice("derive", DERIVATIONS)
    if derive != "agreement_months":
        return ItemMeasure(id=name, name_zh=title, unit=unit, derive=derive)
    day = _date_column(_AGREEMENT_DAY, section, "derive", columns)
    return ItemMeasure(id=name, name_zh=title, unit=unit, derive=derive, day=day)


def _date_column(name: str, section: Section, key: str, columns: _Columns) -> str:
    if name not in columns or columns[name].type != "date":
        owner = section.values.get("derive", MONTHS_SINCE)
        raise section.error(f"{owner} needs the date field {name}", key)
    return name


_PARSERS: Final[Mapping[str, Callable[..., ItemMeasure]]] = {
    "row": _row_measure,
    "event": _event_measure,
    "listing": _counted_measure,
    "register": _register_measure,
}
