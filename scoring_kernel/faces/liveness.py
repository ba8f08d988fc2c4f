"""Liveness (活体检测): does somebody stand there, or is it a print or a screen.

Rules:
- Three answers. Not checked: the face is too small, or too much of what the model wants to see
  lies outside of the picture. Where no model is installed, nobody asks it.
- Live: the class of the living is the likeliest, and likelier than the manifest's threshold.
  Everything else is a spoof.
- The model sees the surroundings of a face, where edges of paper and screens are.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.cropping import cut_square
from scoring_kernel.faces.examined import NOT_CHECKED, LivenessAnswer, LivenessCheck
from scoring_kernel.faces.manifest import LIVE, ModelKind, Normalisation
from scoring_kernel.faces.preprocessing import Preprocessing
from scoring_kernel.faces.sessions import Session, verify_bytes

if TYPE_CHECKING:
    import numpy.typing as npt

    from scoring_kernel.faces.arrays import Frame
    from scoring_kernel.faces.manifest import FaceModelManifest

LEAST_SIDE: Final = 64.0
"""Of the box of a face that is checked, pixels."""
LEAST_INSIDE: Final = 0.75
"""Part of the square that lies within the picture, at least."""
_E4: Final = 10_000
_SUM_TOLERANCE: Final = 1e-3


class LivenessModel:
    """A model of liveness, ready to run."""

    def __init__(
        self, manifest: FaceModelManifest, session: Session, square: float, threshold_e4: int
    ) -> None:
        """Use ``load``, which verifies the bytes."""
        self.manifest: Final = manifest
        self._session: Final = session
        self._square: Final = square
        self._threshold_e4: Final = threshold_e4
        self._live: Final = manifest.output.classes.index(LIVE)
        self._preprocessing: Final = Preprocessing(manifest.input)

    @classmethod
    def load(cls, manifest: FaceModelManifest, content: bytes) -> Self:
        """Open a model of liveness.

        Args:
            manifest: Of the model.
            content: The file.

        Returns:
            The model.

        Raises:
            FaceModelError: The file is another, damaged, or no such model.
        """
        verify_bytes(manifest, content, ModelKind.LIVENESS)
        square, threshold_e4 = manifest.crop.square, manifest.default_threshold_e4
        if square is None or threshold_e4 is None:
            raise FaceModelError(f"model {manifest.id}: its manifest has no square or threshold")
        output = manifest.output
        session = Session(manifest, content, {output.name: (1, output.size)})
        session.run_once()
        return cls(manifest, session, float(square), threshold_e4)

    def check(self, frame: Frame, box: tuple[float, float, float, float]) -> LivenessCheck:
        """Check a face.

        Args:
            frame: The picture.
            box: Left, top, width, height of the face in it.

        Returns:
            The answer and the probability of a living face.

        Raises:
            FaceModelError: The model fails, or gives no probabilities.
        """
        if not max(box[2:]) >= LEAST_SIDE:
            return NOT_CHECKED
        found = cut_square(frame, box, self._square, LEAST_INSIDE)
        if found is None:
            return NOT_CHECKED
        crop, _ = found
        row = self._session.run(self._preprocessing.tensor(crop))[0].astype(np.float64)
        shares = self._probabilities(row)
        live_e4 = floor(float(shares[self._live]) * _E4)
        others = np.delete(shares, self._live)
        is_live = live_e4 >= self._threshold_e4 and float(shares[self._live]) > float(others.max())
        answer = LivenessAnswer.LIVE if is_live else LivenessAnswer.SPOOF
        return LivenessCheck(answer=answer, live_e4=live_e4)

    def _probabilities(self, row: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if np.isfinite(row).all():
            if self.manifest.output.normalise is Normalisation.SOFTMAX:
                powers = np.exp(row - row.max())
                shares: npt.NDArray[np.float64] = powers / powers.sum()
                return shares
            if row.min() >= 0.0 and abs(float(row.sum()) - 1.0) <= _SUM_TOLERANCE:
                return row
        raise FaceModelError(
            f"model {self.manifest.id}: found numbers that are no probabilities: mend "
            "'normalise' in its manifest or take another model"
        )
