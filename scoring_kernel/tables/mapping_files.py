"""Read a mapping file: strict YAML, every mistake with its line.

Rules:
- Format 1. An unknown key, an unknown column of the target or a unit that does not
  fit is refused with its line.
- A target is records (``records``, one section per kind that is kept in segments) or
  an information item (``item`` and ``columns``), never both.
- Every column of a target is given by exactly one of ``column``, ``first``, ``sum`` and
  ``constant``; nullable and optional ones may be left out, ``sign`` is 1 then.
- Amounts of records state their unit; days of records state their formats.
- A constant, a default, and what a map puts, of a column with a closed national code
  list is a code of it; so is every cell that comes without a map.
- A record's month is that of its kind's own day. Where that is no column, or one that
  may be null, ``day`` names a column of the table for the rows that lack it. Registers belong
  to the month of their intake: they have no ``day``.
- ``record_id: {digest: [...]}`` makes ids of columns that name people without naming them.
- Institutions of a foreign data set get codes of the national form, registered with
  their own code and the mapping's ``namespace``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import CatalogError
from scoring_kernel.record_kinds import INTAKE
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.tables.mapping import (
    InstitutionSpec,
    ItemMapping,
    KindMapping,
    Layout,
    RecordMapping,
)
from scoring_kernel.tables.mapping_columns import parse_column
from scoring_kernel.yaml_section import Items

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scoring_kernel.catalog_object import Catalog
    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.tables.mapping import ColumnSpec
    from scoring_kernel.yaml_section import Section

__all__ = ["ENCODINGS", "parse_item_mapping", "parse_mapping", "parse_record_mapping"]

ENCODINGS: Final = ("utf-8", "gb18030")
MAX_NULLS: Final = 20
MAX_ID_COLUMNS: Final = 6
GIVEN: Final = ("record_id", "institution", "month")
"""Columns of a record that the mapping's head gives."""
KEPT: Final = frozenset(("raw", "extra"))
"""Kinds that keep what messages hold beside their records; no table is mapped to them."""

_HEAD: Final = ("format", "table", "sheet", "delimiter", "encoding", "nulls")
_RECORD_HEAD: Final = (*_HEAD, "namespace", "record_id", "institution", "records")
_ITEM_HEAD: Final = (*_HEAD, "item", "columns")
_CODE: Final = r"[HP][0-9]{11}"
_NAMESPACE: Final = r"[a-z0-9][a-z0-9_-]{0,39}"


def parse_mapping(content: bytes, file: str, catalog: Catalog) -> RecordMapping | ItemMapping:
    """Read a mapping of either target.

    Args:
        content: The YAML.
        file: Name of the file, for messages.
        catalog: Record kinds, items and code lists.

    Raises:
        CatalogError: The file breaks a rule; the error names its line.
    """
    document = load_strict(content, file)
    given = [key for key in ("records", "item") if key in document.values]
    if len(given) != 1:
        raise document.error("expected exactly one of records and item: name one target")
    document.integer("format", least=1, most=1)
    if given == ["item"]:
        return _parse_item(document, content, catalog)
    return _parse_records(document, content, catalog)


def parse_record_mapping(content: bytes, file: str, catalog: Catalog) -> RecordMapping:
    """Read a mapping whose rows become records; see ``parse_mapping``.

    Raises:
        CatalogError: The file breaks a rule, or is for an information item.
    """
    found = parse_mapping(content, file, catalog)
    if isinstance(found, ItemMapping):
        problem = f"a mapping for item {found.item} found, expected one for records: a hub reads it"
        raise CatalogError(file, 1, problem)
    return found


def parse_item_mapping(content: bytes, file: str, catalog: Catalog) -> ItemMapping:
    """Read a mapping whose rows become an item's rows; see ``parse_mapping``.

    Raises:
        CatalogError: The file breaks a rule, or is for records.
    """
    found = parse_mapping(content, file, catalog)
    if isinstance(found, RecordMapping):
        problem = "a mapping for records found, expected one for an item: a node reads it"
        raise CatalogError(file, 1, problem)
    return found


def _parse_records(document: Section, content: bytes, catalog: Catalog) -> RecordMapping:
    document.refuse_unknown(_RECORD_HEAD)
    namespace = document.text("namespace", pattern=_NAMESPACE)
    listed = document.section("records")
    targets = {
        kind.id: kind
        for kind in catalog.records.values()
        if kind.stored == "segment" and kind.id not in KEPT
    }
    kinds = []
    for key in listed.values:
        if key not in targets:
            expected = ", ".join(targets)
            raise listed.error(f"record kind {key!r} found, expected one of {expected}", key)
        kinds.append(_parse_kind(listed.section(key), targets[key], _closed_lists(catalog)))
    if not kinds:
        raise document.error("no record kind is mapped: name at least one", "records")
    record_id, digests_id = _parse_record_id(document)
    return RecordMapping(
        file=document.file,
        content=content,
        namespace=namespace,
        record_id=record_id,
        digests_id=digests_id,
        institution=_parse_institution(document.section("institution")),
        layout=_parse_layout(document),
        kinds=tuple(kinds),
    )


def _parse_record_id(document: Section) -> tuple[tuple[str, ...], bool]:
    """Read the columns of the id, and whether they are digested."""
    given = document.values.get("record_id")
    if isinstance(given, str):
        return (document.text("record_id", max_chars=100),), False
    digests = given is not None and not isinstance(given, Items)
    if digests:
        document.section("record_id").refuse_unknown(("digest",))
    columns = (
        document.section("record_id").texts("digest") if digests else document.texts("record_id")
    )
    if not 1 <= len(columns) <= MAX_ID_COLUMNS or len(set(columns)) != len(columns):
        problem = f"record_id: expected 1 to {MAX_ID_COLUMNS} different columns"
        raise document.error(problem, "record_id")
    return columns, digests


def _parse_institution(section: Section) -> InstitutionSpec:
    section.refuse_unknown(("column", "constant", "foreign"))
    if ("column" in section.values) is ("constant" in section.values):
        raise section.error("institution: expected exactly one of column and constant")
    if "constant" in section.values:
        section.refuse_unknown(("constant",))
        return InstitutionSpec(constant=section.text("constant", pattern=_CODE))
    return InstitutionSpec(
        column=section.text("column", max_chars=100),
        foreign=section.flag("foreign", default=False),
    )


def _parse_layout(document: Section) -> Layout:
    nulls = document.texts("nulls") if "nulls" in document.values else ()
    if len(nulls) > MAX_NULLS:
        raise document.error(f"nulls: expected at most {MAX_NULLS}", "nulls")
    has_encoding = "encoding" in document.values
    return Layout(
        table=document.find_text("table", pattern=r"[a-z][a-z0-9_]{0,39}"),
        sheet=document.find_text("sheet", pattern=r"[^\[\]:*?/\\]{1,31}"),
        delimiter=document.find_text("delimiter", pattern=r"[,;|\t]"),
        encoding=document.choice("encoding", ENCODINGS) if has_encoding else None,
        nulls=nulls,
    )


def _parse_kind(
    section: Section, kind: RecordKind, lists: Mapping[str, frozenset[str]]
) -> KindMapping:
    wanted = [(name, word) for name, word in kind.schema if name not in GIVEN]
    own = kind.day.split(",", 1)[0]
    is_sure = any(name == own for name, _ in wanted) and own not in kind.nullable
    has_day = not is_sure and kind.day != INTAKE
    section.refuse_unknown([*(name for name, _ in wanted), *(("day",) if has_day else ())])
    columns = tuple(
        parse_column(
            section,
            name,
            word,
            nullable=name in kind.nullable,
            personal=name in kind.personal,
            lists=lists,
        )
        for name, word in wanted
    )
    if kind.day == INTAKE:
        return KindMapping(kind=kind.id, columns=columns, days=())
    days = [spec for spec in columns if spec.name == own and spec.columns]
    if "day" in section.values or not days:
        days.append(
            parse_column(section, "day", "timestamp[s]", nullable=True, personal=False, lists=lists)
        )
    if not days[-1].columns:
        raise section.error(f"the day of {kind.id} is missing: name the column of {kind.day}")
    return KindMapping(kind=kind.id, columns=columns, days=tuple(days))


def _parse_item(document: Section, content: bytes, catalog: Catalog) -> ItemMapping:
    document.refuse_unknown(_ITEM_HEAD)
    item = catalog.items[document.choice("item", catalog.items)]
    section = document.section("columns")
    section.refuse_unknown(item.header)
    found: list[ColumnSpec] = [
        parse_column(
            section,
            one.name,
            one.type,
            nullable=not one.required,
            personal=one.personal,
            lists={one.name: frozenset(one.codes)} if one.codes else {},
        )
        for one in item.fields
        if one.name in section.values or one.required
    ]
    return ItemMapping(
        file=document.file,
        content=content,
        item=item.number,
        layout=_parse_layout(document),
        columns=tuple(found),
    )


def _closed_lists(catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Find the code lists that no region adds codes to."""
    return {
        name: codes
        for name, codes in catalog.code_lists.items()
        if name not in catalog.extensible_lists
    }
