"""Finding faces (人脸检测) with YuNet through OpenCV's ``FaceDetectorYN``.

Rules:
- The model comes as bytes. ONNX Runtime opens it first: it refuses a damaged file cleanly.
- A picture is looked at with its longest side at most ``work_side``; boxes and points are told
  in the pixels of the picture as it came.
- One detector object per size: OpenCV 5 is not asked to change the size of one.
- Faces come by score, best first; a row without extent or with a value that is no number is
  no face.

Source:
    W. Wu, H. Peng, S. Yu, YuNet: a tiny millisecond-level face detector (2023).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from scoring_kernel.errors import FaceModelError
from scoring_kernel.faces.cropping import cut_square
from scoring_kernel.faces.decoding import verify_frame
from scoring_kernel.faces.examined import DetectedFace
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.sessions import Session, verify_bytes

if TYPE_CHECKING:
    from scoring_kernel.faces.arrays import DoubleVector, Frame
    from scoring_kernel.faces.manifest import DetectorSpec, FaceModelManifest

_OUTPUTS: Final = tuple(
    f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)
)
_MOST_SIZES: Final = 4
_E4: Final = 10_000
CLOSER_SIDE: Final = 256
"""Of the square of a second look, pixels."""
CLOSER_FACE: Final = 192
"""Longest side of the face in it, pixels."""
_LEAST_INSIDE: Final = 0.5
_MOST_SHIFT: Final = 0.25
"""How far a side of the box may be elsewhere in a second look, of the longest side."""
_LINEAR_SHRINK: Final = 2.0
"""Up to this factor neighbours are weighed; beyond it all pixels are averaged."""


class FaceDetector:
    """A detector of faces, ready to look."""

    def __init__(self, manifest: FaceModelManifest, spec: DetectorSpec, content: bytes) -> None:
        """Use ``load``, which verifies the bytes."""
        self.manifest: Final = manifest
        self._spec: Final = spec
        self._content: Final = np.frombuffer(content, np.uint8)
        self._by_size: Final[OrderedDict[tuple[int, int], cv2.FaceDetectorYN]] = OrderedDict()

    @classmethod
    def load(cls, manifest: FaceModelManifest, content: bytes) -> Self:
        """Open a detector.

        Args:
            manifest: Of the model.
            content: The file.

        Returns:
            The detector.

        Raises:
            FaceModelError: The file is another, damaged, or no such model.
        """
        verify_bytes(manifest, content, ModelKind.DETECTOR)
        if manifest.detector is None:
            raise FaceModelError(f"model {manifest.id}: its manifest has no detector section")
        Session(manifest, content, dict.fromkeys(_OUTPUTS))
        detector = cls(manifest, manifest.detector, content)
        side = manifest.detector.work_side
        detector.detect(np.zeros((side, side, 3), np.uint8))
        return detector

    def detect(self, frame: Frame) -> tuple[DetectedFace, ...]:
        """Find the faces of a picture.

        Args:
            frame: Blue, green, red, shape (height, width, 3).

        Returns:
            The faces, the surest first.

        Raises:
            FaceImageError: No picture of a size that is looked at.
            FaceModelError: OpenCV cannot run the model.
        """
        height, width = verify_frame(frame).shape[:2]
        shrink = max(1.0, max(height, width) / self._spec.work_side)
        size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        seen = frame
        if shrink > 1.0:
            way = cv2.INTER_LINEAR if shrink <= _LINEAR_SHRINK else cv2.INTER_AREA
            seen = np.asarray(cv2.resize(frame, size, interpolation=way), np.uint8)
        factors = np.array((width / size[0], height / size[1]))
        return self._found(seen, factors, np.zeros(2))

    def look_closer(self, frame: Frame, face: DetectedFace) -> DetectedFace:
        """Find the points of a face again, always with the face at one size.

        The points of so small a model wander with the size at which it sees a face, by a tenth
        of the face and more; seen at one size, they stay.

        Args:
            frame: The picture in which it was found.
            face: As it was found.

        Returns:
            The face with better points; as it was where the picture was not made smaller for
            detection, or where a second look does not find it in its place.

        Raises:
            FaceModelError: OpenCV cannot run the model.
        """
        if max(frame.shape[:2]) <= self._spec.work_side:
            return face
        found = cut_square(frame, face.box, CLOSER_SIDE / CLOSER_FACE, _LEAST_INSIDE)
        if found is None:
            return face
        crop, corner = found
        factor = crop.shape[0] / CLOSER_SIDE
        way = cv2.INTER_LINEAR if factor <= _LINEAR_SHRINK else cv2.INTER_AREA
        seen = cv2.resize(crop, (CLOSER_SIDE, CLOSER_SIDE), interpolation=way)
        again = self._found(np.asarray(seen, np.uint8), np.full(2, factor), np.array(corner))
        most = face.side * _MOST_SHIFT
        for one in again:
            if all(abs(a - b) <= most for a, b in zip(_corners(one), _corners(face), strict=True)):
                return replace(face, points=one.points)
        return face

    def _found(
        self, seen: Frame, factors: DoubleVector, corner: DoubleVector
    ) -> tuple[DetectedFace, ...]:
        try:
            _, rows = self._detector((seen.shape[1], seen.shape[0])).detect(seen)
        except cv2.error as error:
            raise FaceModelError(
                f"model {self.manifest.id}: OpenCV cannot run it (code {error.code}): install an "
                "undamaged one"
            ) from error
        if rows is None:
            return ()
        found = [
            _face(row, factors, corner)
            for row in np.asarray(rows)
            if np.isfinite(row).all() and min(row[2:4]) > 0
        ]
        return tuple(sorted(found, key=lambda face: -face.score))

    def _detector(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        detector = self._by_size.pop(size, None)
        if detector is None:
            spec = self._spec
            detector = cv2.FaceDetectorYN.create(
                "onnx",
                self._content,
                np.empty(0, np.uint8),
                size,
                spec.score_e4 / _E4,
                spec.overlap_e4 / _E4,
                spec.most,
            )
        self._by_size[size] = detector
        while len(self._by_size) > _MOST_SIZES:
            self._by_size.popitem(last=False)
        return detector


def _face(row: DoubleVector, factors: DoubleVector, corner: DoubleVector) -> DetectedFace:
    places = row[:14].astype(np.float64).reshape(7, 2) * factors
    (left, top), (width, height) = (places[0] + corner).tolist(), places[1].tolist()
    return DetectedFace(
        box=(left, top, width, height),
        points=(places[2:] + corner).astype(np.float32),
        score=float(row[14]),
    )


def _corners(face: DetectedFace) -> tuple[float, float, float, float]:
    left, top, width, height = face.box
    return left, top, left + width, top + height
