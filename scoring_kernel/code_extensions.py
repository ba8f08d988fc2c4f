"""Codes that a province adds to the national lists (字典扩展), as transaction 1901 answers them.

Rules:
- An import brings lists of type, value, label, parent, order and validity: the answer of
  1901 (字典表查询) as JSON, alone or with its request, or a CSV file with the same columns.
- An import only adds: a national code stays, whatever the province says of it. Rows that
  are not valid (``vali_flag`` 0) add nothing.
- A list is named by its dictionary type, in whatever case. A list that the catalogue does
  not know is taken too: it labels codes and refuses none.
- What was loaded is no part of the catalogue's digest: a grade follows from the
  catalogue's rules, and which codes intake knows is no rule of grading.

Source:
    Transaction 1901 of the national interface.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scoring_kernel.code_lists import MAX_CODES, CodeList
from scoring_kernel.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scoring_kernel.catalog_object import Catalog

MAX_BYTES: Final = 16 * 1024 * 1024
"""Largest import, bytes."""
MAX_LISTS: Final = 500
COLUMNS: Final = ("type", "value", "label", "parent_value", "sort", "vali_flag")
"""Columns of a CSV file; ``type`` and ``value`` must be there, others are passed over."""

_LIST: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_CODE: Final = re.compile(r"-?[0-9A-Za-z][0-9A-Za-z._-]{0,29}")
_MAX_LABEL: Final = 200
_INVALID: Final = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeListExtension:
    """Codes to add to one list."""

    list: str
    """Id of the list, lower case."""
    labels: Mapping[str, str]
    """Label by code; the code itself where the import has no label."""
    source: str
    """Where the codes came from, for example a file's name."""


def parse_code_extensions(content: bytes, source: str) -> tuple[CodeListExtension, ...]:
    """Read an import of codes: JSON where it starts like JSON, CSV otherwise.

    Args:
        content: The file, UTF-8 with or without a byte order mark, or GB18030.
        source: Its name, for messages and for the record.

    Returns:
        The lists in alphabetical order.

    Raises:
        CatalogError: The file is too large, not of the form, or has a bad code; its line
            (CSV) or row (JSON) is named.
    """
    if len(content) > MAX_BYTES:
        problem = f"found {len(content)} bytes, expected at most {MAX_BYTES}: split the file"
        raise CatalogError(source, 0, problem)
    text = _decode(content, source)
    rows = _json_rows(text, source) if text.lstrip()[:1] in ("{", "[") else _csv_rows(text, source)
    lists: dict[str, dict[str, str]] = {}
    for line, row in rows:
        name, code = row.get("type", "").lower(), row.get("value", "")
        if not _LIST.fullmatch(name):
            problem = f"type: found {name[:40]!r}, expected a dictionary such as MED_TYPE"
            raise CatalogError(source, line, f"{problem}: mend the row")
        labels = lists.setdefault(name, {})
        if row.get("vali_flag") == _INVALID:
            continue
        if not _CODE.fullmatch(code):
            problem = f"value: found {code[:40]!r}, expected a code of letters and digits"
            raise CatalogError(source, line, f"{problem}: mend the row")
        labels.setdefault(code, (row.get("label") or code)[:_MAX_LABEL])
        if len(labels) > MAX_CODES or len(lists) > MAX_LISTS:
            problem = f"more than {MAX_CODES} codes of a list or {MAX_LISTS} lists: split the file"
            raise CatalogError(source, line, problem)
    if not any(lists.values()):
        raise CatalogError(source, 0, "found no valid code, expected at least one row")
    return tuple(
        CodeListExtension(list=name, labels=MappingProxyType(labels), source=source)
        for name, labels in sorted(lists.items())
        if labels
    )


def extend_catalog(catalog: Catalog, extensions: Iterable[CodeListExtension]) -> Catalog:
    """Add codes to a catalogue's lists; see ``Catalog.with_codes``.

    Args:
        catalog: The catalogue, extended before or not.
        extensions: What to add; the later of two labels of one added code counts.

    Returns:
        The catalogue with the codes, under the same digest.
    """
    tables = dict(catalog.code_tables)
    added = tuple(extensions)
    for one in added:
        known = tables.get(one.list)
        if known is None:
            known = CodeList(id=one.list, name_zh=one.list, extensible=True, labels={})
        fresh = {code: label for code, label in one.labels.items() if not _is_national(known, code)}
        tables[one.list] = replace(
            known,
            labels=MappingProxyType({**known.labels, **fresh}),
            added=known.added | fresh.keys(),
        )
    return replace(
        catalog,
        code_tables=MappingProxyType(tables),
        code_lists=MappingProxyType({name: one.codes for name, one in tables.items()}),
        extensible_lists=frozenset(name for name, one in tables.items() if one.extensible),
    )


def _is_national(known: CodeList, code: str) -> bool:
    return code in known.labels and code not in known.added


def _decode(content: bytes, source: str) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CatalogError(source, 0, "neither UTF-8 nor GB18030: save the file as UTF-8")


def _json_rows(text: str, source: str) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CatalogError(source, 0, "not JSON: export the answer of 1901 again") from error
    # A pair of request and response, a response with its output, an output, or its list.
    for key in ("response", "output", "list"):
        found = found.get(key, found) if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise CatalogError(source, 0, "found no list of codes, expected output.list of 1901")
    for number, row in enumerate(found, start=1):
        if not isinstance(row, dict):
            problem = f"found {type(row).__name__}, expected an object with type and value"
            raise CatalogError(source, number, problem)
        yield number, {key: _text(row.get(key)) for key in COLUMNS}


def _csv_rows(text: str, source: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if len(set(header)) != len(header) or not {"type", "value"} <= set(header):
            problem = "expected a header with type and value, each column once"
            raise CatalogError(source, 1, f"found {','.join(header)[:80]!r}, {problem}")
        for row in reader:
            if len(row) not in (0, len(header)):
                problem = f"found {len(row)} fields, expected {len(header)} as in the header"
                raise CatalogError(source, reader.line_num, problem)
            if row:
                yield reader.line_num, dict(zip(header, map(str.strip, row), strict=True))
    except csv.Error as error:
        raise CatalogError(source, reader.line_num, f"not CSV ({error}): mend the line") from error


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()
