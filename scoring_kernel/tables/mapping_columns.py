"""One column of a mapping file: where it comes from, and what belongs to its type.

Sources, one of them: ``column``, ``first`` (the first filled of several), ``sum``,
``constant``. Of numbers: ``unit``, ``round``. Of days: ``format``, one or a list, ``iso``
for ISO 8601 with or without a time. Of texts: ``map`` (``{theirs: ours}`` or a list of
``{from: theirs, to: ours}``), ``case``; of bools also ``truths`` and ``falses``. Of any:
``default`` (an empty cell), ``trim``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.tables.mapping import ColumnSpec
from scoring_kernel.tables.mapping_units import decimals_of, units_of
from scoring_kernel.yaml_section import Items

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.yaml_section import Section

__all__ = ["ISO", "parse_column"]

ISO: Final = "iso"
"""Format of a day: ISO 8601; a moment with an offset becomes wall clock of Asia/Shanghai."""
MAX_COLUMNS: Final = 8
MAX_FORMATS: Final = 8
MAX_CODES: Final = 5_000
MAX_DECIMALS: Final = 12

_SOURCES: Final = ("column", "first", "sum", "constant")
_KEYS: Final = frozenset(
    (
        *("column", "first", "sum", "constant", "unit", "round", "format", "default"),
        *("map", "truths", "falses", "trim", "case"),
    )
)
_CODE_LISTS: Final = {"discharge_way": "dscg_way"}
"""Column of a record → national code list, where their names differ."""
_NUMBERS: Final = frozenset(("int8", "int32", "int64", "count", "yuan", "score", "ratio4"))
_DAYS: Final = ("timestamp[s]", "date")
_BOOLS: Final = ("bool", "flag")
_FORMAT: Final = r"iso|(?=.*%Y)(?!.*%([YmdHMS]).*%\1)(?:%[YmdHMS]|[-/:. T年月日时分秒]){1,20}"
"""Letters of strptime, each once, the year among them."""


def parse_column(
    section: Section,
    name: str,
    word: str,
    *,
    nullable: bool,
    personal: bool,
    lists: Mapping[str, frozenset[str]],
) -> ColumnSpec:
    """Read one column of a target.

    Args:
        section: The target's section.
        name: The column.
        word: Its type.
        nullable: True where the column may be left out.
        personal: True where its values are personal.
        lists: Codes by closed list.

    Raises:
        CatalogError: The column is missing or breaks a rule.
    """
    if name not in section.values:
        if name == "sign":
            return ColumnSpec(name=name, type=word, nullable=False, personal=False, constant=1)
        if nullable:
            return ColumnSpec(name=name, type=word, nullable=True, personal=personal)
        raise section.error(f"column {name!r} is missing: say where it comes from")
    entry = section.section(name)
    entry.refuse_unknown(_KEYS)
    given = [key for key in _SOURCES if key in entry.values]
    if len(given) != 1:
        raise entry.error(f"{name}: expected exactly one of {', '.join(_SOURCES)}")
    allowed = lists.get(_CODE_LISTS.get(name, name)) if word in ("string", "code") else None
    if given == ["constant"]:
        spec = ColumnSpec(
            name=name,
            type=word,
            nullable=nullable,
            personal=personal,
            constant=_constant(entry, word),
            allowed=allowed,
        )
    else:
        spec = _from_columns(entry, name, word, nullable=nullable, personal=personal, codes=allowed)
    _refuse_unknown_codes(section, spec, _CODE_LISTS.get(name, name))
    return spec


def _from_columns(
    entry: Section,
    name: str,
    word: str,
    *,
    nullable: bool,
    personal: bool,
    codes: frozenset[str] | None,
) -> ColumnSpec:
    if "column" in entry.values:
        columns: tuple[str, ...] = (entry.text("column", max_chars=100),)
    else:
        columns = entry.texts("sum" if "sum" in entry.values else "first")
    if "sum" in entry.values and word not in _NUMBERS:
        raise entry.error(f"{name}: only numbers can be added up", "sum")
    if not 1 <= len(columns) <= MAX_COLUMNS:
        raise entry.error(f"{name}: expected 1 to {MAX_COLUMNS} columns")
    is_text = word not in (*_NUMBERS, *_DAYS)
    for key, fits, owner in (
        ("unit", word in _NUMBERS, "numbers"),
        ("round", word in _NUMBERS, "numbers"),
        ("format", word in _DAYS, "days"),
        ("map", is_text, "texts"),
        ("truths", word in _BOOLS, "bools"),
        ("falses", word in _BOOLS, "bools"),
        ("case", is_text, "texts"),
    ):
        if key in entry.values and not fits:
            raise entry.error(f"{key} belongs to {owner}: remove it", key)
    return ColumnSpec(
        name=name,
        type=word,
        nullable=nullable,
        personal=personal,
        columns=columns,
        takes_first="first" in entry.values,
        rounds=entry.flag("round", default=False),
        decimals=_decimals(entry, name, word) if word in _NUMBERS else 0,
        formats=_formats(entry, word),
        default=entry.find_text("default"),
        codes=_bools(entry, word) if word in _BOOLS else _value_map(entry, ()),
        trim=entry.flag("trim", default=False),
        case=entry.choice("case", ("upper", "lower")) if "case" in entry.values else "",
        allowed=codes,
    )


def _refuse_unknown_codes(section: Section, spec: ColumnSpec, code_list: str) -> None:
    """Refuse a code that the mapping puts and that its list lacks."""
    if spec.allowed is None:
        return
    put = set(spec.codes.values())
    if isinstance(spec.constant, str):
        put.add(spec.constant)
    if spec.default is not None and not spec.codes:
        put.add(spec.default)
    if unknown := sorted(put - spec.allowed):
        raise section.error(
            f"{spec.name}: {unknown[0]!r} found, expected a code of the national list {code_list}",
            spec.name,
        )


def _constant(entry: Section, word: str) -> str | int | bool:
    entry.refuse_unknown(("constant",))
    if word == "bool":
        return entry.flag("constant")
    if word.startswith("int") or word in ("count", "flag"):
        return entry.integer("constant", least=-(10**15), most=10**15)
    if word in _DAYS:
        raise entry.error(f"a {word} cannot be constant: take it from a column", "constant")
    return entry.text("constant", max_chars=100)


def _decimals(entry: Section, name: str, word: str) -> int:
    units = units_of(name, word)
    if "unit" in entry.values:
        exponent = units[entry.choice("unit", units)]
    elif name.endswith("_fen"):
        exponent = units[entry.choice("unit", units)]  # Amounts of records state their unit.
    else:
        exponent = 0
    decimals = decimals_of(name, word, exponent)
    if not 0 <= decimals <= MAX_DECIMALS:
        raise entry.error(f"{name}: cannot be kept exactly in that unit, use another", "unit")
    return decimals


def _formats(entry: Section, word: str) -> tuple[str, ...]:
    if word not in _DAYS:
        return ()
    if word == "date" and "format" not in entry.values:
        return ("%Y-%m-%d",)
    if isinstance(entry.values.get("format"), str) or "format" not in entry.values:
        return (entry.text("format", pattern=_FORMAT),)
    formats = entry.texts("format", pattern=_FORMAT)
    if not 1 <= len(formats) <= MAX_FORMATS:
        raise entry.error(f"format: expected 1 to {MAX_FORMATS} formats", "format")
    return formats


def _bools(entry: Section, word: str) -> Mapping[str, str]:
    """Read which cells mean true and which false, as words of the target's type."""
    words = ("true", "false") if word == "bool" else ("1", "0")
    found = dict(_value_map(entry, words))
    for key, put in zip(("truths", "falses"), words, strict=True):
        for one in entry.texts(key) if key in entry.values else ():
            if one in found:
                raise entry.error(f"{key}: {one[:80]!r} is given twice: keep one", key)
            found[one] = put
    if word == "bool" and not found:
        raise entry.error('a bool needs a map to "true" and "false", or truths and falses')
    return found


def _value_map(entry: Section, allowed: tuple[str, ...]) -> Mapping[str, str]:
    if "map" not in entry.values:
        return {}
    codes: dict[str, str] = {}
    if isinstance(entry.values["map"], Items):
        for pair in entry.sections("map"):
            pair.refuse_unknown(("from", "to"))
            source = pair.text("from", max_chars=100)
            if source in codes:
                raise pair.error(f"from: {source[:80]!r} is given twice: keep one", "from")
            codes[source] = _put(pair, "to", allowed)
    else:
        section = entry.section("map")
        codes.update({key: _put(section, key, allowed) for key in section.values})
    if not 1 <= len(codes) <= MAX_CODES:
        raise entry.error(f"map: expected 1 to {MAX_CODES} values", "map")
    return codes


def _put(section: Section, key: str, allowed: tuple[str, ...]) -> str:
    return section.choice(key, allowed) if allowed else section.text(key, max_chars=100)
