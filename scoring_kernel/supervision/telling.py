"""Topics and indicators as JSON objects: what a command prints and a page draws.

Rules: numbers are decimal texts with the places their column states; what is missing is null,
beside the reason in words; a chart is an ECharts option over the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring_kernel.parameters import MICRO
from scoring_kernel.supervision.findings import shown_cell
from scoring_kernel.supervision.outcomes import Outcome, Reason
from scoring_kernel.supervision.topics import INDICATOR_COLUMNS
from scoring_kernel.supervision.values import decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scoring_kernel.legal_basis import LegalBasis
    from scoring_kernel.supervision.evaluation import IndicatorRow, IndicatorTable
    from scoring_kernel.supervision.results import TopicResult
    from scoring_kernel.supervision.topics import Topic
    from scoring_kernel.units import Unit

RATE_PLACES = 4
"""Places of a change against another window."""
Z_PLACES = 2
"""Places of a deviation among peers."""


def told_topic(result: TopicResult, sources: Mapping[str, LegalBasis]) -> dict[str, Any]:
    """Tell a topic's result.

    Args:
        result: The result.
        sources: Sources by key, for the titles of thresholds.
    """
    topic = result.topic
    return {
        "topic": topic.id,
        "name_zh": topic.name_zh,
        "name_en": topic.name_en,
        "question_zh": topic.question_zh,
        "question_en": topic.question_en,
        "month": result.month,
        "finding_zh": result.finding_zh,
        "finding_en": result.finding_en,
        "alerts": result.alerts,
        "alert": None
        if topic.alert is None
        else {
            "column": topic.alert.column,
            "name_zh": topic.alert.name_zh,
            "name_en": topic.alert.name_en,
        },
        "thresholds": [
            {
                "name": one.name,
                "value": one.value,
                "unit": one.unit,
                "since": one.since.isoformat(),
                "basis": one.basis,
                "basis_title": sources[one.basis].title,
            }
            for one in result.thresholds
        ],
        "lacks": list(topic.lacks),
        "columns": {name: column.name_zh for name, column in topic.columns.items()},
        "texts": [name for name, column in topic.columns.items() if column.unit is None],
        "rows": [
            {
                name: None if row[name] is None else shown_cell(row[name], column)
                for name, column in topic.columns.items()
            }
            for row in result.rows
        ],
        "found": result.found,
        "chart": result.option,
    }


def told_absent(topic: Topic, reason: Reason) -> dict[str, Any]:
    """Tell why a topic cannot be run here."""
    return {
        "topic": topic.id,
        "name_zh": topic.name_zh,
        "name_en": topic.name_en,
        "question_zh": topic.question_zh,
        "question_en": topic.question_en,
        "absent_zh": reason.zh,
        "absent_en": reason.en,
    }


def told_topics(topics: Iterable[Topic]) -> list[dict[str, Any]]:
    """List topics: what each asks, and what nobody has for it."""
    return [
        {
            "topic": topic.id,
            "专题": topic.name_zh,
            "name": topic.name_en,
            "问题": topic.question_zh,
            "未含": "；".join(topic.lacks),
        }
        for topic in topics
    ]


def told_indicators(
    table: IndicatorTable,
    units: Mapping[str, Unit],
    *,
    only: Iterable[str] = (),
    subject: str | None = None,
    show: Callable[[str], str] = str,
) -> list[dict[str, Any]]:
    """Tell indicators, one object per indicator id and subject.

    Args:
        table: The indicators of a month.
        units: Units by id, for their words.
        only: Ids, of bases or of what is derived; all when empty.
        subject: One subject; all when None.
        show: Shows a subject's id.
    """
    wanted = frozenset(only)
    found: list[dict[str, Any]] = []
    for at, name in enumerate(table.subjects):
        if subject is not None and name != subject:
            continue
        for row in table.rows:
            for derivation, outcomes in row.outcomes.items():
                number = row.base.ids[derivation]
                if not wanted or number in wanted:
                    told = _told(row, derivation, outcomes[at], units)
                    found.append({"id": number, "subject": show(name), **told})
    return found


def indicator_columns(tables: Iterable[IndicatorTable]) -> dict[str, list[str | int | None]]:
    """Tell indicators as the columns of the relation that topics read.

    Args:
        tables: Indicators of some kinds of subject, of one month.

    Returns:
        Lists by column of ``topics.INDICATOR_COLUMNS``.
    """
    columns: dict[str, list[str | int | None]] = {name: [] for name in INDICATOR_COLUMNS}
    for table in tables:
        for row in table.rows:
            size = len(table.subjects)
            fixed: dict[str, str | int] = {
                "id": row.base.id,
                "name": row.base.name_zh,
                "kind": table.subject,
                "month": table.month,
            }
            for name, value in fixed.items():
                columns[name] += [value] * size
            columns["subject"] += table.subjects
            for name in ("value", "yoy", "mom", "z"):
                told = row.outcomes.get(name, [None] * size)
                columns[name] += [one if isinstance(one, int) else None for one in told]
            columns["reason"] += [
                one.zh if isinstance(one, Reason) else None for one in row.outcomes["value"]
            ]
    return columns


def _told(
    row: IndicatorRow, derivation: str, outcome: Outcome, units: Mapping[str, Unit]
) -> dict[str, Any]:
    base = row.base
    unit = base.unit if derivation == "value" else "1"
    places = {"value": base.places, "z": Z_PLACES}.get(derivation, RATE_PLACES)
    missing = outcome if isinstance(outcome, Reason) else None
    return {
        "name_zh": base.name_zh,
        "name_en": base.name_en,
        "derivation": derivation,
        "unit": unit,
        "unit_zh": units[unit].name_zh,
        "value": decimal_text(outcome, MICRO, places) if isinstance(outcome, int) else None,
        "reason_zh": None if missing is None else missing.zh,
        "reason_en": None if missing is None else missing.en,
    }
