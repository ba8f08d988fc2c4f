"""What a what-if looks like on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scoring_kernel.amounts import points_text

if TYPE_CHECKING:
    from deploy.model.simulating import WhatIf
    from scoring_kernel.what_if import Move
    from security.operator.output import CommandOutput

SHOWN_MOVES: Final = 20
SHOWN_WEIGHTS: Final = 10


def show_what_if(found: WhatIf, out: CommandOutput) -> None:
    """Show a what-if as tables: distribution, matrix, moves, sensitivity, stability."""
    out.say(
        f"{found.model}, {found.day}, {found.subjects} subjects, {len(found.moves)} move\n"
        f"old model {found.old_digest}\nnew model {found.new_digest}"
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
            }
            | (
                {"published": f"{published[grade] / 100:.2f} %" if grade in published else "—"}
                if published
                else {}
            )
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
                "why": why(one),
            }
            for one in found.moves[:SHOWN_MOVES]
        ],
    )
    if len(found.moves) > SHOWN_MOVES:
        out.say(f"… and {len(found.moves) - SHOWN_MOVES} more; --json lists them all")
    for title, sides in (("level", found.by_level), ("type", found.by_type)):
        out.rows(
            f"Grades by {title}, old → new",
            [
                {title: label}
                | {
                    grade: f"{sides.old.get(label, {}).get(grade, 0)} → {counts.get(grade, 0)}"
                    for grade in found.bands
                }
                for label, counts in sides.new.items()
            ],
        )
    ranked = sorted(found.sensitivity, key=lambda one: -(one.up_bp + one.down_bp))
    out.rows(
        "Share of rated subjects that change grade per ±1 % of the weight, the greatest first",
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


WORDS: Final = {
    "cut": "the cuts of the grades",
    "coverage": "the coverage, or the least that is asked for",
    "override": "an override",
    "name": "only the grade's name",
}
"""Reasons of a move in words; points are said by indicator."""


def why(move: Move) -> str:
    """Why a subject moves: its reasons, and its points by indicator where they are one."""
    said = [
        ", ".join(
            f"{name} {'+' if change > 0 else ''}{points_text(change)}"
            for name, change in move.causes
        )
        if reason == "points"
        else WORDS[reason]
        for reason in move.reasons
    ]
    return "; ".join(said)


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.2f} %" if total else "—"
