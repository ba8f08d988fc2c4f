"""Overrides that cannot be judged, because what states their event was not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.grading import explain, grade, regrade
from hub.store.engine import reading
from scoring_kernel.periods import Period
from tests.support.class_world import COUNT, NURSES, populate, take
from tests.support.grading_world import NOW, World

if TYPE_CHECKING:
    from hub.grading import Explanation, GradeReport

LATER = Period.parse("2026H2")
"""A period for which nothing but the registers, which have no period, was imported."""


@pytest.fixture
def city(world: World) -> World:
    populate(world)
    return world


def graded(world: World) -> GradeReport:
    (report,) = grade(
        world.engine,
        world.statements,
        world.catalog,
        vault=world.vault,
        period=LATER,
        now=NOW,
        subject_class="nurse",
    ).classes
    return report


def explained(world: World) -> Explanation:
    with reading(world.engine) as connection:
        return explain(
            connection,
            world.catalog,
            vault=world.vault,
            subject=NURSES[0],
            period=LATER,
            subject_class="nurse",
        )


def test_where_all_was_imported_every_override_is_judged(city: World) -> None:
    report = city.grade(subject_class="nurse")
    assert (report.undetermined, report.not_imported) == (0, ())


def test_a_run_names_the_items_that_were_not_imported(city: World) -> None:
    report = graded(city)
    assert report.undetermined == COUNT
    items = {one.item: one.name_zh for one in report.not_imported}
    assert items == {number: city.catalog.items[number].name_zh for number in ("l02", "s03", "s04")}
    assert {item for one in explained(city).undetermined for item in one.unknown} == set(items)


def test_an_empty_file_is_enough_to_judge(city: World) -> None:
    for number in ("l02", "s03"):
        take(city, number, LATER, [])
    report = graded(city)
    assert [one.item for one in report.not_imported] == ["s04"]
    take(city, "s04", LATER, [])
    report = graded(city)
    assert (report.undetermined, report.not_imported) == (0, ())
    assert explained(city).undetermined == ()


def test_one_subject_graded_again_counts_alone(city: World) -> None:
    graded(city)
    report = regrade(
        city.engine,
        city.statements,
        city.catalog,
        vault=city.vault,
        subject=NURSES[0],
        period=LATER,
        now=NOW,
        subject_class="nurse",
    )
    assert (report.undetermined, len(report.not_imported)) == (1, 3)
