"""What a what-if looks like on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.amounts import points_text

if TYPE_CHECKING:
    from deploy.model.simulating import WhatIf
    from security.operator.output import CommandOutput

SHOWN_MOVES: Final = 20
SHOWN_WEIGHTS: Final = 10


def show_what_if(found: WhatIf, out: CommandOutput) -> None:
    """Show a what-if as tables: distribution, matrix, moves, sensitivity, stability."""
    out.say(
        f"{found.model}: {found.old_digest[:12]} → {found.new_digest[:12]}, {found.day}, "
        f"{found.subjects} subjects, {len(found.moves)} move"
    )
    published = dict(zip(found.bands, found.published_bp or (), strict=False))
    out.rows(
        "Grades",
        [
            {
                "grade": grade,
                "old": found.before.get(grade, 0),
                "new": found.after.get(grade, 0),
                "new share": _share(found.after.get(grade, 0), found.subjects),
                "published": f"{published[grade] / 100:.2f} %" if grade in published else "—",
            }
            for grade in found.bands
        ],
    )
    out.rows(
        "Old grade (rows) to new grade (columns)",
        [
            {"old": old} | {new: found.matrix.get((old, new), 0) for new in found.bands}
            for old in found.bands
        ],
    )
    out.rows(
        "Who moves, the greatest loss first",
        [
            {
                "subject": one.subject,
                "from": f"{one.before} {points_text(one.before_centi)}",
                "to": f"{one.after} {points_text(one.after_centi)}",
                "why": ", ".join(
                    f"{name} {'+' if change > 0 else ''}{points_text(change)}"
                    for name, change in one.causes
                )
                or "its peers or its override changed",
            }
            for one in found.moves[:SHOWN_MOVES]
        ],
    )
    if len(found.moves) > SHOWN_MOVES:
        out.say(f"… and {len(found.moves) - SHOWN_MOVES} more; --json lists them all")
    for title, groups in (("level", found.by_level), ("type", found.by_type)):
        out.rows(
            f"New grades by {title}",
            [{title: label} | dict(counts) for label, counts in groups.items()],
        )
    ranked = sorted(found.sensitivity, key=lambda one: -(one.up_bp + one.down_bp))
    out.rows(
        "Share of rated subjects that change grade per 1 % of a weight, the greatest first",
        [
            {
                "indicator": one.indicator,
                "+1 %": f"{one.up_bp / 100:.2f} %",
                "-1 %": f"{one.down_bp / 100:.2f} %",
            }
            for one in ranked[:SHOWN_WEIGHTS]
        ],
    )
    if found.stability is not None:
        out.say(
            f"Stability against the earlier period: PSI {found.stability.index:.4f} "
            f"({found.stability.reading}; below 0.10 steady, from 0.25 shifted)"
        )


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.2f} %" if total else "—"
