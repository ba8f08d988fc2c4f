"""P1 against its peers: pandas row by row, and the decision engine zen-engine (GoRules).

Both are optional (extra ``bench``): a row whose peer is not installed says so. Every result of a
peer is compared with ours before it counts. Cost of all three grows linearly with subjects.
"""

import importlib
from types import ModuleType
from typing import Any, Final

import numpy as np
import orjson

from deploy.benchmarks.kernel_plain import GROUP, PlainScorer
from deploy.benchmarks.kernel_world import World
from deploy.benchmarks.measuring import Bound, Row, Skipped, alternate, stopwatch
from deploy.errors import BenchmarkError
from scoring_kernel.curves import LinearCurve
from scoring_kernel.grades import names_of
from scoring_kernel.sweep import Sweep, sweep_values

PANDAS_TARGET: Final = 50.0
ZEN_TARGET: Final = 1.0
GROWTH: Final = "linear in subjects and indicators"
INSTALL: Final = "install it with `pip install 'yixin[bench]'`"

_PANDAS_ROW: Final = "P1 from values vs pandas row by row"
_ZEN_ROW: Final = "P1 from values vs zen-engine"


def find_module(name: str) -> ModuleType | None:
    """A module that may not be installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def measure_pandas(world: World, *, sample: int, repeats: int) -> Row | Skipped:
    """Measure subjects a second against ``DataFrame.apply`` over rows.

    Args:
        world: Subjects; all of them are ours.
        sample: Subjects the peer scores, the first ones.
        repeats: Runs of each side.

    Returns:
        Subjects a second of one core.

    Raises:
        BenchmarkError: One of the sample's points, totals or grades differs.
    """
    pandas = find_module("pandas")
    if pandas is None:
        return Skipped(name=_PANDAS_ROW, reason=f"pandas is missing: {INSTALL}")
    scorer, frame = PlainScorer(world.plan), _frame(pandas, world, sample)
    theirs = frame.apply(scorer, axis=1)
    ours = _score(world)
    grades = names_of(world.model.bands, ours.grade[: len(frame)])
    for row, score in enumerate(theirs):
        found = ours.points[:, row].tolist(), int(ours.total[row]), grades[row]
        if found != (list(score.points), score.total, score.grade):
            raise BenchmarkError(
                f"subject {world.inputs.subjects[row]}: the kernel gives {found[1:]}, plain Python "
                f"{(score.total, score.grade)}; expected the same points"
            )

    def by_pandas(_run: int) -> float:
        with stopwatch() as watch:
            frame.apply(scorer, axis=1)
        return len(frame) / watch.core_s

    return _speed(_PANDAS_ROW, world, by_pandas, PANDAS_TARGET, repeats)


def measure_zen(world: World, *, sample: int, repeats: int) -> Row | Skipped:
    """Measure subjects a second against zen-engine, a batch of decisions a run.

    The decision has the linear indicators of one peer group, their sum, and no missing data;
    its numbers are decimals of 28 places, so its points are exact too.

    Args:
        world: Subjects; all of them, with all indicators, are ours.
        sample: Subjects the peer scores, the first ones.
        repeats: Runs of each side.

    Returns:
        Subjects a second of one core.

    Raises:
        BenchmarkError: One of the sample's points differs.
    """
    zen = find_module("zen")
    if zen is None:
        return Skipped(name=_ZEN_ROW, reason=f"zen-engine is missing: {INSTALL}")
    group = int(world.groups[0])
    lines = {
        at: curve
        for at, one in enumerate(world.plan.indicators)
        if isinstance(curve := one.curves[group], LinearCurve)
    }
    values = np.ascontiguousarray(world.values[:sample])
    rows = len(values)
    engine = zen.ZenEngine(
        {"loader": {"type": "static", "content": {"points": _decision(world, lines)}}}
    )
    requests = [
        {"key": "points", "context": {f"v{at}": row[at] for at in lines}} for row in values.tolist()
    ]
    ours = sweep_values(
        world.plan, values, np.ones(values.shape, np.bool_), np.full(rows, group, np.int64)
    )
    for row, answer in enumerate(engine.evaluate_batch(requests)):
        result = answer["data"]["result"] if answer["success"] else {}
        found = [result.get(f"p{at}") for at in lines]
        expected = ours.points[list(lines), row].tolist()
        if found != expected or result["total"] != sum(expected):
            raise BenchmarkError(
                f"subject {world.inputs.subjects[row]}: the kernel gives {expected}, zen-engine "
                f"{found}; expected the same points"
            )

    def by_zen(_run: int) -> float:
        with stopwatch() as watch:
            engine.evaluate_batch(requests)
        return rows / watch.core_s

    name = f"{_ZEN_ROW} ({len(lines)} linear indicators)"
    return _speed(name, world, by_zen, ZEN_TARGET, repeats)


def _score(world: World) -> Sweep:
    return sweep_values(world.plan, world.values, world.present, world.groups, world.overridden)


def _speed(name: str, world: World, peer: Any, target: float, repeats: int) -> Row:  # noqa: ANN401  # A run, as `alternate` takes it.
    def by_us(_run: int) -> float:
        with stopwatch() as watch:
            names_of(world.model.bands, _score(world).grade)
        return len(world.groups) / watch.core_s

    ours, reference = alternate(by_us, peer, repeats=repeats)
    return Row(
        name=name,
        unit="subjects/s",
        ours=ours,
        reference=reference,
        ratio=ours / reference,
        bound=Bound.AT_LEAST,
        target=target,
        growth=GROWTH,
    )


def _frame(pandas: ModuleType, world: World, sample: int) -> Any:  # noqa: ANN401  # pandas is optional.
    """A table of the first subjects: NaN where a value is missing."""
    values, present = world.values[:sample], world.present[:sample]
    columns = {GROUP: world.groups[:sample].astype(np.float64)}
    for at, one in enumerate(world.model.indicators):
        columns[one.id] = np.where(present[:, at], values[:, at], np.nan)
    for at, override in enumerate(world.model.overrides):
        columns[override.id] = world.overridden[:sample, at].astype(np.float64)
    return pandas.DataFrame(columns)


def _decision(world: World, lines: dict[int, LinearCurve]) -> Any:  # noqa: ANN401  # A JSON object.
    """Decision graph of the linear indicators: an input, expressions, an output."""
    expressions = []
    for at, curve in lines.items():
        low, high = sorted((curve.zero, curve.full))
        inside = f"max([{low}, min([{high}, v{at}])])"
        far = f"{inside} - {low}" if curve.zero == low else f"{high} - {inside}"
        weight = world.model.indicators[at].weight_centi
        points = f"floor((2 * {weight} * ({far}) + {high - low}) / {2 * (high - low)})"
        expressions.append({"id": f"e{at}", "key": f"p{at}", "value": points})
    total = " + ".join(f"$.p{at}" for at in lines)
    expressions.append({"id": "total", "key": "total", "value": total})
    graph = {
        "contentType": "application/vnd.gorules.decision",
        "nodes": [
            _node("in", "inputNode", {}),
            _node("points", "expressionNode", {"content": {"expressions": expressions}}),
            _node("out", "outputNode", {}),
        ],
        "edges": [
            {"id": "first", "type": "edge", "sourceId": "in", "targetId": "points"},
            {"id": "second", "type": "edge", "sourceId": "points", "targetId": "out"},
        ],
    }
    # Through JSON once, so that what the engine reads is what a file would hold.
    return orjson.loads(orjson.dumps(graph))


def _node(name: str, kind: str, more: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "name": name, "type": kind, "position": {"x": 0, "y": 0}, **more}
