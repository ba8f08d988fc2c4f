"""Checking the catalogue as a whole, and laying out what it holds."""

from datetime import date
from typing import Final

from rich.table import Table

from scoring_kernel.amounts import points_text
from scoring_kernel.catalog_object import Catalog
from scoring_kernel.change_list import verify_changes
from scoring_kernel.errors import CatalogError
from scoring_kernel.legal_basis import FILE, refuse_later_checks
from scoring_kernel.rules import RuleBook, verify_rules
from scoring_kernel.supervision.loading import verify_supervision

ITEM_NUMBERS: Final = tuple(f"{number:02d}" for number in range(1, 24))
"""Numbers of the information items of the institutions' catalogue (table 1)."""


def verify_catalog(catalog: Catalog, changes: str, day: date) -> dict[str, object]:
    """Verify what the loader cannot know: completeness, days of checks, the change list.

    Args:
        catalog: A loaded catalogue, whose references all hold.
        changes: Text of ``CHANGES.md``.
        day: Day of this check.

    Returns:
        Counts and digests, as ``--json`` prints them.

    Raises:
        CatalogError: An information item is missing, a source was checked after ``day``,
            the change list is behind, or a source is cited by nothing.
    """
    for number in ITEM_NUMBERS:
        if number not in catalog.items:
            name = f"information/item_{number}.yaml"
            raise CatalogError(name, 0, "the item of table 1 is missing: add it")
    refuse_later_checks(catalog.legal_basis, day)
    entry = verify_changes(changes, catalog.digest)
    book = verify_rules()
    refuse_uncited(catalog, cited_by_supervision(book))
    return {
        "digest": catalog.digest.hex(),
        "newest_change": entry.title,
        "models": [
            {
                "id": model.id,
                "subject_class": model.subject_class,
                "status": str(model.status),
                "digest": model.digest.hex(),
                "indicators": len(model.indicators),
                "total_centi": model.total_centi,
                "inputs": len(model.input_columns),
            }
            for model in catalog.models.values()
        ],
        "composites": [
            {
                "id": one.id,
                "status": str(one.status),
                "digest": one.digest.hex(),
                "groups": len(one.groups),
            }
            for one in catalog.composites.values()
        ],
        "measure_sets": {one.id: len(one.measures) for one in catalog.measure_sets.values()},
        "items": len(catalog.items),
        "transactions": len(catalog.transactions),
        "described_transactions": sum(one.is_described for one in catalog.transactions.values()),
        "code_lists": len(catalog.code_lists),
        "rules": len(book.rules),
        "rule_book": book.digest.hex(),
    }


def cited_by_supervision(book: RuleBook) -> frozenset[str]:
    """Keys of the sources that rules, supervision's measures and its topics rest on.

    Args:
        book: The packaged rule book.

    Raises:
        CatalogError: Supervision's files break a rule of their form.
        RuleError: Their SQL is outside of the subset.
    """
    supervision = verify_supervision()
    parameters = [*supervision.settings.values()]
    for measured in supervision.sets.values():
        parameters += measured.parameters.values()
    for topic in supervision.topics.values():
        parameters += topic.parameters.values()
    dated = {value.basis for parameter in parameters for value in parameter.values}
    return book.cited_sources | dated


def refuse_uncited(catalog: Catalog, elsewhere: frozenset[str] = frozenset()) -> None:
    """Refuse a source that nothing rests on: a reader would look for what it decides.

    Args:
        catalog: A loaded catalogue.
        elsewhere: Sources that something outside of the catalogue's object rests on.

    Raises:
        CatalogError: A source is cited by no model, parameter or rule.
    """
    uncited = sorted(catalog.legal_basis.keys() - catalog.cited_sources - elsewhere)
    if uncited:
        first = catalog.legal_basis[uncited[0]]
        raise CatalogError(
            FILE,
            first.line,
            f"nothing cites {', '.join(uncited)}: name each in the basis or laws of what rests "
            "on it, or remove it",
        )


def models_table(catalog: Catalog) -> Table:
    """Lay out the rating models and their status.

    Args:
        catalog: The loaded catalogue.

    Returns:
        One line per model.
    """
    table = Table(title="Rating models (评级模型)")
    for heading in ("model", "status and size", "digest"):
        table.add_column(heading, overflow="fold")
    for model in catalog.models.values():
        table.add_row(
            f"{model.id}\n{model.alias or ''} {model.name_zh}".rstrip(),
            f"{model.status}, {points_text(model.total_centi)} points\n"
            f"{len(model.indicators)} indicators, {len(model.input_columns)} inputs",
            model.digest.hex(),
        )
    return table


def composites_table(catalog: Catalog) -> Table:
    """Lay out the composite models and their status.

    Args:
        catalog: The loaded catalogue.

    Returns:
        One line per composite model.
    """
    table = Table(title="Composite models (综合评分模型), with a measure table of your own")
    for heading in ("model", "status and size", "digest"):
        table.add_column(heading, overflow="fold")
    for one in catalog.composites.values():
        size = f"{one.status}\n{len(one.groups)} groups, {len(one.bands)} bands"
        table.add_row(f"{one.id}\n{one.name_zh}", size, one.digest.hex())
    return table


def inputs_table(catalog: Catalog) -> Table:
    """Lay out where the models' inputs come from.

    Args:
        catalog: The loaded catalogue.

    Returns:
        One line per measure set and information item.
    """
    used = {column for model in catalog.models.values() for column in model.input_columns}
    table = Table(title="Measure sets (度量集) and information items (信息类别)")
    for heading in ("source", "name", "from", "measures", "used by a model"):
        table.add_column(heading, overflow="fold")
    for one in catalog.measure_sets.values():
        read = [m.id for m in one.measures if any(c.startswith(f"{one.id}.{m.id}@") for c in used)]
        table.add_row(one.id, one.name_zh, "node", str(len(one.measures)), ", ".join(read))
    for item in catalog.items.values():
        prefix = f"item.{item.number}"
        read = [m.id for m in item.measures if any(c.startswith(f"{prefix}.{m.id}@") for c in used)]
        source = item.source_department
        table.add_row(prefix, item.name_zh, source, str(len(item.measures)), ", ".join(read))
    return table
