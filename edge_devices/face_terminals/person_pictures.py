"""Pictures of a person who stands there (人脸采集): which are fit to enrol or to search with.

Rules:
- Before a camera every picture must show a living face. From a folder or a video one that was not
  checked is taken too; a picture of a print or a screen is not taken there either.
- Pictures that do not agree with the others are left out, which is told; where most do not agree,
  none is taken.
- No picture is kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from scoring_kernel.errors import FaceImageError
from scoring_kernel.faces.examined import ImageFault, LivenessAnswer
from scoring_kernel.faces.matching import ONE_E4

if TYPE_CHECKING:
    from edge_devices.face_terminals.sources.port import FrameSource
    from edge_devices.face_terminals.verifying import Examiner
    from scoring_kernel.faces.arrays import FloatVector
    from scoring_kernel.faces.examined import Examined

__all__ = ["MAX_PICTURES", "take_vectors"]

MAX_PICTURES: Final = 5
"""Pictures of one person."""
_SPOOF: Final = "spoof"
_SEVERAL: Final = "several_persons"
_LOOKED_AT: Final = 12
"""Fit pictures that are looked at, to choose from."""
_APART_S: Final = 0.3
"""Between two pictures before a camera: neighbours are alike."""


async def take_vectors(
    source: FrameSource, examiner: Examiner, *, threshold_e4: int | None, timeout_s: float
) -> tuple[tuple[FloatVector, ...], int]:
    """Take pictures until there are enough that are fit, and choose those that agree.

    Args:
        source: Gives pictures.
        examiner: Says what is in them.
        threshold_e4: From which likeness on two pictures are of one person; None: one picture
            is taken.
        timeout_s: Longest time, seconds.

    Returns:
        One to ``MAX_PICTURES`` unit vectors, and how many fit pictures were left out.

    Raises:
        FaceImageError: No picture was fit, and why the last one was not; or they do not agree.
        SourceError: The source is unavailable.
    """
    fit: list[FloatVector] = []
    last: Examined | None = None
    most = 1 if threshold_e4 is None else _LOOKED_AT
    await source.rewind()
    try:
        async with asyncio.timeout(timeout_s):
            while len(fit) < most and (frame := await source.take()) is not None:
                last = await asyncio.to_thread(examiner.examine, frame)
                if last.vector is not None and _is_person(last, is_live=source.is_live):
                    fit.append(last.vector)
                    if source.is_live:
                        await asyncio.sleep(_APART_S)
    except TimeoutError:
        pass
    if not fit:
        _refuse(last)
    chosen = fit if threshold_e4 is None else _agreeing(fit, threshold_e4)
    if 2 * len(chosen) <= len(fit):
        raise FaceImageError(
            _SEVERAL,
            f"found {len(fit)} fit pictures, of which at most {len(chosen)} agree with each other, "
            "expected more than half: take pictures of one person, in good light",
        )
    return tuple(chosen[:MAX_PICTURES]), len(fit) - len(chosen)


def _agreeing(fit: list[FloatVector], threshold_e4: int) -> list[FloatVector]:
    """The most pictures found that agree with each other, in their order."""
    rows = np.stack(fit).astype(np.float64)
    agree = np.floor(rows @ rows.T * ONE_E4) >= threshold_e4
    best: list[int] = []
    for first in range(len(fit)):
        # Those first that agree with most.
        order = sorted(np.flatnonzero(agree[first]), key=lambda one: -int(agree[one].sum()))
        chosen = [first]
        for one in map(int, order):
            if one != first and all(agree[one][other] for other in chosen):
                chosen.append(one)
        if len(chosen) > len(best):
            best = chosen
    return [fit[one] for one in sorted(best)]


def _refuse(last: Examined | None) -> NoReturn:
    if last is None:
        raise FaceImageError(ImageFault.NO_FACE, "no picture came in time; look at the source")
    last.verify_face()
    raise FaceImageError(
        _SPOOF,
        "found a print, a screen, or before the camera a face that was not checked: let the person "
        "stand before the camera",
    )


def _is_person(examined: Examined, *, is_live: bool) -> bool:
    """Whether a picture shows a person; a file of pictures may be of a kind that is not checked."""
    answer = examined.liveness.answer
    return answer is LivenessAnswer.LIVE or (answer is LivenessAnswer.NOT_CHECKED and not is_live)
