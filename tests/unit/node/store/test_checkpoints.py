"""A checkpoint for every day that added records, and none for the others."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from node.errors import StoreError
from node.store.checkpoints import Checkpoints
from security import merkle
from tests.support.leaf_trees import OpenTree, open_tree

MIDNIGHT = datetime(2026, 7, 1, 16, tzinfo=UTC)
"""Midnight between 1 and 2 July 2026, Asia/Shanghai."""


@pytest.fixture
def held(tmp_path: Path) -> OpenTree:
    return open_tree(tmp_path)


@pytest.fixture
def checkpoints(held: OpenTree) -> Checkpoints:
    return Checkpoints(held.connection, held.tree)


def test_a_day_is_closed_at_midnight_of_shanghai(held: OpenTree, checkpoints: Checkpoints) -> None:
    assert checkpoints.close_days(MIDNIGHT - timedelta(hours=9)) is None
    leaves = held.append(5)
    assert checkpoints.close_days(MIDNIGHT - timedelta(seconds=1)) is None
    closed = checkpoints.close_days(MIDNIGHT)
    assert closed is not None
    assert (closed.day, closed.size, closed.root) == (20260701, 5, merkle.root(leaves))
    assert checkpoints.last() == closed
    assert checkpoints.close_days(MIDNIGHT) is None


def test_a_checkpoint_holds_no_leaf_of_the_next_day(
    held: OpenTree, checkpoints: Checkpoints
) -> None:
    sizes = []
    for day in range(4):
        checkpoints.close_days(MIDNIGHT + timedelta(days=day))
        held.append(day + 1)
        sizes.append(held.tree.size)
        if day % 2:
            held.tree.settle()
    checkpoints.close_days(MIDNIGHT + timedelta(days=9))
    assert [one.size for one in checkpoints.after(0)] == sizes
    assert [one.day for one in checkpoints.after(0)] == [20260702, 20260703, 20260704, 20260705]
    assert [one.root for one in checkpoints.after(1)] == [
        held.tree.root(size) for size in sizes[1:]
    ]


def test_days_without_records_have_no_checkpoint(held: OpenTree, checkpoints: Checkpoints) -> None:
    checkpoints.close_days(MIDNIGHT)
    held.append(2)
    for day in range(1, 6):
        checkpoints.close_days(MIDNIGHT + timedelta(days=day))
    held.append(1)
    checkpoints.close_days(MIDNIGHT + timedelta(days=6))
    assert [(one.day, one.size) for one in checkpoints.after(0)] == [(20260702, 2), (20260707, 3)]


def test_a_clock_that_goes_back_closes_nothing(held: OpenTree, checkpoints: Checkpoints) -> None:
    checkpoints.close_days(MIDNIGHT)
    held.append(2)
    assert checkpoints.close_days(MIDNIGHT - timedelta(days=3)) is None
    held.append(2)
    closed = checkpoints.close_days(MIDNIGHT + timedelta(days=1))
    assert closed is not None
    assert (closed.day, closed.size) == (20260702, 4)


def test_records_from_before_belong_to_the_first_day(
    held: OpenTree, checkpoints: Checkpoints
) -> None:
    held.append(3)
    assert checkpoints.close_days(MIDNIGHT) is None
    closed = checkpoints.close_days(MIDNIGHT + timedelta(days=1))
    assert closed is not None
    assert (closed.day, closed.size) == (20260702, 3)


def test_a_leaf_is_covered_by_the_first_checkpoint_after_it(
    held: OpenTree, checkpoints: Checkpoints
) -> None:
    for day in range(3):
        checkpoints.close_days(MIDNIGHT + timedelta(days=day))
        held.append(2)
    assert [getattr(checkpoints.covering(seq), "size", None) for seq in range(6)] == [
        2,
        2,
        4,
        4,
        None,
        None,
    ]
    first = checkpoints.find(2)
    assert first is not None
    assert first.root == held.tree.root(2)
    assert checkpoints.find(3) is None


def test_a_day_whose_root_cannot_be_computed_stays_open(
    held: OpenTree, checkpoints: Checkpoints, tmp_path: Path
) -> None:
    checkpoints.close_days(MIDNIGHT)
    held.append(3)
    held.tree.settle()
    leaves = tmp_path / "tree" / "leaves"
    whole = leaves.read_bytes()
    leaves.write_bytes(b"")
    with pytest.raises(StoreError, match="restore the node's directory"):
        checkpoints.close_days(MIDNIGHT + timedelta(days=1))
    assert checkpoints.last() is None
    leaves.write_bytes(whole)
    assert checkpoints.close_days(MIDNIGHT + timedelta(days=1)) is not None
