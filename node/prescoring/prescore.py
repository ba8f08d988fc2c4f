"""Pre-score (预评分) a node's institutions by class, and compare with the hub's final points.

Rules:
- A class is graded by the model whose register lists its institutions, told by the letter of
  the institution's code; staff are graded by the hub alone, which knows their register.
- An institution whose level or type the model does not know is named and not scored.
- Overrides come from department items, so they count only as far as the hub sent these down.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from node.prescoring.inputs import Subject, reference_of, scoring_inputs
from node.store.scores import PreScore
from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog
from scoring_kernel.inputs import InputTable
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.model import RatingModel
from scoring_kernel.periods import Period
from scoring_kernel.scoring import ScoreResult, score
from scoring_kernel.subject_ids import INSTITUTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One indicator on which node and hub disagree."""

    subject: str
    indicator: str
    prescore_centi: int
    final_centi: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Pre-scores beside final points and grades."""

    compared: int
    """Indicators compared: subjects with a final statement times their model's indicators."""
    equal: int
    """Of these, indicators with the same points to the hundredth."""
    grades_compared: int
    """Subjects with a final statement."""
    grades_equal: int
    """Of these, subjects with the same grade, overrides included."""
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Pre-scores of one class."""

    model: RatingModel = field(repr=False)
    result: ScoreResult = field(repr=False)
    prescores: tuple[PreScore, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreScoring:
    """Result of one pre-scoring run."""

    classes: tuple[ClassScores, ...]
    """Classes with an institution of this node, in the catalogue's order."""
    no_model: tuple[Subject, ...]
    """Institutions whose level or type no model knows, in order."""
    comparison: Comparison

    @property
    def prescores(self) -> tuple[PreScore, ...]:
        """Pre-scores of all classes, by subject."""
        found = (one for scores in self.classes for one in scores.prescores)
        return tuple(sorted(found, key=lambda one: one.subject))

    @property
    def basis(self) -> str:
        """``proposal`` when one of the models is, else ``final``."""
        bases = {scores.result.basis for scores in self.classes}
        return "final" if bases == {"final"} else "proposal"

    def find(self, subject: str) -> tuple[ClassScores, int] | None:
        """The class of a subject and its row there; None when it was not pre-scored."""
        for scores in self.classes:
            for row, one in enumerate(scores.prescores):
                if one.subject == subject:
                    return scores, row
        return None


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
        catalog: The catalogue; its models of institutions are used.
        monthly: The node's reported measures by measure set.
        subjects: Institutions to score, in order.
        period: The rating period.
        statements: Newest verified grade statement by subject, where one was collected.
        day: Day whose parameters apply; None for the day the hub graded, else the period's last.

    Returns:
        Pre-scores by class and their comparison with the final points.

    Raises:
        KernelError: Inputs do not fit a model, or a parameter is not in force.
    """
    classes: list[ClassScores] = []
    final: dict[str, statement_pb2.GradeStatement] = {}
    left = list(subjects)
    for model in models_of_institutions(catalog):
        own = [one for one in left if _is_rated(model, one)]
        left = [one for one in left if not _is_rated(model, one)]
        if not own:
            continue
        ordered = [_of_model(statements.get(one.code), model) for one in own]
        final |= {one.subject: one for one in ordered if one is not None}
        read_on = day or _day(period, ordered)
        inputs = InputTable.assemble(
            model,
            [one.code for one in own],
            [one.level for one in own],
            [one.type for one in own],
            scoring_inputs(catalog, monthly, own, period, ordered),
        )
        inputs.refuse_negative(catalog.never_negative)
        result = score(model, inputs, reference_of(model, ordered, read_on), read_on)
        found = tuple(_prescores(model, result, period, ordered))
        classes.append(ClassScores(model=model, result=result, prescores=found))
    return PreScoring(
        classes=tuple(classes),
        no_model=tuple(left),
        comparison=compare([one for scores in classes for one in scores.prescores], final),
    )


def models_of_institutions(catalog: Catalog) -> tuple[RatingModel, ...]:
    """Models whose register lists institutions, in the catalogue's order."""
    return tuple(
        model
        for model in catalog.models.values()
        if catalog.items[model.register.item].subject_type == INSTITUTION
    )


def compare(
    prescores: Sequence[PreScore], statements: Mapping[str, statement_pb2.GradeStatement]
) -> Comparison:
    """Compare pre-scores with final points and grades of every graded subject."""
    compared = grades = same_grades = 0
    differences: list[Difference] = []
    for mine in prescores:
        statement = statements.get(mine.subject)
        if statement is None:
            continue
        grades += 1
        same_grades += mine.grade == statement.grade
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
        compared=compared,
        equal=compared - len(differences),
        grades_compared=grades,
        grades_equal=same_grades,
        differences=tuple(differences),
    )


def _is_rated(model: RatingModel, subject: Subject) -> bool:
    return (
        subject.code.startswith(model.register.prefix or "")
        and subject.level in model.levels
        and subject.type in model.types
    )


def _prescores(
    model: RatingModel,
    result: ScoreResult,
    period: Period,
    statements: Sequence[statement_pb2.GradeStatement | None],
) -> Iterator[PreScore]:
    for row, (subject, received) in enumerate(zip(result.subjects, statements, strict=True)):
        yield PreScore(
            period=period.name,
            subject=subject,
            subject_class=model.subject_class,
            total_centi=int(result.total_centi[row]),
            grade=result.grades[row],
            earned_grade=result.earned_grades[row],
            basis=result.basis,
            coverage_centi=int(result.coverage_centi[row]),
            final_inputs=received is not None,
            model_digest=model.digest.hex(),
            inputs_digest=result.inputs.digest(row).hex(),
            reference_digest="" if received is None else received.reference_digest.hex(),
            points={
                indicator.id: int(result.points_centi[row, column])
                for column, indicator in enumerate(model.indicators)
            },
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
