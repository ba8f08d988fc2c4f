"""Commands of topics and indicators at a node: `yixin node topics run|indicators|list`."""

from typing import Annotated

import typer

from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import existing, start
from node.config import node_directory
from security.operator.findings import say_finding, say_indicators

__all__ = ["register"]

topics_app = typer.Typer(
    no_args_is_help=True, help="Analysis topics and indicators over what the node holds."
)

Month = Annotated[
    int | None, typer.Option("--month", help="Month, yyyymm; else the last with records.")
]
Reveal = Annotated[bool, typer.Option("--reveal", help="Print persons unmasked; this is logged.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the node's."""
    app.add_typer(topics_app, name="topics")


@topics_app.command()
def run(
    *,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", help="Only this topic, e.g. T04; repeatable. Default: all."),
    ] = None,
    month: Month = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=200, help="Rows to show.")] = 15,
    reveal: Reveal = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Run the analysis topics (专题) of a month: sentence, table, alerts; a chart with --json.

    Months whose records changed are counted anew first. Works beside the daemon.

    Example: [bold]yixin node topics run --topic T04[/bold]
    """
    with start(as_json) as out:
        from node.topic_running import TopicWish, run_topics  # noqa: PLC0415  # for `--help`

        home = existing(node_directory(directory))
        wish = TopicWish(
            month=month,
            topics=topic or (),
            reveal_to=login_name(operator) if reveal else None,
        )
        with out.bar():
            result = run_topics(home, wish, out.progress)
        if as_json:
            out.json(result)
            return
        out.say(
            f"{result['counted']} sets and months counted anew, {result['unchanged']} unchanged; "
            f"month {result['month'] or 'none: nothing has been taken in'}."
        )
        noticed = result["noticed"]
        out.say(
            f"{noticed['findings']} findings about somebody, {noticed['new']} of them new; "
            f"{noticed['gone']} no longer hold. They go to the hub as clues: yixin node clues send"
        )
        for one in result["topics"]:
            say_finding(out, one, rows)


@topics_app.command()
def indicators(
    *,
    kind: Annotated[
        str,
        typer.Option("--kind", help="institution, physician, person, pharmacy, item or region."),
    ] = "institution",
    subject: Annotated[
        str | None, typer.Option("--subject", help="Only this subject, by its code.")
    ] = None,
    indicator: Annotated[
        list[str] | None,
        typer.Option("--indicator", help="Only this indicator, e.g. I137; repeatable."),
    ] = None,
    month: Month = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=5_000, help="Rows to show.")] = 40,
    reveal: Reveal = False,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show indicators (监管指标) of a month: value, changes, deviation, or why there is none.

    Example: [bold]yixin node topics indicators --subject H33030200001[/bold]
    """
    with start(as_json) as out:
        from node.topic_running import TopicWish, run_indicators  # noqa: PLC0415  # for `--help`

        home = existing(node_directory(directory))
        wish = TopicWish(
            month=month,
            kind=kind,
            indicators=indicator or (),
            subject=subject,
            reveal_to=login_name(operator) if reveal else None,
        )
        with out.bar():
            result = run_indicators(home, wish, out.progress)
        out.json(result) if as_json else say_indicators(out, result, rows)


@topics_app.command("list")
def list_topics(*, as_json: AsJson = False) -> None:
    """List the topics: what each asks, and what nobody has for it.

    Example: [bold]yixin node topics list[/bold]
    """
    with start(as_json) as out:
        from scoring_kernel.supervision.loading import (  # noqa: PLC0415  # for `--help`
            load_supervision,
        )
        from scoring_kernel.supervision.telling import told_topics  # noqa: PLC0415  # for `--help`

        found = told_topics(load_supervision().topics.values())
        out.json({"topics": found}) if as_json else out.rows("Topics", found)
