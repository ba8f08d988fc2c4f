"""From a picture to what is known of the person in it (人脸核验流程), one step after the other.

0. The picture is one of a size that is looked at.
1. Faces are found; the largest is the one in front of the camera, and is looked at again.
2. It is aligned and measured.
3. Without a fault, its vector is made.
4. It is checked for liveness, on the picture itself, not on the crop; also where it is turned or
   covered, for a print held askew is a print. A small, dark or blurred picture is not checked.

Rules:
- ``digest`` names models, gate and this program's way of joining them: a threshold that was
  calibrated for one digest says nothing about another.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.alignment import align
from scoring_kernel.faces.decoding import UNREADABLE, verify_frame
from scoring_kernel.faces.examined import NOT_CHECKED, Examined, ImageFault
from scoring_kernel.faces.measuring import measure
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.quality import NO_FACE, GateGroup, find_fault

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import Frame
    from scoring_kernel.faces.detection import FaceDetector
    from scoring_kernel.faces.embedding import Embedder
    from scoring_kernel.faces.liveness import LivenessModel
    from scoring_kernel.faces.quality import QualityGate

VERSION: Final = 1
"""Of the steps above; another number wherever they give other vectors or answers."""
LEAST_SIDE: Final = 96
"""Longest side of a picture that is looked at, pixels: below it detection is unstable."""
_CHECKED: Final = frozenset((None, ImageFault.POSE, ImageFault.OCCLUDED))
"""Faults with which a face is checked for liveness; None: without a fault."""


class FacePipeline:
    """The models of a device, joined; for one thread at a time."""

    def __init__(
        self,
        detector: FaceDetector,
        embedder: Embedder,
        liveness: LivenessModel | None,
        gate: QualityGate,
    ) -> None:
        """Join models.

        Args:
            detector: Finds faces.
            embedder: Makes vectors.
            liveness: Checks for liveness; None: nothing is checked.
            gate: Limits of quality.
        """
        self._detector: Final = detector
        self._embedder: Final = embedder
        self._liveness: Final = liveness
        self.gate: Final = gate
        self.embedding: Final = embedder.manifest
        self.model: Final = embedder.manifest.sha256
        models = [detector.manifest, embedder.manifest]
        if liveness is not None:
            models.append(liveness.manifest)
        digest = hashlib.sha256(VERSION.to_bytes(4, "big"))
        for part in [*(model.to_json() for model in models), gate.to_json()]:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        self.digest: Final = digest.digest()

    def examine(self, frame: Frame) -> Examined:
        """Examine a picture.

        Args:
            frame: Blue, green, red, shape (height, width, 3).

        Returns:
            What it said.

        Raises:
            FaceImageError: No picture of a size that is looked at.
            FaceModelError: A model fails.
        """
        try:
            return self._examine(np.ascontiguousarray(verify_frame(frame)))
        except cv2.error as error:
            raise FaceImageError(
                UNREADABLE, f"OpenCV cannot read this picture (code {error.code}): take another"
            ) from error

    def _examine(self, frame: Frame) -> Examined:
        longest = max(frame.shape[:2])
        if GateGroup.SIZE not in self.gate.off and longest < LEAST_SIDE:
            return Examined(
                faces=0,
                fault=ImageFault.TOO_SMALL,
                problem=f"found a picture of {longest} pixels, expected at least {LEAST_SIDE} on "
                "its longest side: take a larger one",
            )
        faces = sorted(self._detector.detect(frame), key=lambda face: -face.side)
        if not faces:
            return Examined(faces=0, fault=ImageFault.NO_FACE, problem=NO_FACE)
        face = self._detector.look_closer(frame, faces[0])
        crop = align(frame, face.points)
        second_share = faces[1].side / face.side if len(faces) > 1 else 0.0
        quality = measure(face, crop, second_share)
        fault, problem = find_fault(quality, self.gate) or (None, "")
        liveness = NOT_CHECKED
        if self._liveness is not None and fault in _CHECKED:
            liveness = self._liveness.check(frame, face.box)
        return Examined(
            faces=len(faces),
            fault=fault,
            problem=problem,
            quality=quality,
            face=face,
            vector=None if fault is not None else self._embedder.embed(crop),
            liveness=liveness,
        )
