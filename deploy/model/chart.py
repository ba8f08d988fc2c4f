"""One picture of a what-if: distribution, moves, levels and sensitivity.

Drawn without a display; labels are English, because a server often has no Chinese font.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from deploy.model.targets import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from deploy.model.simulating import WhatIf

_COLOURS: Final = ("#1a7f4b", "#6fb06a", "#e0c04c", "#e08a3c", "#c0392b", "#9aa0a6")
_SHOWN: Final = 15
"""Indicators in the picture of sensitivity."""
_MANY: Final = 24
"""Bars beyond which their labels are small."""


def draw(what_if: WhatIf, path: Path) -> None:
    """Draw a what-if as one PNG of 1600 by 1200 pixels."""
    figure = Figure(figsize=(16, 12), dpi=100, layout="constrained")
    axes = figure.subplots(2, 2)
    _distribution(axes[0, 0], what_if)
    _matrix(axes[0, 1], what_if)
    _levels(axes[1, 0], what_if)
    _sensitivity(axes[1, 1], what_if)
    stability = ""
    if what_if.stability is not None:
        stability = (
            f"   PSI against the earlier period {what_if.stability.index:.4f} "
            f"({what_if.stability.reading})"
        )
    figure.suptitle(
        f"{what_if.model}, {what_if.day}, {what_if.subjects} subjects{stability}\n"
        f"old {what_if.old_digest}\nnew {what_if.new_digest}"
    )
    with replacing(path) as file:
        figure.savefig(file, format="png")


def _shares(counts: Mapping[str, int], grades: Sequence[str]) -> list[float]:
    total = sum(counts.values()) or 1
    return [counts.get(grade, 0) / total for grade in grades]


def _distribution(axes: Axes, what_if: WhatIf) -> None:
    places = np.arange(len(what_if.bands))
    axes.bar(
        places - 0.2, _shares(what_if.before, what_if.bands), 0.4, label="old", color="#9aa0a6"
    )
    axes.bar(places + 0.2, _shares(what_if.after, what_if.bands), 0.4, label="new", color="#2b6cb0")
    published = what_if.published_bp
    if published is not None:
        axes.plot(
            places[: len(published)],
            [share / 10_000 for share in published],
            "k--o",
            label="published (951 institutions)",
        )
    axes.set_xticks(places, what_if.bands)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title("Grades")
    axes.legend()


def _matrix(axes: Axes, what_if: WhatIf) -> None:
    grades = what_if.bands
    counts = np.array([[what_if.matrix.get((old, new), 0) for new in grades] for old in grades])
    axes.imshow(np.log1p(counts), cmap="Blues")
    for row in range(len(grades)):
        for column in range(len(grades)):
            if counts[row, column]:
                dark = np.log1p(counts[row, column]) > 0.6 * np.log1p(counts.max())
                axes.text(
                    column,
                    row,
                    f"{counts[row, column]}",
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                )
    axes.set_xticks(range(len(grades)), grades)
    axes.set_yticks(range(len(grades)), grades)
    axes.set_xlabel("new grade")
    axes.set_ylabel("old grade")
    axes.set_title(f"Moves: {len(what_if.moves)} of {what_if.subjects}")


def _levels(axes: Axes, what_if: WhatIf) -> None:
    groups = {
        f"{kind} {label}, {side}": counts.get(label, {})
        for kind, sides in (("level", what_if.by_level), ("type", what_if.by_type))
        for label in sides.new
        for side, counts in (("old", sides.old), ("new", sides.new))
    }
    left = np.zeros(len(groups))
    for place, grade in enumerate(what_if.bands):
        shares = np.array([_shares(counts, (grade,))[0] for counts in groups.values()])
        axes.barh(
            list(groups), shares, left=left, label=grade, color=_COLOURS[place % len(_COLOURS)]
        )
        left += shares
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title("Grades by level and type, old and new")
    axes.tick_params(axis="y", labelsize="small" if len(groups) <= _MANY else 5)
    axes.legend(ncols=3, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, -0.2))


def _sensitivity(axes: Axes, what_if: WhatIf) -> None:
    ranked = sorted(what_if.sensitivity, key=lambda one: -(one.up_bp + one.down_bp))[:_SHOWN]
    places = np.arange(len(ranked))
    axes.barh(places - 0.2, [one.up_bp / 10_000 for one in ranked], 0.4, label="weight +1 %")
    axes.barh(places + 0.2, [one.down_bp / 10_000 for one in ranked], 0.4, label="weight -1 %")
    axes.set_yticks(places, [one.indicator for one in ranked])
    axes.invert_yaxis()
    axes.set_xlim(left=0, right=None if any(one.up_bp or one.down_bp for one in ranked) else 0.01)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=2))
    axes.set_title("Share of rated subjects that change grade per ±1 % of the weight")
    axes.legend()
