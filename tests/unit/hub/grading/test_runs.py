from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from hub.errors import GradingError, HubStoreError, NotGradedError
from hub.grading import explain, grade, recompute, regrade, summaries
from hub.store.engine import reading, writing
from hub.store.grade_results import load_results
from hub.store.grading_tables import grade_reference, grade_result, grade_run
from scoring_kernel.model import NOT_RATED
from tests.support.grading_world import HOSPITALS, NOW, PERIOD

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Table

    from hub.grading import GradeReport, Recomputation
    from hub.store.grade_results import Result
    from scoring_kernel import Catalog
    from tests.support.grading_world import World


def count(world: World, table: Table) -> int:
    with reading(world.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def results(world: World, run_id: int) -> dict[str, Result]:
    with reading(world.engine) as connection:
        return {one.subject: one for one in load_results(connection, world.vault, run_id)}


def check(world: World) -> Recomputation:
    with reading(world.engine) as connection:
        (found,) = recompute(connection, world.catalog, vault=world.vault, period=PERIOD)
    return found


def regrade_one(world: World, subject: str) -> GradeReport:
    return regrade(
        world.engine,
        world.statements,
        world.catalog,
        vault=world.vault,
        subject=subject,
        period=PERIOD,
        now=NOW,
    )


def test_every_hospital_of_the_register_is_graded_and_nobody_else(world: World) -> None:
    report = world.grade()
    assert (report.graded, report.not_rated, report.no_model) == (len(HOSPITALS), 0, 0)
    assert (report.changed, report.new_versions, report.basis) == (True, 12, "proposal")
    assert sum(band.count for band in report.distribution) == report.graded
    assert report.open_faults == 0


def test_points_add_up_and_follow_the_rejected_visits(world: World) -> None:
    found = results(world, world.grade().run_id)
    totals = [found[code].total_centi for code in HOSPITALS]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] > totals[-1]
    for one in found.values():
        assert one.total_centi == sum(points.points_centi for points in one.points)
        assert sum(points.weight_centi for points in one.points) == 100_000
        assert len(one.points) == 36
        assert one.coverage_centi == 100_000


def test_grading_again_with_unchanged_inputs_changes_nothing(world: World) -> None:
    first = world.grade()
    tables = (grade_run, grade_result, grade_reference)
    before = [count(world, table) for table in tables]
    (second,) = grade(
        world.engine,
        world.statements,
        world.catalog,
        vault=world.vault,
        period=PERIOD,
        now=NOW + timedelta(days=3),
        subject_class="institution",
    ).classes
    assert [count(world, table) for table in tables] == before
    assert second == replace(first, changed=False, new_versions=0)


def test_changed_data_make_a_new_version_and_keep_the_old_one(world: World) -> None:
    first = world.grade()
    before = results(world, first.run_id)
    world.take("09", PERIOD, [f"{HOSPITALS[0]},2026H1,50.00"])
    second = world.grade()
    assert (second.changed, second.new_versions) == (True, 1)
    assert second.run_id > first.run_id
    after = results(world, second.run_id)
    assert after[HOSPITALS[0]].version == 2
    # 30 points at a score of 93 became 30 points at a score of 50.
    assert before[HOSPITALS[0]].total_centi - after[HOSPITALS[0]].total_centi == 1290
    assert {code: after[code] for code in HOSPITALS[1:]} == {
        code: before[code] for code in HOSPITALS[1:]
    }
    assert results(world, first.run_id) == before


def test_an_older_content_that_comes_back_is_again_a_new_version(world: World) -> None:
    world.grade()
    world.take("09", PERIOD, [f"{HOSPITALS[0]},2026H1,50.00"])
    world.grade()
    world.take("09", PERIOD, [f"{HOSPITALS[0]},2026H1,93.00"])
    report = world.grade()
    found = results(world, report.run_id)[HOSPITALS[0]]
    assert (found.version, report.new_versions) == (3, 1)


def test_the_reference_is_frozen_at_the_first_grading(world: World) -> None:
    first = world.grade()
    before = results(world, first.run_id)
    rows = [f"{code},2026H1,900,9000.00" for code in HOSPITALS[:6]]
    world.take("05", PERIOD, rows)
    second = world.grade()
    assert count(world, grade_reference) == 1
    after = results(world, second.run_id)
    # Had the reference moved, the others would look better beside their worse peers.
    assert all(after[code] == before[code] for code in HOSPITALS[6:])
    assert all(after[code].total_centi < before[code].total_centi for code in HOSPITALS[:6])


def test_every_result_can_be_recomputed_after_the_data_moved_on(world: World) -> None:
    world.grade()
    world.take("09", PERIOD, [f"{code},2026H1,10.00" for code in HOSPITALS])
    world.state(HOSPITALS[3], visits=3000)
    found = check(world)
    assert (found.checked, found.differing) == (len(HOSPITALS), ())
    world.grade()
    assert check(world).differing == ()


@pytest.mark.parametrize(
    "change",
    [
        {"total_centi": 99_999},
        {"grade": "bad"},
        {"coverage_centi": 1},
        {"inputs_digest": bytes(32)},
        {"level": "3"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_result_that_was_tampered_with_is_found(world: World, change: dict[str, object]) -> None:
    world.grade()
    with writing(world.engine) as connection:
        connection.execute(
            update(grade_result).where(grade_result.c.subject == HOSPITALS[4]).values(**change)
        )
    assert check(world).differing == (HOSPITALS[4],)
    with (
        reading(world.engine) as connection,
        pytest.raises(GradingError, match=f"{HOSPITALS[4]}.*not what its stored inputs give"),
    ):
        explain(connection, world.catalog, vault=world.vault, subject=HOSPITALS[4], period=PERIOD)


def test_sealed_points_of_another_subject_do_not_open(world: World) -> None:
    world.grade()
    with writing(world.engine) as connection:
        sealed = connection.execute(
            select(grade_result.c.sealed).where(grade_result.c.subject == HOSPITALS[0])
        ).scalar_one()
        connection.execute(
            update(grade_result).where(grade_result.c.subject == HOSPITALS[1]).values(sealed=sealed)
        )
    with pytest.raises(HubStoreError, match=HOSPITALS[1]):
        check(world)


def test_a_changed_reference_is_found(world: World) -> None:
    report = world.grade()
    with writing(world.engine) as connection:
        content = connection.execute(select(grade_reference.c.content)).scalar_one()
        connection.execute(
            update(grade_reference).values(
                content=content.replace(b'"day":"2026-06-30"', b'"day":"2026-06-29"')
            )
        )
    with pytest.raises(GradingError, match="frozen reference of 2026H1"):
        check(world)
    with writing(world.engine) as connection:
        connection.execute(update(grade_reference).values(content=b"{}"))
    with pytest.raises(GradingError, match=f"Run {report.run_id} cannot be read"):
        check(world)
    with pytest.raises(GradingError, match="cannot be graded for 2026H1"):
        world.grade()


def test_a_run_of_another_model_is_not_recomputed(world: World) -> None:
    world.grade()
    with writing(world.engine) as connection:
        connection.execute(update(grade_run).values(model_digest=bytes(32)))
    with pytest.raises(GradingError, match="this program carries"):
        check(world)
    with writing(world.engine) as connection:
        connection.execute(update(grade_run).values(model="forgotten"))
    with pytest.raises(GradingError, match="carries none"):
        check(world)


def test_a_run_of_another_catalogue_is_explained_with_that_one(world: World) -> None:
    world.grade()
    graded_with, model = world.catalog, world.catalog.models["designated_medical_institution"]
    edited = replace(model, digest=bytes(32))
    now = replace(graded_with, digest=bytes(32), models={**graded_with.models, model.id: edited})

    def told(earlier: Callable[[bytes], Catalog | None]) -> str:
        with reading(world.engine) as connection:
            return explain(
                connection,
                now,
                vault=world.vault,
                subject=HOSPITALS[4],
                period=PERIOD,
                earlier=earlier,
            ).grade

    asked: list[bytes] = []

    def found(digest: bytes) -> Catalog:
        asked.append(digest)
        return graded_with

    assert told(found)
    assert asked == [graded_with.digest]
    with pytest.raises(GradingError, match=r"take the pack of that catalogue into use"):
        told(lambda _digest: None)


def test_a_run_of_another_catalogue_is_not_regraded_in_part(world: World) -> None:
    world.grade()
    world.catalog = replace(world.catalog, digest=bytes(32))
    with pytest.raises(NotGradedError, match="was made with catalogue"):
        regrade_one(world, HOSPITALS[4])


def test_subjects_without_statements_are_judged_by_coverage(world: World) -> None:
    world.register((code, "2") for code in (*HOSPITALS, "H33030209999"))
    report = world.grade(incomplete=True)
    newcomer = results(world, report.run_id)["H33030209999"]
    assert newcomer.grade == NOT_RATED
    assert newcomer.coverage_centi < 60_000
    assert (report.graded, report.not_rated) == (len(HOSPITALS), 1)


def test_a_subject_with_items_alone_is_graded_when_coverage_allows(world: World) -> None:
    world.statements.clear()
    report = world.grade(incomplete=True)
    assert report.not_rated == 0
    assert all(
        one.grade != NOT_RATED and 60_000 <= one.coverage_centi < 100_000
        for one in results(world, report.run_id).values()
    )


def test_an_empty_register_cannot_be_graded(empty: World) -> None:
    with pytest.raises(GradingError, match=r"register \(item 20\).*import it"):
        empty.grade()


def test_a_register_without_the_class_grades_nobody(empty: World) -> None:
    empty.register(())
    with pytest.raises(GradingError, match=r"Nothing to grade .*register .item 20. names nobody"):
        empty.grade()


def test_a_day_before_the_parameters_are_in_force_is_refused(world: World) -> None:
    with pytest.raises(GradingError, match="cannot be graded for 2026H1"):
        grade(
            world.engine,
            world.statements,
            world.catalog,
            vault=world.vault,
            period=PERIOD,
            day=date(2001, 1, 1),
            now=NOW,
            subject_class="institution",
        )
    assert count(world, grade_run) == 0


def test_a_catalogue_without_the_model_is_refused(world: World) -> None:
    world.catalog = replace(world.catalog, models={})
    with pytest.raises(GradingError, match="No model grades the class 'institution'"):
        world.grade()


def test_open_faults_of_the_period_are_reported(world: World) -> None:
    path = world.directory / "item_21_2026H1_late.csv"
    path.write_text("institution\n")
    with pytest.raises(AssertionError):
        world.take_file(path)
    assert world.grade().open_faults == 1


def test_an_appeal_recomputes_only_its_subject(world: World) -> None:
    first = world.grade()
    before = results(world, first.run_id)
    world.take("09", PERIOD, [f"{code},2026H1,50.00" for code in HOSPITALS])
    report = regrade_one(world, HOSPITALS[2])
    assert (report.changed, report.new_versions) == (True, 1)
    after = results(world, report.run_id)
    assert after[HOSPITALS[2]].version == 2
    assert after[HOSPITALS[2]].total_centi == before[HOSPITALS[2]].total_centi - 1290
    assert all(after[code] == before[code] for code in HOSPITALS if code != HOSPITALS[2])
    assert check(world).differing == ()
    assert not regrade_one(world, HOSPITALS[2]).changed


def test_an_appeal_needs_a_graded_period_and_a_registered_subject(world: World) -> None:
    with pytest.raises(NotGradedError, match="2026H1 was not graded yet"):
        regrade_one(world, HOSPITALS[0])
    world.grade()
    with pytest.raises(NotGradedError, match="has a grade of 'H33030209999'"):
        regrade_one(world, "H33030209999")
    with writing(world.engine) as connection:
        connection.execute(update(grade_run).values(model_digest=bytes(32)))
    with pytest.raises(NotGradedError, match="grade the whole period"):
        regrade_one(world, HOSPITALS[0])


def test_the_summary_lists_the_best_first_and_counts_empty_grades(world: World) -> None:
    world.register((code, "2") for code in (*HOSPITALS, "H33030209999"))
    world.grade(incomplete=True)
    with reading(world.engine) as connection:
        (found,) = summaries(connection, world.catalog, PERIOD, limit=20)
    assert [one.subject for one in found.subjects] == [*HOSPITALS, "H33030209999"]
    assert found.subjects[0].name == "医院001"
    assert [band.grade for band in found.distribution] == [
        "excellent",
        "good",
        "medium",
        "poor",
        "bad",
    ]
    counts = [band.count for band in found.distribution]
    assert sum(counts) == found.graded == len(HOSPITALS)
    assert 0 in counts
    assert 9_990 <= sum(band.share_bp for band in found.distribution) <= 10_010
    assert (found.not_rated, found.no_model) == (1, 0)


def test_an_explanation_adds_up_to_the_total_and_names_the_grade(world: World) -> None:
    world.grade()
    with reading(world.engine) as connection:
        found = explain(
            connection, world.catalog, vault=world.vault, subject=HOSPITALS[0], period=PERIOD
        )
    assert (found.grade, found.grade_zh, found.basis) == ("excellent", "优秀", "proposal")
    assert len(found.indicators) == 36
    assert sum(one.points_centi for one in found.indicators) == found.total_centi
    assert sum(one.lost_centi for one in found.indicators) == 100_000 - found.total_centi
    assert found.day == date(2026, 6, 30)


def test_what_was_not_graded_has_no_summary_and_no_explanation(world: World) -> None:
    with reading(world.engine) as connection:
        with pytest.raises(NotGradedError, match="run `yixin hub grade`"):
            summaries(connection, world.catalog, PERIOD, limit=20)
        with pytest.raises(NotGradedError, match="2026H1 was not graded yet"):
            explain(
                connection, world.catalog, vault=world.vault, subject=HOSPITALS[0], period=PERIOD
            )
    world.grade()
    with (
        reading(world.engine) as connection,
        pytest.raises(NotGradedError, match="has a grade of 'H1'"),
    ):
        explain(connection, world.catalog, vault=world.vault, subject="H1", period=PERIOD)
