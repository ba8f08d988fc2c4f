"""A damaged model file is a model or an error that names a line of it, never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_kernel.errors import CatalogError
from scoring_kernel.model import RatingModel
from tests.support.kernel_models import SMALL_FILE, SMALL_MODEL, TINY_FILE, TINY_MODEL, model_of

LINES = {
    TINY_FILE: TINY_MODEL.splitlines(keepends=True),
    SMALL_FILE: SMALL_MODEL.splitlines(keepends=True),
}
VALUES = st.sampled_from(
    ("null", "{}", "[]", "true", '"0"', '"-1"', "1", '"1000000000000"', "2026-01-01", "x y", '""')
)


def refuse_or_read(file: str, text: str) -> None:
    found = read(file, text)
    if isinstance(found, RatingModel):
        assert sum(one.weight_centi for one in found.indicators) == found.total_centi
        return
    assert found.file == file
    assert 1 <= found.line <= text.count("\n") + 1
    assert found.problem


def read(file: str, text: str) -> RatingModel | CatalogError:
    try:
        return model_of(text, file)
    except CatalogError as error:
        return error


@pytest.mark.parametrize("file", LINES, ids=["tiny", "small"])
def test_without_any_one_line(file: str) -> None:
    lines = LINES[file]
    for place in range(len(lines)):
        refuse_or_read(file, "".join(lines[:place] + lines[place + 1 :]))


@settings(max_examples=120, deadline=None)
@given(file=st.sampled_from(sorted(LINES)), place=st.integers(0, 10_000), value=VALUES)
def test_with_any_one_value_exchanged(file: str, place: int, value: str) -> None:
    lines = list(LINES[file])
    place %= len(lines)
    key, colon, _ = lines[place].partition(":")
    lines[place] = f"{key}{colon} {value}\n"
    refuse_or_read(file, "".join(lines))


@settings(max_examples=60, deadline=None)
@given(
    file=st.sampled_from(sorted(LINES)),
    first=st.integers(0, 10_000),
    second=st.integers(0, 10_000),
)
def test_with_any_two_lines_exchanged(file: str, first: int, second: int) -> None:
    lines = list(LINES[file])
    first, second = first % len(lines), second % len(lines)
    lines[first], lines[second] = lines[second], lines[first]
    refuse_or_read(file, "".join(lines))
