"""Run an evaluation: models opened, data read, results with all that they rest on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from edge_devices.errors import DeviceConfigurationError
from edge_devices.evaluation.known_faces import known_pictures, liveness_photos
from edge_devices.evaluation.liveness_photos import JudgedPhoto, judge_photos
from edge_devices.evaluation.protocol import Evaluation, Plan, evaluate
from edge_devices.evaluation.report import protocol_words, shown_subjects
from edge_devices.models import ModelStore, open_pipeline
from scoring_kernel.faces.detection import FaceDetector
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.quality import QualityGate
from security.private_files import write_private
from security.progress import ProgressReporter

__all__ = ["Evaluated", "Evaluating", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluating:
    """What to evaluate on what."""

    data: Path
    """Known faces."""
    liveness: Path | None
    """Photos of liveness; None for none."""
    models: Path
    """The store of models."""
    embedding: str | None
    """Id of the embedding model; None where one is installed."""
    gate: QualityGate
    """Limits of quality."""
    plan: Plan
    """Halves, targets, intervals."""
    seed: int
    """Of the drawings."""
    det: Path | None
    """Where the trade-off of the first target is drawn; None for nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What was found, and with what."""

    found: Evaluation
    photos: tuple[JudgedPhoto, ...]
    about: Mapping[str, Any]


def run(wanted: Evaluating, *, progress: ProgressReporter) -> Evaluated:
    """Evaluate the installed models.

    Args:
        wanted: What on what.
        progress: Told of what is done.

    Raises:
        DeviceConfigurationError: Data, subjects or targets are not as they should be.
        FaceImageError: A picture cannot be read.
        FaceModelError: A model is missing, fails, or finds too few faces.
        CalibrationError: Too few pairs or subjects for a target.
        KeyFileError: The picture of the trade-off cannot be written.
    """
    store, plan = ModelStore(wanted.models), wanted.plan
    if len(set(plan.targets_e6)) != len(plan.targets_e6):
        raise DeviceConfigurationError("--far: a rate is there twice")
    known = known_pictures(wanted.data)
    photos = () if wanted.liveness is None else liveness_photos(wanted.liveness)
    pipeline = open_pipeline(store, embedding=wanted.embedding, gate=wanted.gate)
    detector = FaceDetector.load(*store.load(ModelKind.DETECTOR))
    found = evaluate(
        known,
        pipeline,
        detector,
        plan,
        seed=wanted.seed,
        progress=progress,
    )
    about = {
        "versions": {"opencv": cv2.__version__, "onnx_runtime": onnxruntime.__version__},
        "models": {
            one.manifest.kind.value: f"{one.manifest.id} {one.manifest.sha256[:12]}"
            for one in store.installed()
            if one.manifest.kind is not ModelKind.EMBEDDING or one.manifest.sha256 == pipeline.model
        },
        "pipeline": pipeline.digest.hex(),
        "upscale": plan.upscale,
        "seed": wanted.seed,
        "protocol": protocol_words(plan, sorted(wanted.gate.off)),
    }
    if wanted.det is not None:
        from edge_devices.evaluation.det_plot import draw_det  # noqa: PLC0415  # a second to import

        lines = {
            f"subjects {shown_subjects(half.subjects)}": half.scores
            for half in (found.fit, found.report)
        }
        title = f"DET of {pipeline.embedding.id}\nfitted on the first line"
        result = found.targets[0].fitted
        content = draw_det(lines, result, cautious=True, title=title)
        write_private(wanted.det, content, replace=True)
    return Evaluated(found=found, photos=judge_photos(photos, pipeline), about=about)
