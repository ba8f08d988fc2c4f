"""Commands of topics and indicators at a hub: `yixin hub topics run|indicators|list`."""

from typing import Annotated

import typer

from hub.cli_options import AsJson, Directory
from hub.commands import start
from hub.config import hub_directory
from security.operator.findings import say_finding, say_indicators

app = typer.Typer(
    no_args_is_help=True, help="Analysis topics and indicators over what members stated."
)

Month = Annotated[
    int | None, typer.Option("--month", help="Month, yyyymm; else the last that was stated.")
]


@app.command()
def run(
    *,
    topic: Annotated[
        list[str] | None,
        typer.Option("--topic", help="Only this topic, e.g. T04; repeatable. Default: all."),
    ] = None,
    month: Month = None,
    rows: Annotated[int, typer.Option("--rows", min=1, max=200, help="Rows to show.")] = 15,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Run the analysis topics (专题) of a month: sentence, table, alerts; a chart with --json.

    Topics whose measures name persons, items or visits run at the nodes only, and say so here.

    Example: [bold]yixin hub topics run --topic T02[/bold]
    """
    with start(as_json) as out:
        from hub.topic_running import TopicWish, run_topics  # noqa: PLC0415 - keeps --help fast

        wish = TopicWish(month=month, topics=topic or ())
        with out.bar():
            result = run_topics(hub_directory(directory), wish, out.progress)
        if as_json:
            out.json(result)
            return
        out.say(f"Month {result['month'] or 'none: no node has stated measures of supervision'}.")
        for one in result["topics"]:
            say_finding(out, one, rows)


@app.command()
def indicators(
    *,
    kind: Annotated[
        str, typer.Option("--kind", help="institution, physician, pharmacy or region.")
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
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Show indicators (监管指标) of a month: value, changes, deviation, or why there is none.

    Example: [bold]yixin hub topics indicators --kind physician --indicator I188[/bold]
    """
    with start(as_json) as out:
        from hub.topic_running import TopicWish, run_indicators  # noqa: PLC0415 - keeps --help fast

        wish = TopicWish(month=month, kind=kind, indicators=indicator or (), subject=subject)
        with out.bar():
            result = run_indicators(hub_directory(directory), wish, out.progress)
        out.json(result) if as_json else say_indicators(out, result, rows)


@app.command("list")
def list_topics(*, as_json: AsJson = False) -> None:
    """List the topics: what each asks, and what nobody has for it.

    Example: [bold]yixin hub topics list[/bold]
    """
    with start(as_json) as out:
        from scoring_kernel.supervision.loading import (  # noqa: PLC0415 - keeps --help fast
            load_supervision,
        )
        from scoring_kernel.supervision.telling import (  # noqa: PLC0415 - keeps --help fast
            told_topics,
        )

        found = told_topics(load_supervision().topics.values())
        out.json({"topics": found}) if as_json else out.rows("Topics", found)
