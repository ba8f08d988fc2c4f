"""Pictures that are examined once each: their vectors, and why others have none.

Rules:
- A picture is read within bounds. One that is none is the operator's to mend; one whose face is
  not fit is counted by its fault.
- A small picture may be enlarged first, by cubic interpolation; what was calibrated so says so.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scoring_kernel.faces.arrays import FloatMatrix, Frame
from scoring_kernel.faces.decoding import decode
from scoring_kernel.faces.examined import ImageFault
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.pipeline import FacePipeline

__all__ = ["Pictures", "enlarge", "examine_all"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pictures:
    """What n pictures said.

    Attributes:
        vectors: Unit vectors, shape (n, d); zeros where a picture has none.
        fit: Which have one, shape (n,).
        faults: Fault of each, None where it is fit; n of them.
        faces: Faces found in each, shape (n,).
    """

    vectors: FloatMatrix = field(repr=False)
    fit: npt.NDArray[np.bool_]
    faults: tuple[ImageFault | None, ...]
    faces: npt.NDArray[np.int64]


def enlarge(frame: Frame, times: int) -> Frame:
    """Enlarge a picture by cubic interpolation, a whole number of times."""
    if times == 1:
        return frame
    grown = cv2.resize(frame, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    return np.asarray(grown, dtype=np.uint8)


def examine_all(
    contents: Iterable[bytes],
    pipeline: FacePipeline,
    *,
    upscale: int,
    tell: Callable[[int], None],
) -> Pictures:
    """Examine pictures, one after the other.

    Args:
        contents: The files, at least one.
        pipeline: Models and gate.
        upscale: How often each is enlarged.
        tell: Called with the number of pictures done.

    Raises:
        FaceImageError: One is no picture.
        FaceModelError: A model fails.
    """
    size = pipeline.embedding.output.size
    vectors, faults, faces = [], [], []
    for number, content in enumerate(contents, 1):
        found = pipeline.examine(enlarge(decode(content), upscale))
        vectors.append(np.zeros(size, np.float32) if found.vector is None else found.vector)
        faults.append(found.fault)
        faces.append(found.faces)
        tell(number)
    return Pictures(
        vectors=np.array(vectors, dtype=np.float32),
        fit=np.array([fault is None for fault in faults], dtype=np.bool_),
        faults=tuple(faults),
        faces=np.array(faces, dtype=np.int64),
    )
