import numpy as np
import pytest

from node.prescoring.inputs import Column, Subject
from node.prescoring.prescore import prescore
from protos.yixin.v1 import statement_pb2
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.errors import KernelInputError
from scoring_kernel.inputs import InputTable
from scoring_kernel.measures import MonthlyMeasures
from scoring_kernel.periods import Period
from scoring_kernel.reference import build_reference
from scoring_kernel.scoring import score
from scoring_kernel.windows import window_inputs

PERIOD = Period.parse("2026H1")
HOSPITALS = "designated_medical_institution"
PHARMACIES = "designated_retail_pharmacy"
PHARMACY = Subject(code="P33030200003", level="0", type="pharmacy")
SUBJECTS = [
    Subject(code="H33030200001", level="3", type="general"),
    Subject(code="H33030200002", level="1", type="primary"),
]
ITEMS = {
    "item.05.rejected_visits@current": 3,
    "item.05.rejected_fen@current": 12_000,
    "item.18.listed@current": 1,
}


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


def own_measures(catalog: Catalog) -> dict[str, MonthlyMeasures]:
    months = [*PERIOD.base().months, *PERIOD.months]
    codes = [subject.code for subject in SUBJECTS for _ in months]
    rows = len(codes)
    return {
        name: MonthlyMeasures(
            measure_set=name,
            subjects=np.array(codes),
            months=np.array(months * len(SUBJECTS), np.int32),
            columns={
                measure.id: np.arange(1, rows + 1, dtype=np.int64) * 100
                for measure in measure_set.measures
            },
        )
        for name, measure_set in catalog.measure_sets.items()
    }


def hub_statements(catalog: Catalog) -> dict[str, statement_pb2.GradeStatement]:
    """What a hub publishes that saw the same measures and has the items."""
    model = catalog.models[HOSPITALS]
    codes = [subject.code for subject in SUBJECTS]
    columns: dict[str, Column] = {}
    for name, monthly in own_measures(catalog).items():
        columns |= window_inputs(catalog.measure_sets[name], monthly, codes, PERIOD)
    for name, amount in ITEMS.items():
        columns[name] = (np.full(2, amount, np.int64), np.ones(2, np.bool_))
    levels, types = [one.level for one in SUBJECTS], [one.type for one in SUBJECTS]
    table = InputTable.assemble(model, codes, levels, types, columns)
    reference = build_reference(model, table, PERIOD.last_day)
    result = score(model, table, reference, PERIOD.last_day)
    statements = {}
    for row, subject in enumerate(SUBJECTS):
        statement = statement_pb2.GradeStatement(
            subject=subject.code,
            period=PERIOD.name,
            model=model.id,
            model_digest=model.digest,
            day=int(PERIOD.last_day.strftime("%Y%m%d")),
            version=1,
            grade=result.grades[row],
        )
        for name, amount in ITEMS.items():
            statement.inputs.add(column=name, value=amount)
        for value in reference.values_for(subject.level, subject.type):
            statement.reference.add(
                indicator=value.indicator,
                statistic=value.statistic,
                peer_group=value.peer_group,
                value_micro=value.value_micro,
            )
        for place, indicator in enumerate(model.indicators):
            statement.points.add(
                indicator=indicator.id, points_centi=int(result.points_centi[row, place])
            )
        statements[subject.code] = statement
    return statements


def test_with_the_hubs_inputs_every_indicator_equals_the_final_points(catalog: Catalog) -> None:
    scored = prescore(catalog, own_measures(catalog), SUBJECTS, PERIOD, hub_statements(catalog))
    assert scored.comparison.compared == 2 * 36
    assert scored.comparison.differences == ()
    assert scored.comparison.equal == 2 * 36
    assert [one.final_inputs for one in scored.prescores] == [True, True]
    assert (scored.comparison.grades_compared, scored.comparison.grades_equal) == (2, 2)


def test_an_override_that_the_hub_sent_down_caps_the_pre_score_too(catalog: Catalog) -> None:
    measures, statements = own_measures(catalog), hub_statements(catalog)
    with_list = prescore(catalog, measures, SUBJECTS, PERIOD, statements)
    assert {one.grade for one in with_list.prescores} <= {"poor", "bad"}
    for statement in statements.values():
        kept = [one for one in statement.inputs if not one.column.startswith("item.18")]
        del statement.inputs[:]
        statement.inputs.extend(kept)
    without = prescore(catalog, measures, SUBJECTS, PERIOD, statements)
    assert [one.grade for one in without.prescores] == [
        one.earned_grade for one in with_list.prescores
    ]
    assert [one.total_centi for one in without.prescores] == [
        one.total_centi for one in with_list.prescores
    ]


def test_a_negative_count_of_the_hub_is_refused(catalog: Catalog) -> None:
    statements = hub_statements(catalog)
    first = next(one for one in SUBJECTS if one.code in statements)
    count = next(one for one in statements[first.code].inputs if one.column.startswith("item."))
    count.value = -1
    with pytest.raises(KernelInputError, match=rf"{first.code}, column item\..*found -1"):
        prescore(catalog, own_measures(catalog), SUBJECTS, PERIOD, statements)


def test_a_changed_final_point_is_reported_as_a_difference(catalog: Catalog) -> None:
    statements = hub_statements(catalog)
    changed = statements["H33030200001"].points[20]
    changed.points_centi += 1
    scored = prescore(catalog, own_measures(catalog), SUBJECTS, PERIOD, statements)
    assert scored.comparison.equal == 2 * 36 - 1
    (difference,) = scored.comparison.differences
    assert (difference.subject, difference.indicator) == ("H33030200001", changed.indicator)
    assert difference.final_centi - difference.prescore_centi == 1


def test_without_a_statement_the_pre_score_is_provisional(catalog: Catalog) -> None:
    scored = prescore(catalog, own_measures(catalog), SUBJECTS, PERIOD, {})
    assert scored.comparison.compared == 0
    assert [one.final_inputs for one in scored.prescores] == [False, False]
    assert {one.basis for one in scored.prescores} == {"proposal"}


def test_a_statement_of_another_model_is_not_compared(catalog: Catalog) -> None:
    statements = hub_statements(catalog)
    statements["H33030200001"].model_digest = b"\0" * 32
    scored = prescore(catalog, own_measures(catalog), SUBJECTS, PERIOD, statements)
    assert scored.comparison.compared == 36
    assert [one.final_inputs for one in scored.prescores] == [False, True]


def test_pharmacies_are_scored_by_the_model_of_their_own_class(catalog: Catalog) -> None:
    scored = prescore(catalog, own_measures(catalog), [*SUBJECTS, PHARMACY], PERIOD, {})
    assert [scores.model.subject_class for scores in scored.classes] == [HOSPITALS, PHARMACIES]
    found = scored.find(PHARMACY.code)
    assert found is not None
    scores, row = found
    assert scores.prescores[row].subject_class == PHARMACIES
    weights = sum(one.weight_centi for one in catalog.models[PHARMACIES].indicators)
    assert weights == 100_000
    assert [one.subject for one in scored.prescores] == [
        *(one.code for one in SUBJECTS),
        PHARMACY.code,
    ]
    assert (scored.basis, scored.no_model, scored.find("H33030299999")) == ("proposal", (), None)


def test_an_institution_of_an_unknown_level_is_named_and_not_scored(catalog: Catalog) -> None:
    odd = Subject(code="P33030200004", level="9", type="pharmacy")
    scored = prescore(catalog, own_measures(catalog), [odd], PERIOD, {})
    assert (scored.no_model, scored.prescores) == ((odd,), ())
