"""``yixin model``: check the catalogue and show what it holds.

Exit codes: 0 the catalogue is sound, 1 it is not (the message names file and line).
"""

from datetime import UTC, date, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.console import Console
from rich.table import Table

from scoring_kernel.catalog_loader import load_catalog, read_changes
from scoring_kernel.catalog_object import Catalog
from scoring_kernel.change_list import verify_changes
from scoring_kernel.errors import CatalogError, KernelError
from scoring_kernel.legal_basis import refuse_later_checks

EXIT_UNSOUND: Final = 1
ITEM_NUMBERS: Final = tuple(f"{number:02d}" for number in range(1, 24))
"""Numbers of the information items of the institutions' catalogue (table 1)."""

app = typer.Typer(
    name="model", no_args_is_help=True, help="Check and show the catalogue of models and measures."
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


def today() -> date:
    """Day of the check, Asia/Shanghai."""
    return datetime.now(tz=UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()


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
            or the change list is behind.
    """
    for number in ITEM_NUMBERS:
        if number not in catalog.items:
            name = f"information/item_{number}.yaml"
            raise CatalogError(name, 0, "the item of table 1 is missing: add it")
    refuse_later_checks(catalog.legal_basis, day)
    entry = verify_changes(changes, catalog.digest)
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
        "measure_sets": {one.id: len(one.measures) for one in catalog.measure_sets.values()},
        "items": len(catalog.items),
        "transactions": len(catalog.transactions),
        "described_transactions": sum(one.is_described for one in catalog.transactions.values()),
        "code_lists": len(catalog.code_lists),
    }


def models_table(catalog: Catalog) -> Table:
    """Lay out the rating models and their status.

    Args:
        catalog: The loaded catalogue.

    Returns:
        One line per model.
    """
    table = Table(title="Rating models (评级模型)")
    for heading in ("model", "status", "indicators", "points", "inputs", "digest"):
        table.add_column(heading, overflow="fold")
    for model in catalog.models.values():
        table.add_row(
            f"{model.id}\n{model.name_zh}",
            str(model.status),
            str(len(model.indicators)),
            f"{model.total_centi // 100}",
            str(len(model.input_columns)),
            model.digest.hex()[:16],
        )
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


@app.command("check")
def check(*, as_json: JsonOption = False) -> None:
    """Check the whole catalogue: formats, references, weights, statuses, checks, change list.

    Example: [bold]yixin model check[/bold]
    """
    try:
        catalog = load_catalog()
        summary = verify_catalog(catalog, read_changes(), today())
    except KernelError as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(EXIT_UNSOUND) from error
    if as_json:
        typer.echo(orjson.dumps(summary))
        return
    console = Console()
    console.print(models_table(catalog))
    console.print(
        f"sound: digest {catalog.digest.hex()[:16]}, {summary['items']} information items, "
        f"{len(catalog.measure_sets)} measure sets, {summary['transactions']} transactions"
    )


@app.command("list")
def show(*, as_json: JsonOption = False) -> None:
    """List models, measure sets and information items.

    Example: [bold]yixin model list --json[/bold]
    """
    try:
        catalog = load_catalog()
    except KernelError as error:
        typer.echo(f"refused: {error}", err=True)
        raise typer.Exit(EXIT_UNSOUND) from error
    if as_json:
        typer.echo(
            orjson.dumps(
                {
                    "models": {one.id: str(one.status) for one in catalog.models.values()},
                    "measures": [
                        f"{one.id}.{measure.id}"
                        for one in catalog.measure_sets.values()
                        for measure in one.measures
                    ],
                    "items": {one.number: one.name_zh for one in catalog.items.values()},
                }
            )
        )
        return
    console = Console()
    console.print(models_table(catalog))
    console.print(inputs_table(catalog))
