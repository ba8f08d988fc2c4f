"""What a topic found (专题结果): its table, chart, sentence and alerts.

The order of work: steps, alerts, order, findings, masking, limit, sentence, chart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scoring_kernel.errors import KernelInputError
from scoring_kernel.parameters import MICRO
from scoring_kernel.supervision.charts import option
from scoring_kernel.supervision.findings import sentence, shown_cell
from scoring_kernel.supervision.sets import last_day
from scoring_kernel.supervision.topic_clues import Noticed, notice
from scoring_kernel.supervision.values import decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from scoring_kernel.parameters import Parameter
    from scoring_kernel.supervision.steps import Cell, Row
    from scoring_kernel.supervision.topics import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One dated threshold in force."""

    name: str
    value: str
    """Decimal text."""
    unit: str
    since: date
    basis: str
    """Key of ``legal_basis.yaml``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicResult:
    """One topic of one month."""

    topic: Topic = field(repr=False)
    month: int
    """yyyymm."""
    rows: tuple[Row, ...] = field(repr=False)
    """At most the topic's limit, in its order."""
    found: int
    """Rows before the limit."""
    alerts: int
    """Of these, rows that are alerts."""
    noticed: tuple[Noticed, ...] = field(repr=False)
    """Findings about somebody among all rows, with their names: never shown."""
    thresholds: tuple[Threshold, ...]
    finding_zh: str
    finding_en: str
    option: dict[str, Any] = field(repr=False)
    """ECharts option."""

    @property
    def version(self) -> str:
        """Version of its thresholds: the days from which they hold, or ``-``."""
        return ",".join(sorted({one.since.isoformat() for one in self.thresholds})) or "-"


def conclude(
    topic: Topic, month: int, rows: Sequence[Row], mask: Callable[[str], str] = str
) -> TopicResult:
    """Make the result of a topic out of what its SQL returned.

    Args:
        topic: The topic.
        month: Its month, yyyymm.
        rows: Rows with the queried columns, in any order.
        mask: Hides what is personal, after all that reads it.

    Raises:
        KernelInputError: A row has other columns.
    """
    for row in rows:
        if tuple(row) != topic.queried:
            raise KernelInputError(
                f"topic {topic.id}: found the columns {list(row)}, expected {list(topic.queried)}"
            )
    table = [dict(row) for row in rows]
    day = last_day(month)
    thresholds = {name: one.at(day) for name, one in topic.parameters.items()}
    for step in topic.steps:
        step.apply(table, thresholds)
    table = [{name: row[name] for name in topic.columns} for row in table]
    alerts = 0 if topic.alert is None else sum(row[topic.alert.column] == 1 for row in table)
    for name in reversed(topic.order):
        column = name.removeprefix("-")
        table.sort(key=lambda row: _rank(row[column]), reverse=name.startswith("-"))
    noticed: tuple[Noticed, ...] = ()
    if topic.clue is not None and topic.alert is not None:
        noticed = notice(topic.clue, topic.alert.column, month, table)
    for name, shape in topic.columns.items():
        for row in table if shape.personal else ():
            row[name] = mask(str(row[name]))
    kept = tuple(table[: topic.limit])
    names = {name: column.name_zh for name, column in topic.columns.items()}
    shown = [
        {
            name: "-" if row[name] is None else shown_cell(row[name], column)
            for name, column in topic.columns.items()
        }
        for row in kept
    ]
    told = [
        sentence(
            topic.finding,
            language,
            table,
            topic.columns,
            month=month,
            alerts=alerts,
            lacks=lacks,
        )
        for language, lacks in (("zh", topic.lacks), ("en", topic.lacks_en))
    ]
    return TopicResult(
        topic=topic,
        month=month,
        rows=kept,
        found=len(table),
        alerts=alerts,
        noticed=noticed,
        thresholds=tuple(_threshold(one, month) for one in topic.parameters.values()),
        finding_zh=told[0],
        finding_en=told[1],
        option=option(topic.chart, topic.name_zh, names, shown),
    )


def _rank(cell: Cell) -> tuple[int, int, str]:
    """Nulls first, then numbers, then texts; so that descending order ends with nulls."""
    if cell is None:
        return (0, 0, "")
    return (1, cell, "") if isinstance(cell, int) else (2, 0, cell)


def _threshold(parameter: Parameter, month: int) -> Threshold:
    day = last_day(month)
    held = [value for value in parameter.values if value.since <= day][-1]
    value = decimal_text(parameter.at(day), MICRO, 6).rstrip("0").rstrip(".")
    return Threshold(
        name=parameter.name, value=value, unit=parameter.unit, since=held.since, basis=held.basis
    )
