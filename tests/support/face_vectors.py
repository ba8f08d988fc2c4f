"""Unit vectors, as a model of faces gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatMatrix, FloatVector


def unit(*values: float) -> FloatVector:
    """The unit vector in a direction."""
    row = np.array(values, np.float64)
    vector: FloatVector = (row / np.linalg.norm(row)).astype(np.float32)
    return vector


def units(count: int, dimension: int, seed: int = 1) -> FloatMatrix:
    """Random unit vectors, shape (count, dimension): strangers."""
    rng = np.random.default_rng(seed)  # noqa: TID251  # a seeded test
    rows = rng.standard_normal((count, dimension))
    vectors: FloatMatrix = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return vectors
