"""The detection error trade-off (DET) as a picture: false rejects over false accepts.

Rules:
- Both axes are probits, so that scores of two normal distributions give a straight line.
- One line for all pairs, one for every group that has both kinds and is not too small; the
  threshold in force and the point are marked on the first.
- Drawn without a display and without a Chinese font, which a server often does not have: a group
  whose name cannot be drawn is named by its place in the table.

Source: A. Martin et al., "The DET curve in assessment of detection task performance",
Eurospeech 1997.
"""

import io
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from scoring_kernel.faces.error_rates import ErrorRates
from scoring_kernel.faces.fitting import CalibrationResult, GroupRates
from scoring_kernel.faces.pairs import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scoring_kernel.faces.fitting import Operating

__all__ = ["draw_det", "lines_of"]

_TICKS: Final = (0.00001, 0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6)
_MOST: Final = 0.6
_LEAST: Final = 1e-6
_GROUPS: Final = 9
"""Most groups that are drawn, those with most pairs."""
_NORMAL: Final = NormalDist()


def draw_det(
    lines: Mapping[str, Scores], result: CalibrationResult, *, cautious: bool, title: str
) -> bytes:
    """Draw trade-offs, and on them what was fitted.

    Args:
        lines: Scores by the name of their line; the first is what was fitted on.
        result: What was fitted.
        cautious: Whether the upper end is in force, not the point.
        title: Title of the picture.

    Returns:
        A PNG of 1200 by 1200 pixels.
    """
    figure = Figure(figsize=(12, 12), dpi=100, layout="constrained")
    axes = figure.subplots()
    floor = 0.5 / max(result.point.far.of, result.point.tar.of)
    for number, (label, scores) in enumerate(lines.items()):
        _line(axes, scores, label, floor, width=1.2 if number else 2.5)
    ends = {"upper end": (result.cautious, "s"), "point": (result.point, "o")}
    for name, (operating, marker) in ends.items():
        in_force = (name == "upper end") == cautious
        _mark(axes, operating, f"{name}, in force" if in_force else name, marker, floor)
    target = result.target_far_e6 / 1_000_000
    axes.axvline(
        _probit(target, floor), color="0.5", linestyle=":", label=f"target {_percent(target)}"
    )
    _scale(axes, floor)
    axes.set_title(title)
    axes.legend(loc="upper right")
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def lines_of(scores: Scores, groups: Sequence[GroupRates]) -> dict[str, Scores]:
    """One line for all pairs, and one for each group with both rates, those of most pairs.

    Args:
        scores: All pairs.
        groups: Rates of their groups.
    """
    labels, lines = scores.labels, {"all pairs": scores}
    places = {one.name: place for place, one in enumerate(groups, 1)}
    told = [one for one in groups if one.far is not None and one.frr is not None]
    for one in sorted(told, key=lambda one: -(one.genuine + one.impostor))[:_GROUPS]:
        if labels.group is not None:
            own = scores.take(labels.group == labels.groups.index(one.name))
            name = _drawable(one.name, places[one.name])
            lines[f"group {name} ({one.genuine} + {one.impostor} pairs)"] = own
    return lines


def _drawable(name: str, place: int) -> str:
    """A name, or its place where the font has not all of its characters."""
    known = get_font(findfont("DejaVu Sans")).get_charmap()
    if all(ord(one) in known for one in name):
        return name.replace("$", r"\$")  # Else it would be read as a formula.
    return f"{place} of the table"


def _line(axes: "Axes", scores: Scores, label: str, floor: float, *, width: float) -> None:
    far, frr = ErrorRates(scores).curve()
    axes.plot(
        [_probit(one, floor) for one in far.tolist()],
        [_probit(one, floor) for one in frr.tolist()],
        drawstyle="steps-pre",
        linewidth=width,
        label=label,
    )


def _mark(axes: "Axes", operating: "Operating", label: str, marker: str, floor: float) -> None:
    far, frr = operating.far, operating.tar.complement()
    x, y = _probit(far.share, floor), _probit(frr.share, floor)
    axes.errorbar(
        [x],
        [y],
        xerr=[[x - _probit(far.low_e6 / 1e6, floor)], [_probit(far.high_e6 / 1e6, floor) - x]],
        yerr=[[y - _probit(frr.low_e6 / 1e6, floor)], [_probit(frr.high_e6 / 1e6, floor) - y]],
        marker=marker,
        markersize=9,
        color="black",
        markerfacecolor="white",
        capsize=4,
        linewidth=1,
        label=f"threshold {operating.threshold_e4 / 10_000:.4f} ({label})",
    )


def _probit(share: float, floor: float) -> float:
    """A share on the axis; the ends, which have no place there, lie just beyond the others."""
    return _NORMAL.inv_cdf(min(max(share, floor, _LEAST), 1 - max(floor, _LEAST)))


def _percent(share: float) -> str:
    return f"{np.format_float_positional(100 * share, trim='-', precision=4)} %"


def _scale(axes: "Axes", floor: float) -> None:
    ticks = [one for one in _TICKS if one > floor]
    places = [_NORMAL.inv_cdf(one) for one in ticks]
    names = [_percent(one) for one in ticks]
    low, high = _probit(floor, floor) - 0.05, _NORMAL.inv_cdf(_MOST)
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_xlabel("false-accept rate")
    axes.set_ylabel("false-reject rate")
    axes.grid(color="0.9")
    axes.set_aspect("equal")
