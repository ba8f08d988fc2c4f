"""A reference is frozen by a complete grading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, func, select

from hub.errors import StatementsMissingError
from hub.grading import recompute, regrade
from hub.store.engine import reading, writing
from hub.store.grading_tables import grade_reference, grade_run, item_row
from tests.support.grading_world import CUSTODIAN, HOSPITALS, NOW, PERIOD

if TYPE_CHECKING:
    from sqlalchemy import Table

    from hub.grading import GradeReport, Recomputation
    from tests.support.grading_world import World


def count(world: World, table: Table) -> int:
    with reading(world.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


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


def is_frozen(world: World) -> bool:
    with reading(world.engine) as connection:
        (provisional,) = connection.execute(select(grade_reference.c.provisional)).scalars()
    return not provisional


def test_a_first_grading_waits_until_every_institution_stated_something(world: World) -> None:
    world.statements.clear()
    for code in HOSPITALS[2:]:
        world.state(code)
    named = rf"2 of 12 .*2026H1: {HOSPITALS[0]} \({CUSTODIAN}\), {HOSPITALS[1]} .*--incomplete"
    with pytest.raises(StatementsMissingError, match=named):
        world.grade()
    assert (count(world, grade_run), count(world, grade_reference)) == (0, 0)

    world.state(HOSPITALS[0])
    world.statements.state("interface", HOSPITALS[1], PERIOD.months[:1], messages=1)
    report = world.grade()
    assert (report.incomplete, report.silent, is_frozen(world)) == (False, 0, True)


def test_a_first_grading_waits_until_every_institution_has_a_custodian(world: World) -> None:
    world.entrust(*HOSPITALS[:-1])
    with pytest.raises(StatementsMissingError, match=f"1 of 12 .*{HOSPITALS[-1]} .in no custody"):
        world.grade()


def test_the_message_names_the_first_few_only(world: World) -> None:
    world.statements.clear()
    with pytest.raises(StatementsMissingError, match=r"12 of 12 .* and 7 more"):
        world.grade()


def test_an_incomplete_grading_freezes_nothing_and_the_complete_one_does(world: World) -> None:
    world.statements.clear()
    for code in HOSPITALS[6:]:
        world.state(code, visits=3000)
    early = world.grade(incomplete=True)
    assert (early.incomplete, early.silent, is_frozen(world)) == (True, 6, False)
    assert check(world).differing == ()
    assert not world.grade(incomplete=True).changed
    with pytest.raises(StatementsMissingError):
        world.grade()

    world.state_all()
    complete = world.grade()
    assert (complete.incomplete, complete.silent, is_frozen(world)) == (False, 0, True)
    assert complete.new_versions == len(HOSPITALS)
    assert check(world).differing == ()
    # From here on late or missing data make new versions and nobody is waited for.
    world.statements.clear()
    late = world.grade()
    assert (late.incomplete, late.changed, is_frozen(world)) == (False, True, True)


def test_a_grading_with_incomplete_that_lacks_nothing_freezes_the_reference(world: World) -> None:
    report = world.grade(incomplete=True)
    assert (report.incomplete, report.silent, is_frozen(world)) == (False, 0, True)


def test_a_silent_institution_is_waited_for_even_when_it_changes_no_result(world: World) -> None:
    world.entrust(*HOSPITALS[:-1])
    early = world.grade(incomplete=True)
    world.entrust(*HOSPITALS)
    report = world.grade()
    assert (report.changed, report.run_id, is_frozen(world)) == (False, early.run_id, True)


def test_a_reference_without_values_is_never_frozen(world: World) -> None:
    few = HOSPITALS[:2]
    with writing(world.engine) as connection:
        connection.execute(delete(item_row).where(item_row.c.subject.not_in(few)))
    report = world.grade()
    assert (report.graded, report.incomplete, is_frozen(world)) == (2, False, False)
    assert check(world).differing == ()
    assert not world.grade().changed


def test_an_appeal_after_an_incomplete_grading_keeps_the_peers_of_its_run(world: World) -> None:
    world.entrust(*HOSPITALS[:-1])
    world.grade(incomplete=True)
    world.take("09", PERIOD, [f"{HOSPITALS[0]},2026H1,50.00"])
    assert regrade_one(world, HOSPITALS[0]).new_versions == 1
    assert check(world).differing == ()
    assert not is_frozen(world)
