"""Comparing face vectors (人脸比对): one with one, and one with many, exactly.

Rules:
- A score is the cosine of two unit vectors, computed in float64, told in ten-thousandths and
  rounded down; a threshold is rounded up. So no rounding ever lets a pair pass.
- A search reads all rows in float32 once, and computes the few that may pass again in float64:
  its answer is that of comparing each row by itself.
- What comes from a wire or a file is a unit vector of finite numbers, or is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from scoring_kernel.errors import TemplateMismatchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.faces.arrays import FloatMatrix, FloatVector

ONE_E4: Final = 10_000
"""The score of a vector with itself, but for rounding."""
UNIT_TOLERANCE: Final = 1e-3
"""How far from 1 the length of a unit vector may be; float32 and transforms lose 1e-6."""
_BLOCK_ROWS: Final = 8192
_FEW: Final = 1024


def score_e4(probe: FloatVector, template: FloatVector) -> int:
    """Compare two vectors (相似度).

    Args:
        probe: Unit vector, shape (d,).
        template: Unit vector of the same model and transform, shape (d,).

    Returns:
        Cosine in ten-thousandths, rounded down, -10000 to 10000.

    Raises:
        TemplateMismatchError: They are not two vectors of one length, or hold no numbers.

    >>> score_e4(np.array([0.6, 0.8], np.float32), np.array([1, 0], np.float32))
    6000
    """
    if probe.ndim != 1 or probe.shape != template.shape:
        raise _mismatch(f"vectors of shapes {probe.shape} and {template.shape}")
    score = float(_scores(template[None], probe)[0])
    if not np.isfinite(score):
        raise _mismatch("a vector with values that are no numbers")
    return _floor_e4(score)


def pack_vector(vector: FloatVector) -> bytes:
    """Write a vector: float32, little-endian, 4·d bytes."""
    return vector.astype("<f4").tobytes()


def parse_vector(content: bytes, dimension: int) -> FloatVector:
    """Read a vector from a wire or a file.

    Args:
        content: float32, little-endian.
        dimension: Length d that its model has.

    Returns:
        Unit vector, shape (d,), read-only.

    Raises:
        TemplateMismatchError: Another length, values that are no numbers, or not of unit length.
    """
    if len(content) != 4 * dimension:
        raise _mismatch(f"{len(content)} bytes, expected {4 * dimension}")
    vector = np.frombuffer(content, "<f4").astype(np.float32, copy=False)
    verify_units(vector[None])
    return vector


def verify_units(rows: FloatMatrix) -> FloatMatrix:
    """Verify that every row is a unit vector.

    Returns:
        The rows.

    Raises:
        TemplateMismatchError: A row is not of unit length, or holds values that are no numbers.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.square(rows, dtype=np.float64).sum(axis=1))
        # A length that is no number is not near 1 either.
        wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= UNIT_TOLERANCE))
    if wrong.size:
        row = int(wrong[0])
        raise _mismatch(f"a vector of length {float(lengths[row]):.4g} (row {row}), expected 1")
    return rows


class Gallery:
    """Vectors of one model and one transform, searched for the nearest (一对多检索)."""

    def __init__(self, matrix: FloatMatrix, ids: Sequence[bytes]) -> None:
        """Take the vectors.

        Args:
            matrix: Unit vectors, float32, shape (n, d); kept, not copied, and never written to.
            ids: Whose they are, n of them.

        Raises:
            TemplateMismatchError: Not as many ids as rows, or not float32.
        """
        if matrix.ndim != 2 or matrix.dtype != np.float32 or len(ids) != matrix.shape[0]:
            found = f"{len(ids)} ids for an array {matrix.dtype} of shape {matrix.shape}"
            raise _mismatch(found)
        self._matrix: Final = matrix
        self._ids: Final = ids

    def __len__(self) -> int:
        return len(self._ids)

    def search(
        self, probe: FloatVector, threshold_e4: int, limit: int
    ) -> tuple[tuple[bytes, int], ...]:
        """Find the rows at or over a threshold.

        Args:
            probe: Unit vector, shape (d,).
            threshold_e4: Ten-thousandths, rounded up.
            limit: Most answers, at least 1.

        Returns:
            Ids and scores in ten-thousandths, best first; equal ones by id.

        Raises:
            TemplateMismatchError: The probe has another length, or is no unit vector.
        """
        if limit < 1:
            raise ValueError(f"found limit {limit}, expected at least 1")
        count, dimension = self._matrix.shape
        if probe.shape != (dimension,):
            raise _mismatch(f"a probe of shape {probe.shape}, expected ({dimension},)")
        verify_units(probe[None])
        rough = self._matrix @ probe.astype(np.float32, copy=False)
        # The error of a sum of d products of unit vectors in float32 is below d times its unit.
        margin = dimension * float(np.finfo(np.float32).eps)
        near = np.flatnonzero(rough >= threshold_e4 / ONE_E4 - margin)
        if near.size > max(_FEW, limit):
            least = float(np.partition(rough, count - limit)[count - limit])
            near = near[rough[near] >= least - 2 * margin]
        found: list[tuple[float, bytes]] = []
        for begin in range(0, near.size, _BLOCK_ROWS):
            rows = near[begin : begin + _BLOCK_ROWS]
            exact = _scores(self._matrix[rows], probe).tolist()
            found += [
                (score, self._ids[row])
                for score, row in zip(exact, rows.tolist(), strict=True)
                if _floor_e4(score) >= threshold_e4
            ]
        found.sort(key=lambda one: (-one[0], one[1]))
        return tuple((who, _floor_e4(score)) for score, who in found[:limit])


def _scores(rows: FloatMatrix, probe: FloatVector) -> npt.NDArray[np.float64]:
    # Row by row in one order of summing, so that a row's score does not depend on its place.
    scores: npt.NDArray[np.float64] = (rows * probe.astype(np.float64)).sum(axis=1)
    return scores


def _floor_e4(score: float) -> int:
    return max(-ONE_E4, min(ONE_E4, int(np.floor(score * ONE_E4))))


def _mismatch(found: str) -> TemplateMismatchError:
    return TemplateMismatchError(
        f"found {found}: compare vectors of one model and one transform, or enrol again"
    )
