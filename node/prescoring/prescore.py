"""Pre-score (预评分) a node's institutions, and compare with the hub's final points."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from node.prescoring.inputs import ScoringInputs, Subject, scoring_inputs
from node.store.scores import PreScore
from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog, Period, RatingModel, ScoreResult, score
from scoring_kernel.measures import MonthlyMeasures

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
    inputs: ScoringInputs
    result: ScoreResult
    prescores: tuple[PreScore, ...]
    comparison: Comparison


def prescore(
    catalog: Catalog,
    monthly: Mapping[str, MonthlyMeasures],
    subjects: Sequence[Subject],
    period: Period,
    statements: Mapping[str, statement_pb2.GradeStatement],
) -> PreScoring:
    """Score the subjects with the hub's kernel.

    Args:
        catalog: The catalogue; its model for designated medical institutions is used.
        monthly: The node's reported measures by measure set.
        subjects: Institutions to score, in order.
        period: The rating period.
        statements: Newest verified grade statement by subject, where one was collected.

    Returns:
        Pre-scores in subject order and their comparison with the final points.

    Raises:
        KernelError: Inputs do not fit the model, or a parameter is not in force.
    """
    model = catalog.models[SUBJECT_CLASS]
    ordered = [statements.get(subject.code) for subject in subjects]
    inputs = scoring_inputs(
        catalog=catalog,
        model=model,
        monthly=monthly,
        subjects=subjects,
        period=period,
        statements=ordered,
    )
    result = score(model, inputs.table, inputs.reference, _day(period, ordered))
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
        inputs=inputs,
        result=result,
        prescores=prescores,
        comparison=compare(prescores, statements),
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


def _day(period: Period, statements: Sequence[statement_pb2.GradeStatement | None]) -> date:
    """Day whose parameters apply: the hub's where it graded, else the period's last day."""
    for statement in statements:
        if statement is not None:
            number = statement.day
            return date(number // 10_000, number // 100 % 100, number % 100)
    return period.last_day
