"""Find the threshold for a target false-accept rate (误识率), and how sure it is.

Rules:
0. Enough is there: at least 30 pairs of one person, at least 3 / target pairs of two (with fewer,
   no false accept at all is compatible with the target: rule of three), and 10 subjects where
   subjects are named.
1. The point: the smallest threshold whose observed FAR is at most the target.
2. The interval, where subjects are named: what drawing the subjects again gives
   (``subject_draws``).
3. The interval, where none are named: the thresholds at which Wilson's interval of the FAR holds
   the target. Pairs are taken as independent, and the result says so.
4. TAR and FAR at the point and at the upper end, each with the interval of step 2 at that
   threshold, widened to Wilson's (what never happened is not known to be impossible).
5. The same by group, at the upper end, where a group has 5 subjects and 100 pairs.

Source: B. D. Jovanovic, P. S. Levy, "A look at the rule of three", The American Statistician 51
(1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.error_rates import (
    MICRO,
    ErrorRates,
    Rate,
    wilson,
)
from scoring_kernel.faces.matching import ONE_E4
from scoring_kernel.faces.subject_draws import SubjectDraws

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator  # noqa: TID251  # a type; the caller draws the seed

    from scoring_kernel.faces.pairs import FlagVector, PairLabels, Scores

__all__ = [
    "CalibrationResult",
    "GroupRates",
    "Method",
    "Operating",
    "calibrate",
    "operate",
    "verify_plan",
]

MIN_GENUINE: Final = 30
"""Fewest pairs of one person."""
RULE_OF_THREE: Final = 3
"""False accepts that the target leads to expect, at least."""
MIN_SUBJECTS: Final = 10
"""Fewest subjects, where they are named."""
MIN_GROUP_SUBJECTS: Final = 5
"""Fewest subjects of a group whose rates are told."""
MIN_GROUP_PAIRS: Final = 100
"""Fewest pairs of such a group."""
MAX_FAR_E6: Final = 500_000
MAX_ROUNDS: Final = 100_000
MIN_ROUNDS: Final = 200


class Method(StrEnum):
    """What the intervals rest on."""

    SUBJECTS = "subjects"
    """Subjects drawn again."""
    PAIRS = "pairs"
    """Pairs taken as independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """What a threshold does on the pairs that were given."""

    threshold_e4: int
    tar: Rate
    far: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """Errors of one group at the upper end of the interval.

    Attributes:
        name: Name of the group.
        subjects: Its subjects; None where none are named.
        genuine: Its pairs of one person.
        impostor: Its pairs of two.
        far: False-accept rate; None where there are too few to tell.
        frr: False-reject rate; likewise.
    """

    name: str
    subjects: int | None
    genuine: int
    impostor: int
    far: Rate | None
    frr: Rate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationResult:
    """A threshold with its interval, and the errors at both.

    Attributes:
        target_far_e6: False-accept rate asked for, millionths.
        point: At the smallest threshold whose observed FAR is at most the target.
        low_e4: Lower end of the threshold's interval, ten-thousandths.
        cautious: At the upper end of the interval.
        confidence_e4: Confidence of every interval, ten-thousandths.
        method: What the intervals rest on.
        rounds: Drawings of subjects; 0 where none are named.
        subjects: Subjects; None where none are named.
        groups: Rates by group.
    """

    target_far_e6: int
    point: Operating
    low_e4: int
    cautious: Operating
    confidence_e4: int
    method: Method
    rounds: int
    subjects: int | None
    groups: tuple[GroupRates, ...]


def calibrate(
    scores: Scores,
    far_e6: int,
    *,
    rng: Generator,
    rounds: int = 2_000,
    confidence_e4: int = 9_500,
    tell: Callable[[int], None] = lambda _: None,
) -> CalibrationResult:
    """Find the threshold for a target false-accept rate.

    Args:
        scores: Pairs with their scores.
        far_e6: The target, millionths, in [1, 500000].
        rng: Draws the subjects.
        rounds: How often, in [200, 100000].
        confidence_e4: Confidence of the intervals, ten-thousandths, in [5000, 9999].
        tell: Called with the rounds done; there are twice ``rounds``.

    Raises:
        CalibrationError: Too few pairs or subjects, one kind of pairs alone, a target that no
            threshold reaches, or an argument out of bounds.
    """
    verify_plan(scores.labels, far_e6, rounds=rounds, confidence_e4=confidence_e4)
    rates = ErrorRates(scores)
    point = rates.find_threshold(far_e6)
    if point is None or rates.tar(point).count == 0:
        raise CalibrationError(
            f"no threshold reaches a false-accept rate of {far_e6}/1000000 and still accepts "
            "anybody: check the column same, or ask for a larger rate"
        )
    named = scores.labels.left is not None
    if named:
        drawn = SubjectDraws(scores, rng, rounds, tell)
        low, high = drawn.thresholds(far_e6, confidence_e4)
    else:
        drawn = None
        low, high = _wilson_thresholds(rates, far_e6, confidence_e4)
    low, high = min(low, point), max(high, point)
    at_point, at_high = _operate(rates, (point, high), confidence_e4, drawn)
    return CalibrationResult(
        target_far_e6=far_e6,
        point=at_point,
        low_e4=low,
        cautious=at_high,
        confidence_e4=confidence_e4,
        method=Method.SUBJECTS if named else Method.PAIRS,
        rounds=rounds if named else 0,
        subjects=scores.labels.subjects if named else None,
        groups=_by_group(scores, high, confidence_e4),
    )


def operate(
    scores: Scores,
    thresholds: tuple[int, ...],
    *,
    rng: Generator,
    rounds: int = 2_000,
    confidence_e4: int = 9_500,
) -> list[Operating]:
    """What given thresholds do on other pairs, with intervals as in a calibration.

    Args:
        scores: Pairs of both kinds with their scores.
        thresholds: Ten-thousandths, in [-10000, 10000].
        rng: Draws the subjects, where they are named.
        rounds: How often, in [200, 100000].
        confidence_e4: Confidence of the intervals, ten-thousandths, in [5000, 9999].

    Raises:
        CalibrationError: An argument out of bounds, or pairs that hang on too few subjects.
        KernelInputError: One kind of pairs alone.
    """
    _verify_arguments(MAX_FAR_E6, rounds, confidence_e4)
    rates, named = ErrorRates(scores), scores.labels.left is not None
    drawn = SubjectDraws(scores, rng, rounds, lambda _: None) if named else None
    return _operate(rates, thresholds, confidence_e4, drawn)


def verify_plan(
    labels: PairLabels, far_e6: int, *, rounds: int = 2_000, confidence_e4: int = 9_500
) -> None:
    """Refuse what cannot be calibrated on, before pictures are examined.

    Args:
        labels: What is known of the pairs.
        far_e6: The target, millionths, in [1, 500000].
        rounds: Drawings of subjects, in [200, 100000].
        confidence_e4: Confidence of the intervals, ten-thousandths, in [5000, 9999].

    Raises:
        CalibrationError: An argument out of bounds, or too few pairs or subjects.
    """
    _verify_arguments(far_e6, rounds, confidence_e4)
    genuine = int(labels.same.sum())
    impostor = len(labels.same) - genuine
    needed = -(-RULE_OF_THREE * MICRO // far_e6)
    if genuine < MIN_GENUINE:
        raise CalibrationError(
            f"found {genuine} usable pairs of one person, expected at least {MIN_GENUINE}"
        )
    if impostor < needed:
        raise CalibrationError(
            f"found {impostor} usable pairs of two persons, expected at least {needed} for a "
            f"false-accept rate of {far_e6}/1000000 (3 / rate): add pairs, or ask for a larger rate"
        )
    if labels.left is not None and labels.subjects < MIN_SUBJECTS:
        raise CalibrationError(
            f"found {labels.subjects} subjects, expected at least {MIN_SUBJECTS}"
        )


def _verify_arguments(far_e6: int, rounds: int, confidence_e4: int) -> None:
    for name, value, least, most in (
        ("target false-accept rate (millionths)", far_e6, 1, MAX_FAR_E6),
        ("rounds", rounds, MIN_ROUNDS, MAX_ROUNDS),
        ("confidence (ten-thousandths)", confidence_e4, 5_000, 9_999),
    ):
        if not least <= value <= most:
            raise CalibrationError(f"{name}: found {value}, expected {least} to {most}")


def _wilson_thresholds(rates: ErrorRates, far_e6: int, confidence_e4: int) -> tuple[int, int]:
    """Ends between which Wilson's interval of the FAR holds the target."""
    low, high = -ONE_E4, ONE_E4
    if rates.far(high, confidence_e4).high_e6 > far_e6:
        raise CalibrationError(
            f"{rates.impostor} pairs of two persons are too few to be sure of a false-accept rate "
            f"of {far_e6}/1000000: add pairs, or name their subjects"
        )
    return (
        _first(low, high, lambda one: rates.far(one, confidence_e4).low_e6 <= far_e6),
        _first(low, high, lambda one: rates.far(one, confidence_e4).high_e6 <= far_e6),
    )


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest number from low to high where something holds, as it does at high and above."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _operate(
    rates: ErrorRates, thresholds: tuple[int, ...], confidence_e4: int, drawn: SubjectDraws | None
) -> list[Operating]:
    intervals = (
        [None] * len(thresholds) if drawn is None else drawn.rates(thresholds, confidence_e4)
    )
    told = []
    for threshold, interval in zip(thresholds, intervals, strict=True):
        tar, far = rates.tar(threshold, confidence_e4), rates.far(threshold, confidence_e4)
        if interval is not None:
            tar, far = tar.widened(*interval[0]), far.widened(*interval[1])
        told.append(Operating(threshold_e4=threshold, tar=tar, far=far))
    return told


def _by_group(scores: Scores, threshold_e4: int, confidence_e4: int) -> tuple[GroupRates, ...]:
    """Rates of every group, pairs taken as independent, in the order of the names."""
    labels = scores.labels
    if labels.group is None:
        return ()
    told = []
    for number, name in sorted(enumerate(labels.groups), key=lambda one: one[1]):
        own = scores.take(labels.group == number)
        genuine, impostor = own.genuine, own.impostor
        subjects = own.labels.subjects if labels.left is not None else None
        enough = len(own.e4) >= MIN_GROUP_PAIRS and (
            subjects is None or subjects >= MIN_GROUP_SUBJECTS
        )
        told.append(
            GroupRates(
                name=name,
                subjects=subjects,
                genuine=len(genuine),
                impostor=len(impostor),
                far=_share(impostor >= threshold_e4, confidence_e4) if enough else None,
                frr=_share(genuine < threshold_e4, confidence_e4) if enough else None,
            )
        )
    return tuple(told)


def _share(counted: FlagVector, confidence_e4: int) -> Rate | None:
    return wilson(int(counted.sum()), len(counted), confidence_e4) if len(counted) else None
