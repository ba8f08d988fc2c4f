from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.errors import LogCorruptError
from security.tlog.tiles import (
    WIDTH,
    bundle_name,
    join_entries,
    split_entries,
    split_hashes,
    tile_name,
    width_at,
)


@pytest.mark.parametrize(
    ("level", "index", "width", "name"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 999, 256, "tile/0/999"),
        (0, 1000, 256, "tile/0/x001/000"),
        (3, 1234067, 256, "tile/3/x001/x234/067"),
        (0, 1234067, 8, "tile/0/x001/x234/067.p/8"),
    ],
)
def test_names_are_those_of_the_standard(level: int, index: int, width: int, name: str) -> None:
    assert tile_name(level, index, width) == name


def test_bundles_lie_beside_the_levels() -> None:
    assert bundle_name(1000) == "tile/entries/x001/000"


@given(st.lists(st.binary(max_size=400), max_size=WIDTH))
def test_entries_come_out_as_they_went_in(entries: list[bytes]) -> None:
    assert split_entries(join_entries(entries), len(entries), "x") == tuple(entries)


@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_are_entries_or_our_error(content: bytes, width: int) -> None:
    try:
        entries = split_entries(content, width, "x")
    except LogCorruptError:
        return
    assert join_entries(entries) == content


def test_an_entry_that_is_too_long_is_refused() -> None:
    with pytest.raises(LogCorruptError, match="65535"):
        join_entries([bytes(65_536)])


def test_a_tile_of_another_length_is_refused() -> None:
    with pytest.raises(LogCorruptError, match="expected 64"):
        split_hashes(bytes(63), 2, "tile/0/000.p/2")


def test_widths_follow_from_the_size() -> None:
    assert [width_at(0, 0, size) for size in (0, 1, 255, 256, 257)] == [0, 1, 255, 256, 256]
    assert [width_at(1, 0, size) for size in (255, 256, 65_536, 65_537)] == [0, 1, 256, 256]
