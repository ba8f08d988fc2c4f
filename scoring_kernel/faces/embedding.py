"""Face vectors (人脸特征提取): an aligned crop becomes a unit vector.

Rules:
- Which model, fed how, is the manifest's; every model of one input and one vector runs by it.
- A vector has finite numbers and length 1, or the model is refused: a zero would match nothing
  and a NaN would make comparing silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np

from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.preprocessing import Preprocessing
from scoring_kernel.faces.sessions import Session, verify_bytes

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import FloatVector, Frame
    from scoring_kernel.faces.manifest import FaceModelManifest

_LEAST_LENGTH: Final = 1e-6


class Embedder:
    """A model that makes vectors, ready to run."""

    def __init__(self, manifest: FaceModelManifest, session: Session) -> None:
        """Use ``load``, which verifies the bytes."""
        self.manifest: Final = manifest
        self._session: Final = session
        self._preprocessing: Final = Preprocessing(manifest.input)

    @classmethod
    def load(cls, manifest: FaceModelManifest, content: bytes) -> Self:
        """Open a model of vectors.

        Args:
            manifest: Of the model.
            content: The file.

        Returns:
            The model.

        Raises:
            FaceModelError: The file is another, damaged, or no such model.
        """
        verify_bytes(manifest, content, ModelKind.EMBEDDING)
        output = manifest.output
        session = Session(manifest, content, {output.name: (1, output.size)})
        session.run_once()
        return cls(manifest, session)

    def embed(self, aligned: Frame) -> FloatVector:
        """Make the vector of a face.

        Args:
            aligned: Crop of ``alignment.align``, shape (112, 112, 3).

        Returns:
            Unit vector, float32, shape (d,).

        Raises:
            FaceModelError: The model fails, or gives no vector of finite numbers.
        """
        row = self._session.run(self._preprocessing.tensor(aligned))[0].astype(np.float64)
        length = float(np.sqrt(np.square(row).sum()))
        if not _LEAST_LENGTH < length < np.inf:
            raise FaceModelError(
                f"model {self.manifest.id}: found a vector of length {length:.3g}, expected a "
                "finite one above 0: take another model"
            )
        vector: FloatVector = (row / length).astype(np.float32)
        return vector
