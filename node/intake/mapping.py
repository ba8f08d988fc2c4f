"""A mapping file: how the columns of any CSV become records.

Rules:
- The file is strict YAML; an unknown key, an unknown record column or a unit
  that does not fit is refused with its line.
- Every column of a record kind is given by exactly one of ``column``, ``sum``
  and ``constant``; nullable ones may be left out, ``sign`` is 1 then.
- Money states its unit; days state their format. Nothing is guessed.
- A constant, and what a map puts, of a column with a closed national code list is a
  code of it.
- Institutions of a foreign data set get codes of the national form, registered
  with their own code and the mapping's ``namespace``.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from node.errors import MappingError
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.record_kinds import RecordKind
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.yaml_section import Section

__all__ = ["ColumnSpec", "CsvMapping", "KindMapping", "load_mapping", "parse_mapping"]

KINDS: Final = ("settlement", "fee_detail", "admission", "discharge")
"""Kinds whose month is the month of one of their own columns."""
ENCODINGS: Final = ("utf-8", "gb18030")
UNITS: Final[Mapping[str, int]] = {"yuan": 2, "dollar": 2, "fen": 0, "cent": 0}
"""Unit of money → decimals of an amount in hundredths."""
_CODE_LISTS: Final = {
    "insutype": "insutype",
    "med_type": "med_type",
    "discharge_way": "dscg_way",
}
"""Column of a record → code list of the national interface."""
_GIVEN: Final = ("record_id", "institution", "month")
_SCALES: Final = {"_fen": 2, "_e4": 4, "_e6": 6}
_MAX_COLUMNS: Final = 8
_LATER: Final = frozenset(("batch",))
"""Columns that records of the first version did not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """Where one column of a record comes from."""

    name: str
    type: str
    """Type word of the catalogue."""
    nullable: bool
    personal: bool
    columns: tuple[str, ...] = ()
    """CSV columns; several are added up."""
    constant: str | int | bool | None = None
    scale: int = 0
    """Decimals a number is counted in."""
    decimals: int = 0
    """Decimals the CSV's number may have."""
    format: str = ""
    """strptime format of a day."""
    default: str | None = None
    """Value of an empty cell; None where an empty cell is a fault, or null."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Value map; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindMapping:
    """How rows become records of one kind."""

    kind: str
    day: str
    """Column whose month is the record's month."""
    columns: tuple[ColumnSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvMapping:
    """How to read one kind of CSV."""

    namespace: str
    """Name of the data set; part of every record's id in the ledger."""
    record_id: str
    """CSV column with the record's id, unique in the data set."""
    institution: str
    """CSV column with the institution's code."""
    foreign: bool
    """True when institutions are registered here under codes of their own data set."""
    delimiter: str
    encoding: str
    nulls: tuple[str, ...]
    """Cells that mean nothing, besides the empty one."""
    kinds: tuple[KindMapping, ...]

    def digest(self) -> bytes:
        """Digest what decides the records of a line, however the file is written.

        The encoding is left out: lines are compared after they were decoded. So are columns
        that came later and are not mapped: what was taken in before them is still known.
        """
        meaning = dataclasses.asdict(self)
        del meaning["encoding"]
        meaning["nulls"] = sorted(self.nulls)
        meaning["kinds"] = sorted(meaning["kinds"], key=lambda kind: str(kind["kind"]))
        for kind in meaning["kinds"]:
            kind["columns"] = [
                column
                for column in kind["columns"]
                if column["name"] not in _LATER or column["columns"] or column["constant"]
            ]
        return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).digest()

    @property
    def csv_columns(self) -> frozenset[str]:
        """CSV columns that are read."""
        used = {self.record_id, self.institution}
        for kind in self.kinds:
            for spec in kind.columns:
                used.update(spec.columns)
        return frozenset(used)


def load_mapping(path: Path, catalog: Catalog | None = None) -> CsvMapping:
    """Read a mapping file.

    Args:
        path: The YAML file.
        catalog: Record kinds and code lists; the packaged catalogue when None.

    Raises:
        MappingError: The file is missing or breaks a rule; the message names its line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MappingError(f"mapping {path} cannot be read ({error.strerror})") from error
    chosen = catalog or load_catalog()
    return parse_mapping(content, path.name, chosen.records, _closed_lists(chosen))


def parse_mapping(
    content: bytes,
    name: str,
    records: Mapping[str, RecordKind],
    code_lists: Mapping[str, frozenset[str]] | None = None,
) -> CsvMapping:
    """Parse the content of a mapping file; see ``load_mapping``.

    Args:
        content: The YAML.
        name: Name of the file, for messages.
        records: Record kinds.
        code_lists: Codes by closed list; those of the packaged catalogue when None.
    """
    lists = _closed_lists(load_catalog()) if code_lists is None else code_lists
    try:
        return _parse(load_strict(content, name), records, lists)
    except CatalogError as error:
        raise MappingError(f"mapping {error}") from error


def _closed_lists(catalog: Catalog) -> Mapping[str, frozenset[str]]:
    """Find the code lists that no region adds codes to."""
    return {
        name: codes
        for name, codes in catalog.code_lists.items()
        if name not in catalog.extensible_lists
    }


def _parse(
    document: Section,
    records: Mapping[str, RecordKind],
    code_lists: Mapping[str, frozenset[str]],
) -> CsvMapping:
    document.refuse_unknown(
        (
            "format",
            "namespace",
            "record_id",
            "institution",
            "delimiter",
            "encoding",
            "nulls",
            "records",
        )
    )
    document.integer("format", least=1, most=1)
    institution = document.section("institution")
    institution.refuse_unknown(("column", "foreign"))
    listed = document.section("records")
    kinds = []
    for key in listed.values:
        if key not in KINDS:
            expected = ", ".join(KINDS)
            raise listed.error(f"record kind {key!r} found, expected one of {expected}", key)
        section = listed.section(key)
        kind = _parse_kind(section, records[key])
        for spec in kind.columns:
            _check_codes(section, spec, code_lists)
        kinds.append(kind)
    if not kinds:
        raise document.error("no record kind is mapped: name at least one", "records")
    return CsvMapping(
        namespace=document.text("namespace", pattern=r"[a-z0-9][a-z0-9_-]{0,39}"),
        record_id=document.text("record_id", max_chars=100),
        institution=institution.text("column", max_chars=100),
        foreign=institution.flag("foreign", default=False),
        delimiter=document.find_text("delimiter", pattern=r"[,;|\t]") or ",",
        encoding=document.choice("encoding", ENCODINGS)
        if "encoding" in document.values
        else "utf-8",
        nulls=document.texts("nulls") if "nulls" in document.values else (),
        kinds=tuple(kinds),
    )


def _parse_kind(section: Section, kind: RecordKind) -> KindMapping:
    wanted = [(name, word) for name, word in kind.schema if name not in _GIVEN]
    section.refuse_unknown([name for name, _ in wanted])
    return KindMapping(
        kind=kind.id,
        day=kind.day,
        columns=tuple(_parse_column(section, kind, name, word) for name, word in wanted),
    )


def _parse_column(section: Section, kind: RecordKind, name: str, word: str) -> ColumnSpec:
    nullable, personal = name in kind.nullable, name in kind.personal
    if name not in section.values:
        if name == "sign":
            return ColumnSpec(name=name, type=word, nullable=False, personal=False, constant=1)
        if nullable:
            return ColumnSpec(name=name, type=word, nullable=True, personal=personal)
        raise section.error(f"column {name!r} of {kind.id} is missing: say where it comes from")
    entry = section.section(name)
    entry.refuse_unknown(("column", "sum", "constant", "unit", "format", "default", "map"))
    given = [key for key in ("column", "sum", "constant") if key in entry.values]
    if len(given) != 1:
        raise entry.error(f"{name}: expected exactly one of column, sum and constant")
    if given == ["constant"]:
        return ColumnSpec(
            name=name,
            type=word,
            nullable=nullable,
            personal=personal,
            constant=_constant(entry, word),
        )
    columns = entry.texts("sum") if given == ["sum"] else (entry.text("column", max_chars=100),)
    is_number = word.startswith("int")
    if "unit" in entry.values and not is_number:
        raise entry.error("unit belongs to amounts: remove it", "unit")
    if given == ["sum"] and not is_number:
        raise entry.error(f"{name}: only numbers can be added up", "sum")
    if len(columns) > _MAX_COLUMNS:
        raise entry.error(f"{name}: expected at most {_MAX_COLUMNS} columns", "sum")
    scale = next((scale for end, scale in _SCALES.items() if name.endswith(end)), 0)
    return ColumnSpec(
        name=name,
        type=word,
        nullable=nullable,
        personal=personal,
        columns=columns,
        scale=scale,
        decimals=_decimals(entry, name, scale) if is_number else 0,
        format=_day_format(entry, word),
        default=entry.find_text("default"),
        codes=_value_map(entry, word),
    )


def _check_codes(
    section: Section, spec: ColumnSpec, code_lists: Mapping[str, frozenset[str]]
) -> None:
    """Refuse a code that the mapping puts into a record and that its national list lacks."""
    codes = code_lists.get(_CODE_LISTS.get(spec.name, ""))
    if codes is None:
        return
    put = set(spec.codes.values())
    if isinstance(spec.constant, str):
        put.add(spec.constant)
    if spec.default is not None and not spec.codes:
        put.add(spec.default)
    if unknown := sorted(put - codes):
        raise section.error(
            f"{spec.name}: {unknown[0]!r} found, expected a code of the national list"
            f" {_CODE_LISTS[spec.name]}",
            spec.name,
        )


def _constant(entry: Section, word: str) -> str | int | bool:
    entry.refuse_unknown(("constant",))
    if word == "bool":
        return entry.flag("constant")
    if word.startswith("int"):
        return entry.integer("constant", least=-(10**15), most=10**15)
    if word != "string":
        raise entry.error(f"a {word} cannot be constant: take it from a column", "constant")
    return entry.text("constant", max_chars=100)


def _decimals(entry: Section, name: str, scale: int) -> int:
    if "map" in entry.values:
        raise entry.error("map belongs to texts: remove it", "map")
    if name.endswith("_fen"):
        return UNITS[entry.choice("unit", UNITS)]
    if "unit" in entry.values:
        raise entry.error("unit belongs to amounts: remove it", "unit")
    return scale


def _day_format(entry: Section, word: str) -> str:
    if word == "timestamp[s]":
        return entry.text("format", pattern=r"[-%/:. YmdHMS]{2,40}")
    if "format" in entry.values:
        raise entry.error("format belongs to days: remove it", "format")
    return ""


def _value_map(entry: Section, word: str) -> Mapping[str, str]:
    codes = entry.find_section("map")
    if codes is None:
        if word == "bool":
            raise entry.error('a bool needs a map to "true" and "false"', "column")
        return {}
    if word == "bool":
        return {key: codes.choice(key, ("true", "false")) for key in codes.values}
    return {key: codes.text(key, max_chars=100) for key in codes.values}
