"""Names that foreign files give to our columns (``mapping_names.yaml``): proposals, no rules.

Rules:
- A column of a record kind is known by names of other files and by fields of the
  national interface, whose Chinese names count as well.
- Nothing is read or refused by these names; a proposed mapping says what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scoring_kernel.record_kinds import RecordKind
    from scoring_kernel.transactions import Transaction
    from scoring_kernel.yaml_section import Section

MAX_NAMES: Final = 40


def parse_mapping_names(
    document: Section,
    records: Mapping[str, RecordKind],
    transactions: Iterable[Transaction],
) -> dict[str, tuple[str, ...]]:
    """Read ``mapping_names.yaml``.

    Args:
        document: The file's top mapping.
        records: Record kinds.
        transactions: Transactions, the envelope among them.

    Returns:
        Names by column: of other files, fields of the interface, their Chinese names.

    Raises:
        CatalogError: A column or a field is unknown, or a key is.
    """
    document.refuse_unknown(("columns",))
    section = document.section("columns")
    section.refuse_unknown({name for kind in records.values() for name, _ in kind.schema})
    chinese: dict[str, set[str]] = {}
    for transaction in transactions:
        for fields in transaction.fields.values():
            for one in fields:
                chinese.setdefault(one.name, set()).add(one.name_zh)
    return {column: _names(section.section(column), chinese) for column in section.values}


def _names(entry: Section, chinese: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    entry.refuse_unknown(("fields", "names"))
    found = dict.fromkeys(entry.texts("names") if "names" in entry.values else ())
    for field in entry.texts("fields") if "fields" in entry.values else ():
        if field not in chinese:
            raise entry.error(f"fields: {field!r} is no field of the interface", "fields")
        found.update(dict.fromkeys((field, *sorted(chinese[field]))))
    if not 1 <= len(found) <= MAX_NAMES:
        raise entry.error(f"found {len(found)} names, expected 1 to {MAX_NAMES}")
    return tuple(found)
