"""From a table of pairs to a calibration (标定) of one model at one site.

0. Table and options are read; where results go is asked before work begins.
1. Every picture is examined once; a pair with a picture that is not fit is left out and counted.
2. The threshold is fitted (``scoring_kernel.faces.fitting``).
3. What was found is put down with the digests of model, pipeline and table.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from edge_devices.errors import DeviceConfigurationError
from edge_devices.evaluation.pictures import examine_all
from edge_devices.models import ModelStore, open_pipeline
from scoring_kernel.errors import CalibrationError, FaceImageError
from scoring_kernel.faces.calibration import MAX_UPSCALE, Calibration
from scoring_kernel.faces.decoding import MAX_BYTES as MAX_PICTURE_BYTES
from scoring_kernel.faces.fitting import calibrate, verify_plan
from scoring_kernel.faces.manifest import FaceModelManifest, ModelKind
from scoring_kernel.faces.pair_table import MAX_BYTES as MAX_TABLE_BYTES
from scoring_kernel.faces.pair_table import read_pairs
from scoring_kernel.faces.pairs import ImagePairs, Scores
from scoring_kernel.faces.pipeline import FacePipeline
from scoring_kernel.faces.quality import QualityGate
from security.progress import ProgressReporter

__all__ = ["Calibrated", "Fitting", "calibrate_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How to calibrate."""

    site: str
    """Code of the institution."""
    far_e6: int
    """Target false-accept rate, millionths."""
    embedding: str | None
    """Id of the embedding model; None where one is installed."""
    gate: QualityGate
    """Limits of quality."""
    upscale: int
    """How often pictures are enlarged."""
    rounds: int
    """Drawings of subjects."""
    seed: int
    """Of the drawings."""
    confidence_e4: int
    """Of the intervals, ten-thousandths."""
    cautious: bool
    """Whether the upper end is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """A calibration with what it was drawn from.

    Attributes:
        calibration: The calibration.
        manifest: The model's manifest.
        scores: The scores, for the plot.
        pictures: Pictures examined; 0 for scores that were made elsewhere.
    """

    calibration: Calibration
    manifest: FaceModelManifest
    scores: Scores
    pictures: int


def calibrate_table(
    table: Path,
    store: ModelStore,
    fitting: Fitting,
    *,
    now: datetime,
    release: str,
    progress: ProgressReporter,
) -> Calibrated:
    """Calibrate on a table of pairs.

    Args:
        table: The file; pictures lie below its folder.
        store: The installed models.
        fitting: How.
        now: Moment of the calibration, UTC, to the second.
        release: Release of this program.
        progress: Told of the table, the pictures and the drawings.

    Raises:
        CalibrationError: The table is not sound, a picture cannot be read, or there are too few
            pairs.
        FaceModelError: A model is missing or fails.
        FacesNotInstalledError: OpenCV is not installed.
    """
    progress("reading", 0, 0, "pairs")
    try:
        content = _read(table, MAX_TABLE_BYTES)
    except CalibrationError as error:
        raise CalibrationError(f"{table.name}: {error}") from error
    pairs = read_pairs(content, table.name)
    verify_plan(
        pairs.labels,
        fitting.far_e6,
        rounds=fitting.rounds,
        confidence_e4=fitting.confidence_e4,
    )
    pipeline: FacePipeline | None = None
    gated: dict[str, int] = {}
    if isinstance(pairs, Scores):
        scores, pictures = pairs, 0
        manifest = store.load(ModelKind.EMBEDDING, fitting.embedding)[0]
    else:
        pipeline = open_pipeline(store, embedding=fitting.embedding, gate=fitting.gate)
        manifest, pictures = pipeline.embedding, len(pairs.images)
        scores, gated = _scored(pairs, table, pipeline, fitting.upscale, progress)
    rng = np.random.default_rng(fitting.seed)  # noqa: TID251  # the operator's seed
    try:
        result = calibrate(
            scores,
            fitting.far_e6,
            rng=rng,
            rounds=fitting.rounds,
            confidence_e4=fitting.confidence_e4,
            tell=lambda done: progress("drawing subjects", done, 2 * fitting.rounds, "rounds"),
        )
    except CalibrationError as error:
        if not gated:
            raise
        left_out = ", ".join(f"{name} {count}" for name, count in gated.items())
        raise CalibrationError(f"{error}. Pairs left out by the gate: {left_out}") from error
    calibration = Calibration(
        model=bytes.fromhex(manifest.sha256),
        pipeline=None if pipeline is None else pipeline.digest,
        site=fitting.site,
        result=result,
        cautious=fitting.cautious,
        gated=gated,
        source=hashlib.sha256(content).digest(),
        seed=fitting.seed,
        release=release,
        made_at=now,
        upscale=fitting.upscale if pipeline is not None else 1,
    )
    return Calibrated(calibration=calibration, manifest=manifest, scores=scores, pictures=pictures)


def _scored(
    pairs: ImagePairs,
    table: Path,
    pipeline: FacePipeline,
    upscale: int,
    progress: ProgressReporter,
) -> tuple[Scores, dict[str, int]]:
    """Scores of the pairs that are fit, and how many are not, by fault."""
    if not 1 <= upscale <= MAX_UPSCALE:
        raise DeviceConfigurationError(f"--upscale: found {upscale}, expected 1 to {MAX_UPSCALE}")
    done = 0

    def contents() -> Iterator[bytes]:
        for name, line in zip(pairs.images, pairs.lines, strict=True):
            try:
                yield _read(table.parent / name, MAX_PICTURE_BYTES)
            except CalibrationError as error:
                raise CalibrationError(f"{table.name}:{line}: a picture: {error}") from error

    def tell(number: int) -> None:
        nonlocal done
        done = number
        progress("examining", number, len(pairs.images), "pictures")

    try:
        found = examine_all(contents(), pipeline, upscale=upscale, tell=tell)
    except FaceImageError as error:
        line = pairs.lines[done]
        raise CalibrationError(f"{table.name}:{line}: a picture: {error}") from error
    faults = [
        found.faults[left] or found.faults[right]
        for left, right in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    ]
    gated = Counter(fault.value for fault in faults if fault is not None)
    return pairs.compare(found.vectors, found.fit), dict(sorted(gated.items()))


def _read(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise CalibrationError("no such file")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise CalibrationError(f"cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise CalibrationError(f"more than {most} bytes, expected at most that")
    return content
