"""Compiling a model to an ONNX file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from deploy.model.scoring import read_reference
from deploy.model.targets import replacing
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_scorer import OnnxScorer

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from scoring_kernel.model import RatingModel


def compile_to(
    model: RatingModel, reference: Path | None, asked: date | None, today: date, path: Path
) -> dict[str, object]:
    """Compile a model and write it; what was written is loaded again before it counts.

    Args:
        model: The model.
        reference: File of a peer reference to build in; None for none.
        asked: Day for which parameters are read; None for the reference's, else today.
        today: Day of the command.
        path: Where the file goes.

    Returns:
        What the file says of itself.

    Raises:
        DeployError: The reference cannot be read.
        KernelError: The model cannot be compiled for that day.
    """
    peers = None if reference is None else read_reference(reference, model, asked)
    day = asked or (today if peers is None else peers.day)
    content = compile_model(model, peers, day)
    OnnxScorer.load(content)
    with replacing(path) as file:
        file.write(content)
    return {
        "model": model.id,
        "model_digest": model.digest.hex(),
        "reference_digest": None if peers is None else peers.digest.hex(),
        "day": day.isoformat(),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "out": str(path),
    }
