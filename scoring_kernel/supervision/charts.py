"""Chart specifications (图表规格): which columns of a topic's table a chart shows, and how.

Rules:
- A chart is data; ``option`` writes it as an ECharts option whose data set is the table itself,
  so a page without scripts still has everything: the table.
- Types: line, bar and scatter over two axes, heat map over two axes and a value, and links
  (sankey) between two columns.

Source:
    Apache ECharts 5, ``dataset`` and ``series.encode``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scoring_kernel.yaml_section import Section

TYPES: Final = ("line", "bar", "scatter", "heatmap", "sankey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart."""

    type: str
    """One of ``TYPES``."""
    x: str
    """Column of the x axis; of a sankey the source."""
    series: tuple[str, ...]
    """Columns of the series; of a heat map the y axis, of a sankey the target."""
    value: str | None
    """Column of a heat map's colour or of a link's width."""
    is_horizontal: bool
    """Whether bars lie, for long names."""


def parse_chart(section: Section, columns: Collection[str]) -> Chart:
    """Read the ``chart`` of a topic.

    Raises:
        CatalogError: A column is not one of the topic, or does not fit the type.
    """
    section.refuse_unknown(("type", "x", "series", "value", "horizontal"))
    kind = section.choice("type", TYPES)
    series = section.texts("series")
    if not series or not set(series) <= set(columns):
        raise section.error(f"series: found {list(series)}, expected columns", "series")
    has_value = kind in ("heatmap", "sankey")
    if has_value != ("value" in section.values) or (has_value and len(series) != 1):
        problem = "a heat map and a sankey have one series and a value, others series only"
        raise section.error(f"chart: {problem}")
    return Chart(
        type=kind,
        x=section.choice("x", columns),
        series=series,
        value=section.choice("value", columns) if has_value else None,
        is_horizontal=section.flag("horizontal", default=False),
    )


def option(
    chart: Chart, title: str, names: Mapping[str, str], rows: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Write an ECharts option.

    Args:
        chart: The chart.
        title: Its title.
        names: Chinese name by column of the table.
        rows: The table's rows as shown: decimal texts, ``-`` for what is missing.
    """
    made: dict[str, Any] = {"title": {"text": title}, "tooltip": {}}
    if chart.type == "sankey":
        return made | {"series": [_links(chart, rows)]}
    made["dataset"] = {
        "dimensions": [{"name": name, "displayName": shown} for name, shown in names.items()],
        "source": [dict(row) for row in rows],
    }
    if chart.type == "heatmap":
        values = [Decimal(one) for one in (row[chart.value or ""] for row in rows) if one != "-"]
        return made | {
            "xAxis": {"type": "category"},
            "yAxis": {"type": "category"},
            "visualMap": {
                "min": str(min(values, default=Decimal(0))),
                "max": str(max(values, default=Decimal(0))),
            },
            "series": [
                {
                    "type": "heatmap",
                    "encode": {"x": chart.x, "y": chart.series[0], "value": chart.value},
                }
            ],
        }
    kind = "value" if chart.type == "scatter" else "category"
    axes: dict[str, Any] = {
        "xAxis": {"type": kind, "name": names[chart.x]},
        "yAxis": {"type": "value"},
    }
    encode = ("x", "y")
    if chart.is_horizontal:
        axes = {"yAxis": axes["xAxis"] | {"inverse": True}, "xAxis": axes["yAxis"]}
        encode = ("y", "x")
    return (
        made
        | axes
        | {
            "legend": {},
            "series": [
                {
                    "type": chart.type,
                    "name": names[column],
                    "encode": {encode[0]: chart.x, encode[1]: column},
                }
                for column in chart.series
            ],
        }
    )


def _links(chart: Chart, rows: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    # A name may be on both sides; the two sides are told apart by a prefix no code has.
    source = [f"{row[chart.x]}" for row in rows]
    target = [f"→ {row[chart.series[0]]}" for row in rows]
    links = [
        {"source": one, "target": other, "value": row[chart.value or ""]}
        for one, other, row in zip(source, target, rows, strict=True)
    ]
    return {
        "type": "sankey",
        "data": [{"name": name} for name in dict.fromkeys((*source, *target))],
        "links": links,
    }
