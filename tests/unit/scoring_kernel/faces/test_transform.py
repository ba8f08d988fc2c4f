from __future__ import annotations

import hashlib

import numpy as np
import pytest

from scoring_kernel.errors import TemplateMismatchError
from scoring_kernel.faces.transform import protect, rekey_matrix, transform_matrix
from tests.support.face_vectors import units

KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.mark.parametrize("dimension", [2, 128, 512])
def test_the_matrix_is_orthogonal(dimension: int) -> None:
    matrix = transform_matrix(KEY, dimension)
    assert np.abs(matrix @ matrix.T - np.eye(dimension)).max() < 1e-13


def test_a_key_gives_one_matrix_and_another_key_or_length_another() -> None:
    matrix = transform_matrix(KEY, 16)
    assert np.array_equal(transform_matrix(KEY, 16), matrix)
    assert np.abs(transform_matrix(OTHER, 16) - matrix).max() > 0.1
    assert np.abs(transform_matrix(KEY, 17)[:16, :16] - matrix).max() > 0.1


def test_the_matrix_is_the_published_construction() -> None:
    # Written again from the docstring, with a plain loop instead of whole arrays.
    dimension, label = 4, b"yixin/face-transform/v1"
    seed = len(label).to_bytes(8, "big") + label + dimension.to_bytes(8, "big") + KEY
    stream = hashlib.shake_256(seed).digest(16 * 16)
    words = [int.from_bytes(stream[at : at + 8], "little") for at in range(0, 256, 8)]
    uniform = [(word >> 11) / 2**53 for word in words]
    normal = [
        np.sqrt(-2 * np.log(1 - a)) * np.cos(2 * np.pi * b)
        for a, b in zip(uniform[:16], uniform[16:], strict=True)
    ]
    orthogonal, triangle = np.linalg.qr(np.array(normal).reshape(4, 4))
    expected = orthogonal @ np.diag(np.sign(np.diag(triangle)))
    assert np.abs(transform_matrix(KEY, 4) - expected).max() < 1e-12


def test_matching_is_as_it_was_before_the_transform() -> None:
    rows = units(200, 128)
    moved = protect(rows, transform_matrix(KEY, 128))
    assert moved.dtype == np.float32
    assert np.abs(moved @ moved.T - rows @ rows.T).max() < 2e-6


def test_vectors_under_two_keys_look_like_strangers() -> None:
    rows = units(1000, 128)
    one = protect(rows, transform_matrix(KEY, 128))
    other = protect(rows, transform_matrix(OTHER, 128))
    cosines = (one * other).sum(axis=1)
    assert abs(float(cosines.mean())) < 0.05
    assert float(cosines.std()) < 0.15  # Strangers: 0.088.


def test_vectors_go_from_one_key_to_the_next() -> None:
    rows = units(50, 32)
    first, second = transform_matrix(KEY, 32), transform_matrix(OTHER, 32)
    moved = protect(protect(rows, first), rekey_matrix(first, second))
    assert np.abs(moved - protect(rows, second)).max() < 1e-6


def test_it_is_not_secrecy() -> None:
    rows = units(32, 32)
    moved = protect(rows, transform_matrix(KEY, 32))
    found = np.linalg.solve(rows.astype(np.float64), moved.astype(np.float64)).T
    assert np.abs(found - transform_matrix(KEY, 32)).max() < 1e-2


@pytest.mark.parametrize(("key", "dimension"), [(b"short", 8), (KEY, 1), (KEY, 2049)])
def test_a_key_or_length_out_of_bounds_is_the_callers_fault(key: bytes, dimension: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        transform_matrix(key, dimension)


def test_vectors_of_another_length_are_refused() -> None:
    matrix = transform_matrix(KEY, 8)
    with pytest.raises(TemplateMismatchError, match="expected rows of 8"):
        protect(units(3, 4), matrix)
    with pytest.raises(TemplateMismatchError, match="expected rows of 8"):
        protect(units(3, 8)[0], matrix)
    with pytest.raises(TemplateMismatchError, match="one shape"):
        rekey_matrix(matrix, transform_matrix(KEY, 9))
