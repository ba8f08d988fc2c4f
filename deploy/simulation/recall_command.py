"""``yixin simulate recall``: how well a node finds what was injected into its city."""

from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.errors import SimulationError
from deploy.simulation.injected.recall import RuleRecall
from node.commands import existing, start
from security.operator.output import shown
from security.operator.words import counted

__all__ = ["register"]

_SHOWN: Final = 5


def register(app: typer.Typer) -> None:
    """Add the command to those of the simulation."""
    app.command("recall")(recall)


def recall(
    city: Annotated[
        Path, typer.Argument(metavar="CITY", help="Directory of a city simulated with --cases.")
    ],
    node: Annotated[
        Path, typer.Argument(metavar="NODE", help="State directory of a node that ran the rules.")
    ],
    *,
    url: Annotated[
        str | None,
        typer.Option(help="Address of the node's interface, to ask for the warnings too."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Compare a node's hits, and its warnings, with the truth of a city: recall, false alarms.

    Exit codes: 0 compared, 2 there is nothing to compare, else those of ``yixin node``.

    Example: [bold]yixin simulate recall city /var/lib/yixin --url http://127.0.0.1:20001[/bold]
    """
    from deploy.simulation.recalling import recall_of  # noqa: PLC0415  # keeps `--help` fast

    with start(as_json) as out:
        try:
            found = recall_of(city, existing(node), url)
        except SimulationError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
        if as_json:
            out.json({"rules": [_stated(one) for one in found]})
            return
        out.rows("Recall and false alarms", [_row(one) for one in found])
        for one in found:
            for missed in one.missed[:_SHOWN]:
                out.hint(f"{one.rule} missed: {missed.note} ({missed.mdtrt_id or missed.key})")
        cases, hit = sum(one.cases for one in found), sum(one.found for one in found)
        near = sum(one.near_hits for one in found)
        clean = sum(one.clean_hits for one in found)
        misses = counted(near, "near miss", "near misses")
        out.say(
            f"{hit} of {counted(cases, 'case')} found; hit besides: {misses}, "
            f"{counted(clean, 'clean visit')}."
        )


def _stated(one: RuleRecall) -> dict[str, object]:
    return {
        "rule": one.rule,
        "cases": one.cases,
        "found": one.found,
        "recall": round(one.recall, 4),
        "wrong_amounts": one.wrong_amounts,
        "near_misses": one.near_misses,
        "near_hits": one.near_hits,
        "clean_hits": one.clean_hits,
        "other_hits": one.other_hits,
        "missed": [missed.note for missed in one.missed],
        "false_alarms": [
            {"institution": hit.institution, "visits": [*hit.visits], "keys": [*hit.keys]}
            for hit in one.false_alarms
        ],
    }


def _row(one: RuleRecall) -> dict[str, str]:
    return {
        "rule": one.rule,
        "cases": f"{one.found}/{one.cases}",
        "recall": f"{one.recall:.0%}" if one.cases else shown(None),
        "other amount": str(one.wrong_amounts),
        "near misses hit": f"{one.near_hits}/{one.near_misses}",
        "clean hit": str(one.clean_hits),
        "other cases hit": str(one.other_hits),
    }
