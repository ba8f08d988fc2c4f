"""How models are evaluated on known faces (评测): fitted on some subjects, told of others.

0. Every picture is looked at as it is, where that is possible, and enlarged; faces are counted.
1. Enlarged pictures are examined; those that are not fit are left out and counted by fault.
2. All pairs within a half are compared; no pair is of both halves.
3. A threshold is fitted on the first half for every target, and tried on the second.
4. Equal errors and the greatest balanced accuracy are told beside, and how many pairs of one
   person reach 0.80, the fixed score of older rules.
5. Subjects are put into random halves again and again: how far the rates of one half hold for
   another is what the numbers of steps 3 and 4 cannot tell.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from edge_devices.errors import DeviceConfigurationError
from edge_devices.evaluation.halves import (
    Half,
    Spread,
    pairs_within,
    random_halves,
    take_half,
)
from edge_devices.evaluation.known_faces import KnownPicture, read_picture
from edge_devices.evaluation.pictures import examine_all
from scoring_kernel.faces.decoding import decode
from scoring_kernel.faces.error_rates import ErrorRates, Rate, wilson
from scoring_kernel.faces.fitting import CalibrationResult, Operating, calibrate, operate

if TYPE_CHECKING:
    from numpy.random import Generator  # noqa: TID251  # a type; the command draws the seed

    from scoring_kernel.faces.detection import FaceDetector
    from scoring_kernel.faces.pipeline import FacePipeline
    from security.progress import ProgressReporter

__all__ = ["Evaluation", "Plan", "Target", "evaluate"]

OLD_SCORE_E4: Final = 8_000
"""The fixed score of older rules, ten-thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A false-accept rate, what was fitted for it, and what that does to others.

    Attributes:
        fitted: On the first half, with its errors there.
        tried: At the point and at the upper end, on the second half.
        accuracy: Share of all pairs of the second half judged right, likewise.
        balanced: Mean of the shares of either kind judged right, likewise.
        spread_far: FAR of the other half at the point fitted on one, over random halves; None
            where no half reaches the target.
        spread_tar: Likewise TAR.
    """

    fitted: CalibrationResult
    tried: tuple[Operating, Operating]
    accuracy: tuple[float, float]
    balanced: tuple[float, float]
    spread_far: Spread | None
    spread_tar: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        subjects: Subjects of the data.
        pictures: Pictures of the data.
        found: Pictures with a face when enlarged.
        found_unscaled: Pictures with a face as they are.
        gated: Pictures left out, by fault.
        fit: The half that thresholds were fitted on.
        report: The half that they were tried on.
        targets: By false-accept rate, as asked for.
        best: Threshold of the greatest balanced accuracy on the first half, ten-thousandths, and
            that accuracy on either half.
        old: Pairs of one person, of both halves, that reach 0.80.
        old_impostor: Likewise pairs of two.
    """

    subjects: int
    pictures: int
    found: int
    found_unscaled: int
    gated: Mapping[str, int]
    fit: Half
    report: Half
    targets: tuple[Target, ...]
    best: tuple[int, float, float]
    old: Rate
    old_impostor: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to evaluate.

    Attributes:
        fit: Subjects to fit on.
        report: Subjects to try on.
        targets_e6: False-accept rates, millionths.
        upscale: How often pictures are enlarged.
        rounds: Drawings of subjects.
        confidence_e4: Of intervals, ten-thousandths.
    """

    fit: tuple[int, ...]
    report: tuple[int, ...]
    targets_e6: tuple[int, ...]
    upscale: int
    rounds: int
    confidence_e4: int


def evaluate(
    known: Sequence[KnownPicture],
    pipeline: "FacePipeline",
    detector: "FaceDetector",
    plan: Plan,
    *,
    seed: int,
    progress: "ProgressReporter",
) -> Evaluation:
    """Evaluate models on known faces.

    Args:
        known: The pictures.
        pipeline: Models and gate.
        detector: The pipeline's detector, for pictures as they are.
        plan: How.
        seed: Of the drawings; what is drawn for one target does not hang on the others.
        progress: Told of what is done.

    Raises:
        DeviceConfigurationError: Subjects that the data do not have, or in both halves.
        FaceImageError: A picture cannot be read.
        FaceModelError: A model fails, or too few faces were found to go on.
        CalibrationError: Too few pairs or subjects for a target.
    """
    count = max(one.subject for one in known)
    _verify_halves(plan, count)
    contents = [read_picture(one.path) for one in known]
    unscaled = _count_found(contents, detector, progress)
    looked = examine_all(
        contents,
        pipeline,
        upscale=plan.upscale,
        tell=lambda done: progress("examining", done, len(known), "pictures"),
    )
    owners = np.array([one.subject for one in known], dtype=np.int64)
    fit, report = (take_half(looked, owners, own) for own in (plan.fit, plan.report))
    fitted = []
    for number, far_e6 in enumerate(plan.targets_e6, 1):
        progress("fitting", number, len(plan.targets_e6), "targets")
        fitted.append(_fit(far_e6, fit, plan, _drawing(seed, 1, far_e6)))
    everybody = pairs_within(looked, owners, range(1, count + 1))
    spreads = random_halves(everybody, plan.targets_e6, rng=_drawing(seed, 0), progress=progress)
    targets = [
        _try(result, report, spread, plan, _drawing(seed, 2, result.target_far_e6))
        for result, spread in zip(fitted, spreads, strict=True)
    ]
    own, other = ErrorRates(fit.scores), ErrorRates(report.scores)
    best = own.best_threshold()
    genuine = np.concatenate((fit.scores.genuine, report.scores.genuine))
    impostor = np.concatenate((fit.scores.impostor, report.scores.impostor))
    return Evaluation(
        subjects=count,
        pictures=len(known),
        found=int((looked.faces > 0).sum()),
        found_unscaled=unscaled,
        gated=dict(sorted(Counter(one.value for one in looked.faults if one).items())),
        fit=fit,
        report=report,
        targets=tuple(targets),
        best=(best, own.balanced_accuracy(best), other.balanced_accuracy(best)),
        old=wilson(int((genuine >= OLD_SCORE_E4).sum()), len(genuine), plan.confidence_e4),
        old_impostor=wilson(
            int((impostor >= OLD_SCORE_E4).sum()), len(impostor), plan.confidence_e4
        ),
    )


def _drawing(*seed: int) -> "Generator":
    return np.random.default_rng(seed)  # noqa: TID251  # the operator's seed


def _verify_halves(plan: Plan, count: int) -> None:
    if set(plan.fit) & set(plan.report):
        raise DeviceConfigurationError("--fit and --report: a subject is in both; keep them apart")
    if not all(1 <= one <= count for one in (*plan.fit, *plan.report)):
        raise DeviceConfigurationError(f"--fit and --report: the data have subjects 1 to {count}")


def _count_found(
    contents: Sequence[bytes], detector: "FaceDetector", progress: "ProgressReporter"
) -> int:
    found = 0
    for number, content in enumerate(contents, 1):
        found += bool(detector.detect(decode(content)))
        progress("looking unscaled", number, len(contents), "pictures")
    return found


def _fit(far_e6: int, fit: Half, plan: Plan, rng: "Generator") -> CalibrationResult:
    return calibrate(
        fit.scores, far_e6, rng=rng, rounds=plan.rounds, confidence_e4=plan.confidence_e4
    )


def _try(
    fitted: CalibrationResult,
    report: Half,
    spread: tuple[Spread | None, Spread | None],
    plan: Plan,
    rng: "Generator",
) -> Target:
    """Try what was fitted on the other half."""
    thresholds = (fitted.point.threshold_e4, fitted.cautious.threshold_e4)
    point, cautious = operate(
        report.scores, thresholds, rng=rng, rounds=plan.rounds, confidence_e4=plan.confidence_e4
    )
    rates = ErrorRates(report.scores)
    return Target(
        fitted=fitted,
        tried=(point, cautious),
        accuracy=(_accuracy(point), _accuracy(cautious)),
        balanced=(
            rates.balanced_accuracy(thresholds[0]),
            rates.balanced_accuracy(thresholds[1]),
        ),
        spread_far=spread[0],
        spread_tar=spread[1],
    )


def _accuracy(operating: Operating) -> float:
    right = operating.tar.count + operating.far.of - operating.far.count
    return right / (operating.tar.of + operating.far.of)
