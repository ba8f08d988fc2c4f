"""An evaluation and a calibration, as JSON values and in words for the operator.

Shares are told in millionths with their intervals in JSON, in percent in words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge_devices.evaluation.halves import HALVES, Half, Spread
from edge_devices.evaluation.liveness_photos import JudgedPhoto
from edge_devices.evaluation.protocol import OLD_SCORE_E4, Evaluation, Plan, Target
from scoring_kernel.faces.error_rates import MICRO, Rate
from scoring_kernel.faces.fitting import CalibrationResult, Method, Operating
from security.operator import CommandOutput

__all__ = ["evaluation_values", "percent", "protocol_words", "say_evaluation", "say_result"]

_E4: Final = 10_000
FEW_SUBJECTS: Final = 200
"""Fewer subjects than this are few to learn a false-accept rate from."""


def percent(rate: Rate, digits: int = 3) -> str:
    """A share with its interval.

    >>> percent(Rate(count=1, of=8, low_e6=22_500, high_e6=471_000))
    '12.500 % [2.250, 47.100]'
    """
    share, low, high = (f"{one / 1e4:.{digits}f}" for one in (rate.e6, rate.low_e6, rate.high_e6))
    return f"{share} % [{low}, {high}]"


def score(e4: int) -> str:
    """A score or threshold.

    >>> score(5_070)
    '0.5070'
    """
    return f"{e4 / _E4:.4f}"


def say_result(out: CommandOutput, result: CalibrationResult, *, cautious: bool) -> None:
    """Say what was fitted.

    Args:
        out: Where to.
        result: What was fitted.
        cautious: Whether the upper end is in force.
    """
    sure = f"{result.confidence_e4 / 100:g} %"
    out.say(
        f"Threshold for a false-accept rate of {result.target_far_e6 / 1e4:g} %: "
        f"{score(result.point.threshold_e4)}, {sure} interval "
        f"[{score(result.low_e4)}, {score(result.cautious.threshold_e4)}]"
    )
    if result.method is Method.PAIRS:
        out.say(
            "No subjects are named: pairs are taken as independent, and the interval is narrow."
        )
    rows = {"point": result.point, "upper": result.cautious}
    out.rows(
        "At the threshold, on these pairs",
        [
            {
                "threshold": f"{name} {score(one.threshold_e4)}",
                "in force": "yes" if (name == "upper") == cautious else "no",
                "true accepts": percent(one.tar, 2),
                "false accepts": percent(one.far),
            }
            for name, one in rows.items()
        ],
    )
    if result.groups:
        out.rows(
            "By group at the upper end, pairs taken as independent",
            [
                {
                    "group": one.name,
                    "subjects": one.subjects,
                    "pairs": f"{one.genuine} + {one.impostor}",
                    "false rejects": "too few" if one.frr is None else percent(one.frr, 2),
                    "false accepts": "too few" if one.far is None else percent(one.far),
                }
                for one in result.groups
            ],
        )
    if result.subjects is not None and result.subjects < FEW_SUBJECTS:
        out.say(
            f"{result.subjects} subjects are few for a false-accept rate: take {FEW_SUBJECTS} or "
            "more of this site before relying on it."
        )


def protocol_words(plan: Plan, gate_off: Sequence[str]) -> str:
    """How was evaluated, in words.

    Args:
        plan: What was evaluated.
        gate_off: Groups of the quality gate that were put off.
    """
    off = ", ".join(gate_off) or "nothing"
    return (
        f"Pictures enlarged {plan.upscale} times (cubic); quality gate without: {off}. Five-point "
        "alignment, one vector a picture, cosine of every pair within a half; no pair is of both. "
        f"Thresholds fitted on subjects {shown_subjects(plan.fit)}, tried on subjects "
        f"{shown_subjects(plan.report)}, which took no part in fitting. Intervals of "
        f"{plan.confidence_e4 / 100:g} % by drawing the subjects again {plan.rounds} times, never "
        f"narrower than Wilson's. Spread: {HALVES} random halves of all subjects, fitted on one, "
        "counted on the other; from the 5th to the 95th percentile."
    )


def shown_subjects(subjects: Sequence[int]) -> str:
    """Numbers of subjects, runs as such.

    >>> shown_subjects((1, 2, 3, 7, 9, 10))
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for one in sorted(subjects):
        if runs and runs[-1][-1] == one - 1:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def evaluation_values(
    found: Evaluation, photos: Sequence[JudgedPhoto], about: Mapping[str, Any]
) -> dict[str, Any]:
    """An evaluation as JSON values.

    Args:
        found: The evaluation.
        photos: The photos of liveness.
        about: Versions, models, protocol.
    """
    return {
        **about,
        "subjects": found.subjects,
        "pictures": found.pictures,
        "found": found.found,
        "found_unscaled": found.found_unscaled,
        "gated": dict(found.gated),
        "fit": _half_values(found.fit),
        "report": _half_values(found.report),
        "targets": [_target_values(one) for one in found.targets],
        "best_balanced": {
            "threshold_e4": found.best[0],
            "fit": round(found.best[1], 6),
            "report": round(found.best[2], 6),
        },
        "genuine_at_0_80": _rate_values(found.old),
        "impostor_at_0_80": _rate_values(found.old_impostor),
        "liveness": [
            {
                "photo": one.name,
                "answer": one.answer.value,
                "live_e4": one.live_e4,
                "expected": None if one.expected is None else one.expected.value,
                "right": one.is_right,
                "fault": None if one.fault is None else one.fault.value,
            }
            for one in photos
        ],
    }


def say_evaluation(
    out: CommandOutput, found: Evaluation, photos: Sequence[JudgedPhoto], about: Mapping[str, Any]
) -> None:
    """Say an evaluation in words.

    Args:
        out: Where to.
        found: The evaluation.
        photos: The photos of liveness.
        about: Versions, models, protocol.
    """
    out.table("Programs and models", {**about["versions"], **about["models"]})
    gated = ", ".join(f"{name} {count}" for name, count in found.gated.items()) or "none"
    out.say(
        f"Faces found: {found.found} of {found.pictures} enlarged {about['upscale']} times, "
        f"{found.found_unscaled} of {found.pictures} as they are. Left out by the gate: {gated}."
    )
    for one in found.targets:
        _say_target(out, one, found)
    out.rows("Without a target", [_half_row(found.fit), _half_row(found.report)])
    best, own, other = found.best
    out.say(
        f"Balanced accuracy at {score(best)}, the best of subjects "
        f"{shown_subjects(found.fit.subjects)}: {own:.4f} there, {other:.4f} on subjects "
        f"{shown_subjects(found.report.subjects)}."
    )
    out.say(
        f"Pairs of one person that reach {score(OLD_SCORE_E4)}: {percent(found.old)}; of two: "
        f"{found.old_impostor.count} of {found.old_impostor.of}."
    )
    if photos:
        out.rows("Liveness", [_photo_row(one) for one in photos])
        out.say("A few photos show that the model is fed as it was trained; they are no accuracy.")
    out.say(f"Protocol: {about['protocol']}")


def _say_target(out: CommandOutput, one: Target, found: Evaluation) -> None:
    fitted = one.fitted
    out.say("")
    out.say(
        f"False-accept rate {fitted.target_far_e6 / 1e4:g} %: threshold "
        f"{score(fitted.point.threshold_e4)}, {fitted.confidence_e4 / 100:g} % interval "
        f"[{score(fitted.low_e4)}, {score(fitted.cautious.threshold_e4)}]"
    )
    rows = []
    for name, threshold, pairs in (
        ("point", fitted.point, one.tried[0]),
        ("upper", fitted.cautious, one.tried[1]),
    ):
        for half, operating in ((found.fit, threshold), (found.report, pairs)):
            rows.append(
                {
                    "threshold": f"{name} {score(operating.threshold_e4)}",
                    "subjects": shown_subjects(half.subjects),
                    "true accepts": percent(operating.tar, 2),
                    "false accepts": percent(operating.far),
                }
            )
    out.rows("True and false accepts", rows)
    out.say(
        f"On subjects {shown_subjects(found.report.subjects)} at the point: accuracy "
        f"{one.accuracy[0]:.4f}, balanced {one.balanced[0]:.4f}; at the upper end: accuracy "
        f"{one.accuracy[1]:.4f}, balanced {one.balanced[1]:.4f}."
    )
    if one.spread_far is None or one.spread_tar is None:
        out.say("No random half of the subjects reaches this rate.")
        return
    out.say(
        f"Over {HALVES} random halves, at the point of one half: FAR of the other "
        f"{_spread_words(one.spread_far)}, TAR {_spread_words(one.spread_tar)}."
    )
    if one.spread_far.high > 2 * fitted.target_far_e6 / MICRO:
        out.say(
            f"So {found.subjects} subjects are too few to hold this rate for others: calibrate on "
            f"{FEW_SUBJECTS} or more of the site."
        )


def _spread_words(spread: Spread) -> str:
    return f"{spread.median:.2%} (90 % in {spread.low:.2%} to {spread.high:.2%})"


def _photo_row(one: JudgedPhoto) -> dict[str, str]:
    verdict = {True: "right", False: "WRONG", None: "unknown"}[one.is_right]
    return {
        "photo": one.name,
        "answer": one.answer.value,
        "live": "—" if one.live_e4 is None else score(one.live_e4),
        "expected": "—" if one.expected is None else one.expected.value,
        "verdict": verdict,
        "fault": "—" if one.fault is None else one.fault.value,
    }


def _half_row(half: Half) -> dict[str, str]:
    error, threshold = half.equal_error
    labels = half.scores.labels
    return {
        "subjects": shown_subjects(half.subjects),
        "pairs": f"{int(labels.same.sum())} + {int((~labels.same).sum())}",
        "equal errors": f"{error:.2%} at {score(threshold)}",
        "area under the curve": f"{half.area:.4f}",
    }


def _half_values(half: Half) -> dict[str, Any]:
    error, threshold = half.equal_error
    return {
        "subjects": list(half.subjects),
        "genuine": int(half.scores.labels.same.sum()),
        "impostor": int((~half.scores.labels.same).sum()),
        "equal_error_e6": round(error * MICRO),
        "equal_error_threshold_e4": threshold,
        "area": round(half.area, 6),
    }


def _target_values(one: Target) -> dict[str, Any]:
    fitted = one.fitted
    return {
        "target_far_e6": fitted.target_far_e6,
        "threshold_e4": fitted.point.threshold_e4,
        "low_e4": fitted.low_e4,
        "high_e4": fitted.cautious.threshold_e4,
        "confidence_e4": fitted.confidence_e4,
        "method": fitted.method.value,
        "at_point": _pair_values(fitted.point, one.tried[0], one.accuracy[0], one.balanced[0]),
        "at_upper_end": _pair_values(
            fitted.cautious, one.tried[1], one.accuracy[1], one.balanced[1]
        ),
        "spread_far_e6": _spread_values(one.spread_far),
        "spread_tar_e6": _spread_values(one.spread_tar),
    }


def _pair_values(
    fit: Operating, report: Operating, accuracy: float, balanced: float
) -> dict[str, Any]:
    return {
        "fit": {"tar": _rate_values(fit.tar), "far": _rate_values(fit.far)},
        "report": {
            "tar": _rate_values(report.tar),
            "far": _rate_values(report.far),
            "accuracy": round(accuracy, 6),
            "balanced_accuracy": round(balanced, 6),
        },
    }


def _spread_values(spread: Spread | None) -> dict[str, int] | None:
    if spread is None:
        return None
    return {
        "median": round(spread.median * MICRO),
        "low": round(spread.low * MICRO),
        "high": round(spread.high * MICRO),
    }


def _rate_values(rate: Rate) -> dict[str, int]:
    return {
        "count": rate.count,
        "of": rate.of,
        "e6": rate.e6,
        "low_e6": rate.low_e6,
        "high_e6": rate.high_e6,
    }
