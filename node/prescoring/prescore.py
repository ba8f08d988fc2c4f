"""Pre-score (预评分) a node's institutions, and compare with the hub's final points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from node.prescoring.inputs import Subject, reference_of, scoring_inputs
from node.store.scores import PreScore
from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog
from scoring_kernel.inputs import InputTable
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.model import RatingModel
from scoring_kernel.periods import Period
from scoring_kernel.scoring import ScoreResult, score

SUBJECT_CLASS: Final = "designated_medical_institution"
"""Subject class (主体类别) of the institutions whose code begins with H."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One indicator on which node and hub disagree."""

    subject: str
    indicator: str
    prescore_centi: int
    final_centi: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Pre-scores beside final points, indicator by indicator."""

    compared: int
    """Indicators compared: subjects with a final statement times the model's indicators."""
    equal: int
    """Of these, indicators with the same points to the hundredth."""
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreScoring:
    """Result of one pre-scoring run."""

    model: RatingModel
    result: ScoreResult
    prescores: tuple[PreScore, ...]
    comparison: Comparison


def prescore(
    catalog: Catalog,
    monthly: Mapping[str, MonthlyMeasures],
    subjects: Sequence[Subject],
    period: Period,
    statements: Mapping[str, statement_pb2.GradeStatement],
    *,
    day: date | None = None,
) -> PreScoring:
    """Score the subjects with the hub's kernel.

    Args:
        catalog: The catalogue; its model for designated medical institutions is used.
        monthly: The node's reported measures by measure set.
        subjects: Institutions to score, in order.
        period: The rating period.
        statements: Newest verified grade statement by subject, where one was collected.
        day: Day whose parameters apply; None for the day the hub graded, else the period's last.

    Returns:
        Pre-scores in subject order and their comparison with the final points.

    Raises:
        KernelError: Inputs do not fit the model, or a parameter is not in force.
    """
    model = catalog.models[SUBJECT_CLASS]
    ordered = [_of_model(statements.get(subject.code), model) for subject in subjects]
    read_on = day or _day(period, ordered)
    inputs = InputTable.assemble(
        model,
        [subject.code for subject in subjects],
        [subject.level for subject in subjects],
        [subject.type for subject in subjects],
        scoring_inputs(catalog, monthly, subjects, period, ordered),
    )
    result = score(model, inputs, reference_of(model, ordered, read_on), read_on)
    prescores = tuple(
        PreScore(
            period=period.name,
            subject=subject.code,
            total_centi=int(result.total_centi[row]),
            grade=result.grades[row],
            basis=result.basis,
            coverage_centi=int(result.coverage_centi[row]),
            final_inputs=ordered[row] is not None,
            points={
                indicator.id: int(result.points_centi[row, column])
                for column, indicator in enumerate(model.indicators)
            },
        )
        for row, subject in enumerate(subjects)
    )
    return PreScoring(
        model=model,
        result=result,
        prescores=prescores,
        comparison=compare(prescores, {one.subject: one for one in ordered if one is not None}),
    )


def compare(
    prescores: Sequence[PreScore], statements: Mapping[str, statement_pb2.GradeStatement]
) -> Comparison:
    """Compare pre-scores with final points, every indicator of every graded subject."""
    compared = 0
    differences: list[Difference] = []
    for mine in prescores:
        statement = statements.get(mine.subject)
        if statement is None:
            continue
        for final in statement.points:
            compared += 1
            points = mine.points.get(final.indicator, -1)
            if points != final.points_centi:
                differences.append(
                    Difference(
                        subject=mine.subject,
                        indicator=final.indicator,
                        prescore_centi=points,
                        final_centi=final.points_centi,
                    )
                )
    return Comparison(
        compared=compared, equal=compared - len(differences), differences=tuple(differences)
    )


def _of_model(
    statement: statement_pb2.GradeStatement | None, model: RatingModel
) -> statement_pb2.GradeStatement | None:
    """The statement, if it was made with this very model; points of another cannot be compared."""
    if statement is None or statement.model_digest != model.digest:
        return None
    return statement


def _day(period: Period, statements: Sequence[statement_pb2.GradeStatement | None]) -> date:
    """Day whose parameters apply: the hub's where it graded, else the period's last day."""
    for statement in statements:
        if statement is not None:
            number = statement.day
            return date(number // 10_000, number // 100 % 100, number % 100)
    return period.last_day
