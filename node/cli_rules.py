"""Commands of the rules at a node: `yixin node rules run|show|explain`."""

from typing import Annotated, Final

import typer

from node import cli_ranking
from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import Result, existing, run_job, start
from node.config import node_directory
from node.rule_output import say_explained, say_hits, say_run

__all__ = ["register"]

STOPPED_EXIT: Final = 1
"""Exit code of a run in which a rule was stopped; the others came to their end."""
_MONTH: Final = {"min": 190_001, "max": 999_912}
_MIB: Final = 1024 * 1024

rules_app = typer.Typer(
    no_args_is_help=True, help="Supervision rules over what the node holds, and their hits."
)

Month = Annotated[
    int | None, typer.Option("--month", help="Only hits of this month, yyyymm.", **_MONTH)
]
FromMonth = Annotated[
    int | None, typer.Option("--from", help="Only hits from this month on, yyyymm.", **_MONTH)
]


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    cli_ranking.register(rules_app)
    app.add_typer(rules_app, name="rules")


@rules_app.command()
def run(
    *,
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", help="Only this rule, e.g. M01; repeatable. Default: M rules."),
    ] = None,
    month: Month = None,
    from_month: FromMonth = None,
    max_seconds: Annotated[
        float,
        typer.Option("--max-seconds", min=1, max=604_800, help="Time that one rule may take."),
    ] = 600.0,
    max_memory: Annotated[
        int,
        typer.Option("--max-memory", min=64, max=1 << 20, help="Memory of the rules' engine, MiB."),
    ] = 3072,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Run the supervision rules (监管规则) over all records of the node, and keep their hits.

    Works beside the daemon. A hit that is found again stays the same; one that is not is marked
    as gone. Exit code 1 tells that a rule was stopped; the others came to their end.

    Example: [bold]yixin node rules run[/bold]

    Example: [bold]yixin node rules run --rule M28 --rule M33 --from 202601[/bold]
    """
    first, last = _months(month, from_month)
    with start(as_json) as out:
        from node.rule_running import RunWish, run_node_rules  # noqa: PLC0415  # for `--help`
        from node.supervision.budget import Budget  # noqa: PLC0415  # keeps `--help` fast

        home = existing(node_directory(directory))
        wish = RunWish(
            rules=rule or (),
            first_month=first,
            last_month=last,
            budget=Budget(seconds=max_seconds, memory_bytes=max_memory * _MIB),
        )
        with out.bar():
            result = run_node_rules(home, wish, out.progress)
        say_run(out, result)
        if result["stopped"]:
            raise typer.Exit(STOPPED_EXIT)


@rules_app.command()
def show(
    *,
    rule: Annotated[str | None, typer.Option("--rule", help="Only hits of this rule.")] = None,
    institution: Annotated[
        str | None, typer.Option("--institution", help="Only hits at this institution.")
    ] = None,
    month: Month = None,
    from_month: FromMonth = None,
    gone: Annotated[
        bool, typer.Option("--gone", help="With hits that later runs no longer found.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most hits to show.")] = 20,
    offset: Annotated[
        int, typer.Option(min=0, max=1_000_000_000, help="Hits to pass over first.")
    ] = 0,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show hits, the largest amounts first: which rule, where, when, how much; sums by rule.

    Example: [bold]yixin node rules show --rule M33[/bold]
    """
    months = list(_months(month, from_month))
    with start(as_json) as out:
        arguments: Result = {
            "rule": rule or "",
            "institution": institution or "",
            "months": months,
            "gone": gone,
            "limit": limit,
            "offset": offset,
        }
        home = node_directory(directory)
        say_hits(out, run_job(home, "rules_show", arguments, out, writes=False))


@rules_app.command()
def explain(
    hit: Annotated[str, typer.Argument(metavar="HIT", help="Id of a hit, or its first digits.")],
    *,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Print persons and staff unmasked; this is logged.")
    ] = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Explain a hit: what the rule says, what was in force on the day, what it rests on.

    Example: [bold]yixin node rules explain 3f9a1c0b77de[/bold]
    """
    with start(as_json) as out:
        arguments: Result = {"hit": hit, "reveal_to": login_name(operator) if reveal else None}
        home = node_directory(directory)
        say_explained(out, run_job(home, "rules_explain", arguments, out, writes=False))


def _months(month: int | None, from_month: int | None) -> tuple[int, int]:
    """First and last month of hits.

    >>> _months(None, 202601), _months(202603, None)
    ((202601, 999912), (202603, 202603))
    """
    if month is not None and from_month is not None:
        raise typer.BadParameter("name --month or --from, not both")
    for one in (month, from_month):
        if one is not None and not 1 <= one % 100 <= 12:
            raise typer.BadParameter(f"{one} is no month: expected yyyymm")
    if month is not None:
        return month, month
    return (190_001 if from_month is None else from_month), 999_912
