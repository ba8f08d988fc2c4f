"""One subject's grade explained: where points were lost, and what would raise it.

Rules:
- The points shown add up to the total that the grade rests on; nothing is rounded twice.
- Without inputs of one's own a packaged example is read: a simulated city, and it says so.
- Every loss stands with its reason in both languages; indicators without one share a line.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.errors import InputFileError
from deploy.model.choosing import parse_day
from deploy.model.input_files import read_inputs
from deploy.model.scoring import read_reference, score_table
from scoring_kernel.advice import Advice, advise
from scoring_kernel.amounts import amount_zh, points_text
from scoring_kernel.explanation import IndicatorExplanation, explain
from scoring_kernel.override_explanation import (
    OverrideExplanation,
    UndeterminedOverride,
    explain_overrides,
    explain_undetermined,
)
from scoring_kernel.periods import Period
from security.operator.output import printable

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from deploy.model.choosing import Choice
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.model import RatingModel
    from scoring_kernel.reference import Reference
    from scoring_kernel.scoring import ScoreResult
    from security.operator.output import CommandOutput

WIDTH: Final = 100
"""Columns beyond which an explanation is not stretched."""
EXAMPLE_PERIOD: Final = Period.parse("2026H1")
"""Period of the packaged example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Everything about one subject's grade.

    Attributes:
        result: Scores of the subject and its peers.
        row: Position of the subject.
        indicators: Explanations, the greatest loss first.
        overrides: Overrides that apply, in the model's order.
        undetermined: Overrides that cannot be judged, in the model's order.
        advice: What would raise the grade.
        peers: Number of subjects it was compared with.
        source: Where the inputs come from, for the reader.
    """

    result: ScoreResult
    row: int
    indicators: tuple[IndicatorExplanation, ...]
    overrides: tuple[OverrideExplanation, ...]
    undetermined: tuple[UndeterminedOverride, ...]
    advice: Advice
    peers: int
    source: str

    @property
    def reference(self) -> Reference | None:
        """Peer reference that was used."""
        return self.result.reference

    def to_json(self) -> dict[str, object]:
        """The whole explanation as one JSON object."""
        result, row = self.result, self.row
        return {
            "subject": result.subjects[row],
            "level": result.levels[row],
            "type": result.types[row],
            "model": result.model.id,
            "basis": result.basis,
            "model_digest": result.model.digest.hex(),
            "reference_digest": None if self.reference is None else self.reference.digest.hex(),
            "day": result.day.isoformat(),
            "inputs": self.source,
            "total_centi": int(result.total_centi[row]),
            "coverage_centi": int(result.coverage_centi[row]),
            "grade": result.grades[row],
            "earned_grade": result.earned_grades[row],
            "overrides": [asdict(one) | {"since": one.since.isoformat()} for one in self.overrides],
            "undetermined": [asdict(one) for one in self.undetermined],
            "indicators": [asdict(one) for one in self.indicators],
            "advice": asdict(self.advice),
        }


def explain_subject(
    choice: Choice,
    subject: str,
    *,
    inputs: Path | None,
    reference: Path | None,
    day: str | None,
    today: date,
) -> Explained:
    """Score a table and explain one of its subjects.

    Args:
        choice: The model.
        subject: Subject id.
        inputs: File of inputs; None for the packaged example.
        reference: File of a hub's peer reference; None for the subjects of the table.
        day: Day or period; None for the reference's, else the example's period, else today.
        today: Day of the command.

    Raises:
        DeployError: A file is refused, or the subject is not in it.
        KernelError: The model cannot score the inputs.
    """
    asked = None if day is None else parse_day(day, today)
    peers = None if reference is None else read_reference(reference, choice.model, asked)
    if inputs is None:
        table, source = _example(choice), f"packaged example, simulated, {EXAMPLE_PERIOD.name}"
        fallback = EXAMPLE_PERIOD.last_day
    else:
        table, source = read_inputs(inputs, choice.model, choice.catalog), inputs.name
        fallback = today
    read_on = asked or (fallback if peers is None else peers.day)
    if subject not in table.subjects:
        some = ", ".join(table.subjects[:3])
        raise InputFileError(
            f"{subject[:40]!r}: not among the {len(table.subjects)} subjects of the {source}, for "
            f"example {some}: check the id, or name a file that holds it with --inputs"
        )
    result = score_table(choice.model, table, read_on, peers).result
    row = table.subjects.index(subject)
    ordered = sorted(explain(result, row), key=lambda one: (-one.lost_centi, one.number))
    return Explained(
        result=result,
        row=row,
        indicators=tuple(ordered),
        overrides=explain_overrides(result, row, choice.catalog),
        undetermined=explain_undetermined(result, row, choice.catalog),
        advice=advise(result, row),
        peers=len(table.subjects),
        source=source,
    )


def show(found: Explained, out: CommandOutput) -> None:
    """Show an explanation as a reader wants it: grade, losses, sum, way up."""
    result, row = found.result, found.row
    out.say(
        f"{result.subjects[row]} (level {result.levels[row]}, {result.types[row]}), model "
        f"{result.model.id}, {result.day.isoformat()}, basis: {result.basis}; inputs: "
        f"{found.source}, {found.peers} subjects"
    )
    out.say(f"model digest {result.model.digest.hex()}")
    if found.reference is not None:
        out.say(f"peer reference {found.reference.digest.hex()}")
    losses = [one for one in found.indicators if one.lost_centi]
    out.say("")
    out.say("Where points were lost (失分项), the greatest loss first")
    head = _cells(out)
    head.add_row("指标 indicator", "value", "peers", "points / of", "lost")
    out.show(head)
    for one in losses:
        line = _cells(out)
        line.add_row(*_line(one, result.model))
        out.show(line)
        for text in (one.name_en, one.reason_zh, one.reason_en, ", ".join(one.sources)):
            out.show(Padding(Text(printable(text), overflow="fold"), (0, 0, 0, 3)))
    kept = [f"{one.number} {one.name_zh}" for one in found.indicators if not one.lost_centi]
    if kept:
        out.show(Text(f"Without loss (未失分) {len(kept)}: {'; '.join(kept)}", overflow="fold"))
    out.say("")
    points = [one.points_centi for one in found.indicators]
    bands = ", ".join(
        f"{band.name_zh} {band.id} from {points_text(band.at_least_centi)}"
        for band in result.model.bands
    )
    out.say(
        f"The {len(points)} indicators add up to {points_text(sum(points))} = total "
        f"{points_text(int(result.total_centi[row]))}; grade "
        f"{_named(result.model, result.grades[row])} ({bands})"
    )
    told = [(one.reason_zh, one.reason_en, one.sources) for one in found.overrides]
    told += [(one.reason_zh, one.reason_en, one.sources) for one in found.undetermined]
    for zh, en, sources in told:
        out.say(f"Override (等级限制): {zh}\n{en} (basis: {', '.join(sources)})")
    out.say("")
    out.advice(asdict(found.advice))


def _cells(out: CommandOutput) -> Table:
    """One line of the explanation; the columns of all lines stand under each other."""
    table = Table.grid(padding=(0, 1), pad_edge=False)
    table.width = min(out.width, WIDTH)
    table.add_column(ratio=1, overflow="fold")
    for width in (14, 14, 15, 7):
        table.add_column(width=width, justify="right", overflow="fold")
    return table


def _line(one: IndicatorExplanation, model: RatingModel) -> tuple[str, ...]:
    return (
        f"{one.number} {one.name_zh}",
        "—" if one.missing else _amount(one.value_micro, one.indicator, model),
        _amount(one.peer_median_micro, one.indicator, model),
        f"{points_text(one.points_centi)} / {points_text(one.weight_centi)}",
        points_text(one.lost_centi),
    )


def _amount(micro: int | None, indicator: str, model: RatingModel) -> str:
    if micro is None:
        return "—"
    unit = next(one.unit for one in model.indicators if one.id == indicator)
    return amount_zh(micro, unit)


def _named(model: RatingModel, grade: str) -> str:
    names = {band.id: f"{band.name_zh} ({band.id})" for band in model.bands}
    return names.get(grade, grade)


def _example(choice: Choice) -> InputTable:
    source = files("deploy") / "examples" / "inputs" / f"{choice.model.id}.csv"
    with as_file(source) as path:
        if not path.is_file():
            raise InputFileError(
                f"there is no packaged example for {choice.model.id}: name a file with --inputs"
            )
        return read_inputs(path, choice.model, choice.catalog)
