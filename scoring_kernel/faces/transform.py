"""Keyed orthogonal transform of face vectors (正交变换): matching stays, links go.

What it gives: a vector multiplied by an orthogonal matrix keeps its cosine with every other
vector multiplied by the same matrix, so templates are compared as they lie. Under another key
the same face looks like a stranger's, so a lost set of templates is revoked with its key, and
templates of two nodes cannot be linked.

What it does not give: secrecy. Who knows as many vectors in both forms as a vector has numbers
solves for the matrix exactly; it is no cryptographic construction. Secrecy of templates is the
work of the encryption around them.

Rules:
- The matrix is drawn from the key alone, uniformly among the orthogonal ones (Haar): SHAKE-256
  of label and key, Box and Muller's normal numbers, QR, signs of the diagonal of R.
- It is applied in float64; vectors are stored in float32.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.errors import TemplateMismatchError

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import DoubleMatrix, FloatMatrix

KEY_BYTES: Final = 32
"""Length of a key, bytes."""
MAX_DIMENSION: Final = 2048
"""Longest vector of any model."""
_LABEL: Final = b"yixin/face-transform/v1"


def transform_matrix(key: bytes, dimension: int) -> DoubleMatrix:
    """Draw the matrix of a key.

    Args:
        key: 32 random bytes.
        dimension: Length d of the vectors, 2 to ``MAX_DIMENSION``.

    Returns:
        Orthogonal matrix, float64, shape (d, d).

    Raises:
        ValueError: The key is not of its length, or the dimension out of range.

    Source:
        F. Mezzadri, How to generate random matrices from the classical compact groups (2007);
        G. E. P. Box, M. E. Muller, A note on the generation of random normal deviates (1958).

    >>> matrix = transform_matrix(bytes(32), 8)
    >>> bool(np.allclose(matrix @ matrix.T, np.eye(8)))
    True
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"found a key of {len(key)} bytes, expected {KEY_BYTES}")
    if not 2 <= dimension <= MAX_DIMENSION:
        raise ValueError(f"found dimension {dimension}, expected 2 to {MAX_DIMENSION}")
    count = dimension * dimension
    stream = hashlib.shake_256(
        len(_LABEL).to_bytes(8, "big") + _LABEL + dimension.to_bytes(8, "big") + key
    ).digest(16 * count)
    # 53 bits each, in [0, 1).
    uniform = (np.frombuffer(stream, "<u8") >> np.uint64(11)).astype(np.float64) * 2.0**-53
    radius = np.sqrt(-2.0 * np.log1p(-uniform[:count]))
    normal = (radius * np.cos(2.0 * np.pi * uniform[count:])).reshape(dimension, dimension)
    orthogonal, triangle = np.linalg.qr(normal)
    matrix: DoubleMatrix = orthogonal * np.where(np.diag(triangle) < 0.0, -1.0, 1.0)
    return matrix


def rekey_matrix(old: DoubleMatrix, new: DoubleMatrix) -> DoubleMatrix:
    """Make the matrix that takes vectors from one key to the next.

    Args:
        old: Matrix of the key that the vectors are under, shape (d, d).
        new: Matrix of the next key, shape (d, d).

    Returns:
        Orthogonal matrix, shape (d, d).

    Raises:
        TemplateMismatchError: They are of different lengths of vectors.
    """
    if old.shape != new.shape:
        raise TemplateMismatchError(
            f"found transforms of shapes {old.shape} and {new.shape}, expected one shape: "
            "take the transforms of one model"
        )
    return new @ old.T


def protect(vectors: FloatMatrix, matrix: DoubleMatrix) -> FloatMatrix:
    """Put vectors under a transform.

    Args:
        vectors: One a row, shape (n, d).
        matrix: Orthogonal matrix, shape (d, d).

    Returns:
        The vectors, transformed, float32, shape (n, d).

    Raises:
        TemplateMismatchError: The vectors have another length than the transform.
    """
    if vectors.ndim != 2 or vectors.shape[1] != matrix.shape[0]:
        raise TemplateMismatchError(
            f"found vectors of shape {vectors.shape}, expected rows of {matrix.shape[0]}: "
            "take the transform of their model"
        )
    return (vectors.astype(np.float64) @ matrix.T).astype(np.float32)
