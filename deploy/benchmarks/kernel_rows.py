"""P1 and P2: scoring a province's subjects, and the same in ONNX.

The model is the one of designated medical institutions, 36 indicators, with gaps, overrides,
peers and grades. Each row's reference is a copy of the matrix that it starts from, in the order in
which it lies, into fresh memory: ``from values`` of the subjects' values (n x 36), ``from
measures`` of the input table (n x 87). Fresh memory is mapped and cleared by the system on first
use, as it is for any large result. One core each: numpy works alone, ONNX Runtime with one thread.
Cost grows linearly with subjects, and with the number of distinct patterns of missing indicators.
"""

import mmap
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from deploy.benchmarks.kernel_cuts import measure_cuts
from deploy.benchmarks.kernel_peers import GROWTH, measure_pandas, measure_zen
from deploy.benchmarks.kernel_world import DAY, World, make_world
from deploy.benchmarks.measuring import Bound, Row, Skipped, alternate, stopwatch
from deploy.errors import BenchmarkError
from scoring_kernel.grades import names_of
from scoring_kernel.onnx_graph import compile_model
from scoring_kernel.onnx_scorer import OnnxScorer
from scoring_kernel.scoring import score
from scoring_kernel.sweep import sweep_values

FROM_VALUES: Final = 6.0
FROM_MEASURES: Final = 16.0
ONNX: Final = 0.8

_SAMPLE: Final = 2_000


def measure_p1(*, subjects: int, repeats: int) -> tuple[Row | Skipped, ...]:
    """Measure the numpy scorer against a copy, against its peers, and at the cuts.

    Args:
        subjects: Subjects of one run.
        repeats: Runs of each side.

    Raises:
        BenchmarkError: A peer gives other points, or the kernel a wrong grade.
    """
    world = make_world(subjects)
    sample = min(_SAMPLE, subjects)
    return (
        *_against_copy(world, repeats),
        measure_pandas(world, sample=sample, repeats=repeats),
        measure_zen(world, sample=sample, repeats=repeats),
        *measure_cuts(world, subjects=subjects),
    )


def _against_copy(world: World, repeats: int) -> Sequence[Row]:
    def from_values(_run: int) -> float:
        with stopwatch() as watch:
            found = sweep_values(
                world.plan, world.values, world.present, world.groups, world.overridden
            )
            names_of(world.model.bands, found.grade)
        return watch.core_s

    def from_measures(_run: int) -> float:
        with stopwatch() as watch:
            score(world.model, world.inputs, world.reference, DAY)
        return watch.core_s

    rows: list[Row] = []
    for name, ours, matrix, target in (
        ("P1 score from values vs copy of values", from_values, world.values, FROM_VALUES),
        (
            "P1 score from measures vs copy of inputs",
            from_measures,
            world.inputs.values,
            FROM_MEASURES,
        ),
    ):
        copy = _fresh_copy(matrix)
        for first in (ours, copy):
            first(0)  # Not counted: memory that nobody has used yet is slower than any other.
        taken, reference = alternate(ours, copy, repeats=repeats)
        rows.append(
            Row(
                name=name,
                unit="s",
                ours=taken,
                reference=reference,
                ratio=taken / reference,
                bound=Bound.AT_MOST,
                target=target,
                growth=GROWTH,
            )
        )
    return rows


def _fresh_copy(matrix: npt.NDArray[np.int64]) -> Callable[[int], float]:
    """A run that copies a matrix into fresh memory; it gives seconds of one core.

    An allocator hands out recycled memory where it has any, which another row left. So the copy
    has its own, whose pages are given back before each run and come back cleared.
    """
    rows = matrix.T if matrix.flags.f_contiguous else matrix  # In the order in which it lies.
    room = mmap.mmap(-1, max(rows.nbytes, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # As numpy asks for.
        room.madvise(mmap.MADV_HUGEPAGE)
    copied = np.frombuffer(room, rows.dtype, rows.size).reshape(rows.shape)

    def copy(_run: int) -> float:
        room.madvise(mmap.MADV_DONTNEED)
        with stopwatch() as watch:
            np.copyto(copied, rows)
        return watch.core_s

    return copy


def measure_p2(*, subjects: int, repeats: int) -> Row:
    """Measure the compiled model against the numpy scorer, both from measures.

    Args:
        subjects: Subjects of one run.
        repeats: Runs of each side.

    Returns:
        Subjects a second, one thread each.

    Raises:
        BenchmarkError: Points, weights or grades of one subject differ.
    """
    world = make_world(subjects)
    scorer = OnnxScorer.load(compile_model(world.model, world.reference, DAY), threads=1)
    theirs = score(world.model, world.inputs, world.reference, DAY)
    ours = scorer.score(world.inputs, DAY)
    same = (
        np.array_equal(ours.points_centi, theirs.points_centi)
        and np.array_equal(ours.weights_centi, theirs.weights_centi)
        and np.array_equal(ours.total_centi, theirs.total_centi)
        and ours.grades == theirs.grades
    )
    if not same:
        wrong = (ours.points_centi != theirs.points_centi).any(axis=1)
        raise BenchmarkError(
            f"ONNX and numpy differ in the points of {int(wrong.sum())} of {subjects} subjects; "
            "expected the same points, weights, totals and grades"
        )

    def by_onnx(_run: int) -> float:
        with stopwatch() as watch:
            scorer.score(world.inputs, DAY)
        return subjects / watch.core_s

    def by_numpy(_run: int) -> float:
        with stopwatch() as watch:
            score(world.model, world.inputs, world.reference, DAY)
        return subjects / watch.core_s

    speed, reference = alternate(by_onnx, by_numpy, repeats=repeats)
    return Row(
        name=f"P2 ONNX vs numpy, {subjects:,} subjects with equal points",
        unit="subjects/s",
        ours=speed,
        reference=reference,
        ratio=speed / reference,
        bound=Bound.AT_LEAST,
        target=ONNX,
        growth=GROWTH,
    )
