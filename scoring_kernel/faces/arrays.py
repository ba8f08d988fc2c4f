"""Arrays that faces are handed on in: pictures, vectors and tables of vectors."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Frame: TypeAlias = npt.NDArray[np.uint8]
"""A picture, shape (height, width, 3), channels blue, green, red."""
FloatVector: TypeAlias = npt.NDArray[np.float32]
"""A face vector (人脸特征向量), shape (d,), of unit length."""
FloatMatrix: TypeAlias = npt.NDArray[np.float32]
"""Face vectors, one a row, shape (n, d); or five points, shape (5, 2)."""
DoubleMatrix: TypeAlias = npt.NDArray[np.float64]
"""Where more digits are needed: transforms, shape (d, d)."""
DoubleVector: TypeAlias = npt.NDArray[np.float64]
"""Numbers of one row or of one point, shape (n,)."""
