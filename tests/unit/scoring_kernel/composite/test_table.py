"""The input table of a composite model: what it refuses and what its digest names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scoring_kernel.composite import CompositeTable
from scoring_kernel.errors import KernelInputError
from tests.support.composite_models import composite_table

TABLE = composite_table([[1, None, 0.0, 4], [None, -2, 3, 5]])


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1.1e12, -1e300])
def test_infinity_and_values_too_large_are_refused_by_subject_and_measure(value: float) -> None:
    with pytest.raises(KernelInputError, match="subject s1, measure S1: found") as caught:
        composite_table([[1, None, 0.0, 4], [None, -2, value, 5]])
    assert "or nothing where it was not reported" in str(caught.value)


def test_nothing_is_not_a_number_and_is_accepted() -> None:
    assert np.isnan(TABLE.values).sum() == 2


def test_duplicates_and_an_empty_table_are_refused() -> None:
    with pytest.raises(KernelInputError, match="subject s0 appears twice: keep one"):
        replace(TABLE, subjects=("s0", "s0"))
    with pytest.raises(KernelInputError, match="measure S1 appears twice: keep one"):
        replace(TABLE, measures=("O1", "S1", "S1", "P1"))
    with pytest.raises(KernelInputError, match="found no subject"):
        replace(TABLE, subjects=())


def test_shapes_and_types_must_fit() -> None:
    with pytest.raises(KernelInputError, match=r"values \(2, 3\) of float64, expected \(2, 4\)"):
        replace(TABLE, values=TABLE.values[:, :3])
    with pytest.raises(KernelInputError, match="of float32, expected"):
        replace(TABLE, values=TABLE.values.astype(np.float32))
    with pytest.raises(KernelInputError, match=r"cases \(2, 4\) of int32, expected \(2, 4\)"):
        replace(TABLE, cases=np.zeros((2, 4), np.int32))
    with pytest.raises(KernelInputError, match=r"cases \(4,\) of int64"):
        replace(TABLE, cases=np.zeros(4, np.int64))


def test_negative_cases_are_refused() -> None:
    cases = np.zeros((2, 4), np.int64)
    cases[1, 3] = -1
    with pytest.raises(KernelInputError, match="subject s1, measure P1: found -1 cases"):
        replace(TABLE, cases=cases)


def test_the_digest_depends_on_what_was_reported_alone() -> None:
    order = [3, 1, 0, 2]
    turned = CompositeTable(
        subjects=TABLE.subjects,
        measures=tuple(TABLE.measures[at] for at in order),
        values=np.asfortranarray(TABLE.values[:, order]),
    )
    assert turned.digest() == TABLE.digest()
    values = TABLE.values.copy()
    values[0, 1] = -values[0, 1]
    values[0, 2] = -0.0
    assert replace(TABLE, values=values).digest() == TABLE.digest()


def test_the_digest_names_every_subject_measure_value_and_case() -> None:
    changed = TABLE.values.copy()
    changed[0, 0] = np.nextafter(1.0, 2.0)
    unreported = TABLE.values.copy()
    unreported[0, 2] = np.nan
    counted = replace(TABLE, cases=np.full((2, 4), 30))
    recounted = replace(TABLE, cases=np.full((2, 4), 31))
    digests = [
        TABLE.digest(),
        replace(TABLE, values=changed).digest(),
        replace(TABLE, values=unreported).digest(),
        replace(TABLE, subjects=("s0", "s2")).digest(),
        replace(TABLE, measures=("O1", "O2", "S1", "P2")).digest(),
        counted.digest(),
        recounted.digest(),
    ]
    assert len(set(digests)) == len(digests)
