"""The command `yixin node rules rank`: whose stays to look at first."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from node.cli_options import AsJson, Directory
from node.commands import existing, start
from node.config import node_directory

if TYPE_CHECKING:
    from node.supervision.ranking import RankedInstitution

__all__ = ["register"]

_MIB: Final = 1024 * 1024
_MONTH: Final = {"min": 190_001, "max": 999_912}


def register(app: typer.Typer) -> None:
    """Add the command to those of the rules."""
    app.command()(rank)


def rank(
    *,
    first: Annotated[
        int, typer.Option("--from", help="First month of settlement, yyyymm.", **_MONTH)
    ] = 190_001,
    last: Annotated[
        int, typer.Option("--to", help="Last month of settlement, yyyymm.", **_MONTH)
    ] = 999_912,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most institutions.")] = 20,
    max_memory: Annotated[
        int, typer.Option("--max-memory", min=64, help="Memory of the engine, MiB.")
    ] = 3072,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Rank institutions by the clue score (线索分) of their stays, 0 to 1,000.

    The score is an institution's mean place among the others: what the fund paid, fees and days
    above the median of the disease, the dearest and the longest stay, stays of the same persons.
    It says where to look first, and is no verdict.

    Example: [bold]yixin node rules rank --from 202601 --to 202606[/bold]
    """
    with start(as_json) as out:
        from node.app import opened  # noqa: PLC0415  # keeps `--help` fast
        from node.supervision.budget import Budget  # noqa: PLC0415  # keeps `--help` fast
        from node.supervision.ranking import rank_institutions  # noqa: PLC0415  # for `--help`
        from scoring_kernel.rules import load_rules  # noqa: PLC0415  # keeps `--help` fast

        home = existing(node_directory(directory))
        with opened(home, writer=False) as jobs:
            ranked = rank_institutions(
                jobs.store,
                load_rules(jobs.catalog),
                jobs.catalog.joining.institution_score,
                months=(first, last),
                budget=Budget(memory_bytes=max_memory * _MIB),
            )
        if out.as_json:
            out.json({"institutions": len(ranked), "ranked": _told(ranked[:limit])})
            return
        out.rows("Institutions, the highest clue score first", _rows(ranked[:limit]))
        if not ranked:
            out.say("No settled stays in these months: nothing to rank.")


def _told(ranked: Sequence["RankedInstitution"]) -> list[dict[str, Any]]:
    return [asdict(one) for one in ranked]


def _rows(ranked: Sequence["RankedInstitution"]) -> list[dict[str, Any]]:
    """Write the rows; excess is kept in halves."""
    return [
        {
            "institution": one.institution,
            "score": one.score,
            "stays": one.stays,
            "基金元": f"{one.components['fund'] / 100:,.0f}",
            "超额元": f"{one.components['excess_fees'] / 200:,.0f}",
            "超额日": f"{one.components['excess_days'] / 2:,.0f}",
            "最长日": one.components["longest"],
            "重复": one.components["repeats"],
        }
        for one in ranked
    ]
