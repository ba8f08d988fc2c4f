"""Nine classes of subjects are graded by one command, each by its own model and register."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import delete, select, update

from hub.errors import GradingError, NotGradedError, StatementsMissingError
from hub.grading import class_lines, explain, inputs, outcomes, recompute, regrade, summaries
from hub.grading.classes import models_to_grade, pushed_classes
from hub.grading.holding import hold_run
from hub.store.engine import reading, writing
from hub.store.grade_results import load_results
from hub.store.grading_tables import grade_reference, grade_result, grade_run
from scoring_kernel.indicators import Status
from tests.support.class_world import (
    COUNT,
    EMPLOYERS,
    NURSES,
    PERSONS,
    PHYSICIANS,
    SHARED,
    line,
    list_dishonest,
    populate,
    take,
)
from tests.support.grading_world import HOSPITALS, NOW, PERIOD, PHARMACY

if TYPE_CHECKING:
    from hub.grading import Explanation, GradeReport, PeriodReport
    from hub.store.grade_results import Result
    from tests.support.grading_world import World

CLASSES = {
    "designated_medical_institution": len(HOSPITALS),
    "designated_retail_pharmacy": 1,
    "physician": COUNT,
    "nurse": COUNT,
    "pharmacist": COUNT,
    "insured_person": COUNT,
    "employer": COUNT,
    "supplier": COUNT,
    "third_party_provider": COUNT,
}


@pytest.fixture
def city(world: World) -> World:
    """A city whose nine registers and items were handed in."""
    populate(world)
    world.entrust(*HOSPITALS, PHARMACY)
    return world


def by_class(report: PeriodReport) -> dict[str, GradeReport]:
    return {one.subject_class: one for one in report.classes}


def explained(world: World, subject: str, named: str | None = None) -> Explanation:
    with reading(world.engine) as connection:
        return explain(
            connection,
            world.catalog,
            vault=world.vault,
            subject=subject,
            period=PERIOD,
            subject_class=named,
        )


def results(world: World, run_id: int) -> list[Result]:
    with reading(world.engine) as connection:
        return list(load_results(connection, world.vault, run_id))


def test_one_command_grades_every_class_in_a_run_of_its_own(city: World) -> None:
    report = city.grade_classes()
    found = by_class(report)
    assert {name: one.graded + one.not_rated for name, one in found.items()} == CLASSES
    assert len({one.run_id for one in found.values()}) == len(CLASSES)
    assert all(one.graded == CLASSES[name] for name, one in found.items())
    assert report.skipped == ()
    with reading(city.engine) as connection:
        checks = recompute(connection, city.catalog, vault=city.vault, period=PERIOD)
        lines = list(class_lines(connection))
    assert {one.subject_class: one.checked for one in checks} == CLASSES
    assert all(one.differing == () for one in checks)
    assert {one.subject_class: one.graded for one in lines} == CLASSES
    assert not any(one.published for one in lines)
    again = city.grade_classes()
    assert not any(one.changed for one in again.classes)


def test_batches_change_nothing_but_the_memory(
    city: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = by_class(city.grade_classes())["physician"]
    for module, name in ((inputs, "MEASURED_BATCH"), (inputs, "ITEM_BATCH"), (outcomes, "BATCH")):
        monkeypatch.setattr(module, name, 2)
    assert not city.grade(subject_class="physician").changed
    take_credits(city, PHYSICIANS[:5])
    second = city.grade(subject_class="physician")
    assert (second.run_id > whole.run_id, second.new_versions) == (True, 5)
    with reading(city.engine) as connection:
        (check,) = recompute(
            connection, city.catalog, vault=city.vault, period=PERIOD, subject_class="physician"
        )
    assert (check.checked, check.differing) == (COUNT, ())


def take_credits(city: World, staff: tuple[str, ...]) -> None:
    """Correct the conduct of staff: no credits were earned."""
    item = city.catalog.items["s02"]
    values = {"credits_earned": "0"}
    take(city, "s02", PERIOD, [line(item, one, PERIOD, values) for one in staff])


def test_staff_measures_of_any_month_count_and_lag_the_personal_credit(city: World) -> None:
    run_id = city.grade(subject_class="physician").run_id
    with reading(city.engine) as connection:
        held = connection.execute(
            select(grade_result.c.name).where(grade_result.c.run_id == run_id)
        )
        assert set(held.scalars()) == {""}
    found = explained(city, PHYSICIANS[0])
    missing = {one.indicator for one in found.indicators if one.missing}
    assert (found.subject_class, found.name) == ("physician", "")
    assert not missing & {"rejected_amount_share", "cost_per_visit", "personal_credit"}


def test_a_subject_of_an_unknown_level_is_counted_and_named(city: World) -> None:
    item = city.catalog.items["s01"]
    odd = {"role": "physician", "level": "2", "type": "retail"}
    take(city, "s01", PERIOD, [line(item, "D330302999999", PERIOD, odd)])
    report = city.grade(subject_class="physician")
    assert (report.graded, report.no_model) == (COUNT, 1)
    assert [(one.subject, one.level, one.type) for one in report.unknown] == [
        ("D330302999999", "2", "retail")
    ]


def test_a_class_of_unknown_subjects_alone_is_skipped_with_a_word(empty: World) -> None:
    item = empty.catalog.items["s01"]
    empty.register([(HOSPITALS[0], "2")])
    odd = {"role": "nurse", "level": "2", "type": "retail"}
    take(empty, "s01", PERIOD, [line(item, one, PERIOD, odd) for one in NURSES])
    with pytest.raises(GradingError, match=f"none of {COUNT} subjects of item s01: {NURSES[0]}"):
        empty.grade(subject_class="nurse")


def test_classes_without_subjects_and_drafts_are_skipped_with_a_word(world: World) -> None:
    world.entrust(*HOSPITALS, PHARMACY)
    draft = replace(world.catalog.models["employer"], status=Status.DRAFT)
    world.catalog = replace(world.catalog, models={**world.catalog.models, "employer": draft})
    report = world.grade_classes(incomplete=True)
    reasons = {one.subject_class: one.reason for one in report.skipped}
    assert "item s01) names nobody" in reasons["nurse"]
    assert reasons["employer"] == "its model is a draft"
    assert len(report.classes) == 2


def test_only_institutions_are_waited_for(city: World) -> None:
    city.statements.clear()
    with pytest.raises(StatementsMissingError, match=r"institutions .designated_medical"):
        city.grade_classes()
    assert (
        city.grade(subject_class="physician").graded
        + city.grade(subject_class="insured_person").graded
        == 2 * COUNT
    )


def test_classes_are_found_by_id_or_alias_and_wait_first(city: World) -> None:
    models = models_to_grade(city.catalog)
    assert [one.alias for one in models[:2]] == ["institution", "pharmacy"]
    assert len(models) == len(CLASSES)
    assert models_to_grade(city.catalog, "third_party") == models_to_grade(
        city.catalog, "third_party_provider"
    )
    with pytest.raises(GradingError, match="No model grades the class 'dentist'"):
        models_to_grade(city.catalog, "dentist")
    with pytest.raises(GradingError, match="has no model"):
        models_to_grade(replace(city.catalog, models={}))
    assert set(CLASSES) - set(pushed_classes(city.catalog)) == {"insured_person"}


def test_an_organisation_of_two_classes_is_explained_in_the_one_that_is_named(city: World) -> None:
    city.grade_classes()
    with pytest.raises(GradingError, match=r"several classes.*--class: employer, supplier"):
        explained(city, SHARED)
    assert explained(city, SHARED, "employer").subject_class == "employer"
    assert explained(city, SHARED, "supplier").subject_class == "supplier"
    assert explained(city, EMPLOYERS[0]).subject_class == "employer"
    with pytest.raises(NotGradedError, match=f"no grade of '{EMPLOYERS[0]}' in supplier"):
        explained(city, EMPLOYERS[0], "supplier")
    with pytest.raises(NotGradedError, match="has a grade of 'D1'"):
        explained(city, "D1")


def test_an_appeal_of_staff_recomputes_nobody_else(city: World) -> None:
    first = city.grade(subject_class="nurse")
    before = results(city, first.run_id)
    take_credits(city, NURSES)
    report = regrade(
        city.engine,
        city.statements,
        city.catalog,
        vault=city.vault,
        subject=NURSES[3],
        period=PERIOD,
        now=NOW,
    )
    assert (report.subject_class, report.new_versions, report.graded) == ("nurse", 1, COUNT)
    after = results(city, report.run_id)
    changed = [one.subject for one, was in zip(after, before, strict=True) if one != was]
    assert changed == [NURSES[3]]
    assert report.no_model == first.no_model


def test_an_appeal_of_a_late_subject_joins_the_run_when_its_class_is_named(city: World) -> None:
    city.grade(subject_class="insured_person")
    late = f"R00{'abcdef' * 5}"
    take(city, "r01", PERIOD, [line(city.catalog.items["r01"], late, PERIOD, {})])
    report = regrade(
        city.engine,
        city.statements,
        city.catalog,
        vault=city.vault,
        subject=late,
        period=PERIOD,
        now=NOW,
        subject_class="person",
    )
    assert report.graded + report.not_rated == COUNT + 1
    assert [one.subject for one in results(city, report.run_id)] == [late, *PERSONS]
    with pytest.raises(GradingError, match=r"item r01. names no 'R1'"):
        regrade(
            city.engine,
            city.statements,
            city.catalog,
            vault=city.vault,
            subject="R1",
            period=PERIOD,
            now=NOW,
            subject_class="person",
        )


def test_an_override_caps_the_grade_and_says_so(city: World) -> None:
    free = {one.subject: one for one in results(city, city.grade(subject_class="nurse").run_id)}
    list_dishonest(city, "l02", NURSES[0], "serious_dishonesty")
    report = city.grade(subject_class="nurse")
    assert (report.new_versions, report.capped) == (1, 1)
    capped = next(one for one in results(city, report.run_id) if one.subject == NURSES[0])
    was = free[NURSES[0]]
    assert (capped.grade, capped.earned_grade) == ("bad", was.grade)
    assert (capped.total_centi, capped.overrides) == (was.total_centi, ("serious_dishonesty",))
    found = explained(city, NURSES[0])
    (one,) = found.overrides
    assert (one.override, one.cap, one.lowers) == ("serious_dishonesty", "bad", True)
    assert one.evidence == (city.catalog.items["l02"].name_zh,)
    assert one.since.isoformat() in one.reason_zh
    assert one.since.isoformat() in one.reason_en
    assert found.earned_grade_zh in one.reason_zh
    with reading(city.engine) as connection:
        (listed,) = summaries(
            connection, city.catalog, PERIOD, subject_class="nurse", limit=COUNT + 1
        )
        (line_,) = (one for one in class_lines(connection) if one.subject_class == "nurse")
    assert (listed.capped, line_.capped) == (1, 1)
    last = next(one for one in listed.subjects if one.subject == NURSES[0])
    assert (last.grade, last.earned_grade, last.name) == ("bad", was.grade, "")


def test_missing_data_is_no_refuge_from_an_override(city: World) -> None:
    newcomer = f"R99{'abcdef' * 5}"
    take(city, "r01", PERIOD, [line(city.catalog.items["r01"], newcomer, PERIOD, {})])
    list_dishonest(city, "l03", newcomer, "judgment_defaulter")
    city.grade(subject_class="person")
    found = explained(city, newcomer)
    (one,) = found.overrides
    assert (found.grade, one.cap) == ("poor", "poor")
    assert one.lowers


def test_one_subject_is_recomputed_alone_and_a_damaged_run_is_told(city: World) -> None:
    report = city.grade(subject_class="nurse")
    city.grade(subject_class="person")

    def recomputed(subject: str, named: str | None = None) -> int:
        with reading(city.engine) as connection:
            (found,) = recompute(
                connection,
                city.catalog,
                vault=city.vault,
                period=PERIOD,
                subject=subject,
                subject_class=named,
            )
        return found.checked

    assert recomputed(NURSES[0]) == 1
    with pytest.raises(NotGradedError, match=f"no grade of '{PERSONS[0]}'"):
        recomputed(PERSONS[0], "nurse")
    with pytest.raises(NotGradedError, match="not graded yet for physician"):
        recomputed(PHYSICIANS[0], "physician")
    with reading(city.engine) as connection, pytest.raises(NotGradedError, match="physician was"):
        hold_run(connection, city.catalog, PERIOD, "physician")
    with writing(city.engine) as connection:
        layout = connection.execute(
            select(grade_run.c.layout).where(grade_run.c.id == report.run_id)
        ).scalar_one()
        shorter = orjson.loads(layout)
        shorter["columns"].pop()
        connection.execute(
            update(grade_run)
            .where(grade_run.c.id == report.run_id)
            .values(layout=orjson.dumps(shorter))
        )
    with pytest.raises(GradingError, match="cannot be read"):
        recomputed(NURSES[0])
    shorter["columns"].append("item.99.nothing@current")
    with writing(city.engine) as connection:
        connection.execute(
            update(grade_run)
            .where(grade_run.c.id == report.run_id)
            .values(layout=orjson.dumps(shorter))
        )
    with pytest.raises(GradingError, match="cannot be recomputed"):
        recomputed(NURSES[0])


def test_an_appeal_without_the_reference_of_its_run_is_refused(city: World) -> None:
    city.grade(subject_class="nurse")
    with writing(city.engine) as connection:
        connection.execute(delete(grade_reference))
    with pytest.raises(NotGradedError, match="has no reference"):
        regrade(
            city.engine,
            city.statements,
            city.catalog,
            vault=city.vault,
            subject=NURSES[0],
            period=PERIOD,
            now=NOW,
        )
