"""Made-up models and input tables, wide in what they hold: for comparing two scorers."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.bands import Band, BandSet
from scoring_kernel.formulas import (
    Difference,
    Formula,
    GatedRatio,
    Growth,
    MeanOfRatios,
    Ratio,
    Scaled,
    Tally,
    Term,
)
from scoring_kernel.groups import Group
from scoring_kernel.indicators import Indicator, MissingPolicy, Status
from scoring_kernel.inputs import MAX_INPUT, InputTable
from scoring_kernel.model import PeerLabel, RatingModel
from scoring_kernel.overrides import Override
from scoring_kernel.parameters import MICRO, SCALAR, DatedAmounts, Parameter
from scoring_kernel.register_spec import Register
from scoring_kernel.shapes import (
    BooleanShape,
    LinearShape,
    RobustZShape,
    Shape,
    Side,
    Step,
    StepShape,
    Threshold,
)
from scoring_kernel.shrinkage import Shrinkage
from scoring_kernel.units import Unit

if TYPE_CHECKING:
    from random import Random

DAY: Final = date(2026, 6, 30)
LEVELS: Final = ("3", "2", "1")
TYPES: Final = ("general", "tcm", "other")
_SINCE: Final = date(2024, 1, 1)
_UNIT: Final = Unit(id="1", name_zh="无", name_en="none")
_WORDS: Final = ("无", "none")
_MEASURES: Final = tuple(f"work.m{place}" for place in range(6))
_STATISTICS: Final = ("p10", "p25", "p50", "p75", "p90")


def made_up_model(random: Random) -> RatingModel:
    """A model of every formula, shape, policy and threshold, weights in odd hundredths."""
    groups: list[Group] = []
    indicators: list[Indicator] = []
    for outer in range(random.randint(1, 3)):
        inner: list[Group] = []
        top = f"top{outer}"
        for place in range(random.randint(1, 3)):
            name = f"{top}_{place}"
            weights = [random.randint(1, 4_000) for _ in range(random.randint(1, 4))]
            inner.append(_group(name, top, sum(weights)))
            for weight in weights:
                indicators.append(_indicator(random, len(indicators), weight, top, inner[-1]))
        groups += [_group(top, None, sum(one.weight_centi for one in inner)), *inner]
    total = sum(one.weight_centi for one in indicators)
    bands = _bands(random, total)
    return RatingModel(
        id="made_up",
        alias=None,
        subject_class="test_subject",
        name_zh="测试",
        name_en="Test",
        status=Status.PROPOSAL,
        since=date(2020, 1, 1),
        until=None,
        basis="test",
        digest=hashlib.sha256(repr(indicators).encode()).digest(),
        register=Register(item="20", prefix=None, where={}, level="level", type="type"),
        pushed=True,
        levels=LEVELS,
        types=TYPES,
        total_centi=total,
        min_coverage=random.randint(0, total),
        min_peer=random.randint(1, 4),
        peers=random.choice(tuple(PeerLabel)),
        groups=tuple(groups),
        indicators=tuple(indicators),
        band_sets={"grades": bands},
        overrides=tuple(_override(random, place, bands) for place in range(random.randint(0, 3))),
    )


def _group(name: str, parent: str | None, weight: int) -> Group:
    return Group(id=name, name_zh=name, name_en=name, parent=parent, weight_centi=weight)


def _bands(random: Random, total: int) -> BandSet:
    cuts = sorted({random.randint(1, total) for _ in range(random.randint(1, 4))}, reverse=True)
    return BandSet(
        id="grades",
        basis="test",
        bands=tuple(
            Band(id=f"g{place}", name_zh="级", name_en="grade", letter=None, at_least_centi=cut)
            for place, cut in enumerate((*cuts, 0))
        ),
    )


def _override(random: Random, place: int, bands: BandSet) -> Override:
    return Override(
        id=f"o{place}",
        name_zh="限",
        name_en="cap",
        columns=tuple(random.sample(_columns(), random.randint(1, 3))),
        caps={"grades": random.choice(bands.bands[1:]).id},
        since=random.choice((_SINCE, date(2027, 1, 1))),
        until=random.choice((None, date(2026, 1, 1), date(2028, 1, 1))),
        basis="test",
        laws=(),
    )


def _columns() -> list[str]:
    return [f"{name}@{when}" for name in _MEASURES for when in ("current", "base", "prior")]


def _indicator(random: Random, at: int, weight: int, top: str, group: Group) -> Indicator:
    few = random.random() < 0.3
    return Indicator(
        id=f"i{at}",
        number=at + 1,
        name_zh="指标",
        name_en="indicator",
        level1=_group(top, None, 1),
        level2=group,
        weight_centi=weight,
        unit=_UNIT,
        derivation=_formula(random),
        shrink=(
            Shrinkage(sample=random.choice(_columns()), least=random.choice((1, 30, 1_000)))
            if few
            else None
        ),
        shape=_shape(random),
        missing=random.choice((*MissingPolicy, MissingPolicy.EXCLUDE)),
        status=Status.PROPOSAL,
        basis="test",
        laws=(),
        parameters={},
        improve=None,
    )


def _parameter(*amounts: tuple[str, int]) -> Parameter:
    value = DatedAmounts(since=_SINCE, amounts=dict(amounts), basis="test")
    by = "level" if len(amounts) > 1 else None
    return Parameter(owner="test", name="p", unit="1", by=by, values=(value,))


def _formula(random: Random) -> Formula:
    one, two, three = random.sample(_columns(), 3)
    measure, over = random.sample(_MEASURES, 2)
    ratio = Ratio(
        numerator=one,
        denominator=random.choice((two, 7, 2_000_000)),
        empty=random.choice((None, 0, MICRO)),
    )
    terms = tuple(
        Term(key=f"k{place}", column=column, name_zh="事", name_en="event", unit=_UNIT)
        for place, column in enumerate((one, two))
    )
    points = {term.key: random.choice((1, MICRO // 3, 1_000 * MICRO)) for term in terms}
    tally = DatedAmounts(since=_SINCE, amounts=points, basis="test")
    return random.choice(
        (
            Scaled(column=one, divisor=random.choice((1, 3, 1_000_000))),
            ratio,
            Difference(of=one, minus=two, divisor=random.choice((1, 1_000))),
            GatedRatio(
                gate=one,
                numerator=two,
                denominator=three,
                required=_parameter((SCALAR, random.choice((MICRO, 2_500_000)))),
                partial=_parameter((SCALAR, random.choice((0, 600_000, MICRO)))),
                shut=_WORDS,
                partly=_WORDS,
            ),
            MeanOfRatios(ratios=(ratio, Ratio(numerator=two, denominator=three))),
            Tally(
                start=random.choice((0, 30 * MICRO)),
                sign=random.choice((-1, 1)),
                parameter=Parameter(owner="test", name="t", unit="1", by="key", values=(tally,)),
                terms=terms,
            ),
            Growth(
                of=measure,
                over=random.choice((None, over)),
                base=random.choice(("base", "prior")),
            ),
        )
    )


def _threshold(random: Random) -> Threshold:
    number = random.choice((0, MICRO, -MICRO, random.randint(-(10**7), 10**9)))
    dated = _parameter(*((level, number + place) for place, level in enumerate(LEVELS)))
    return random.choice(
        (
            Threshold(constant=number),
            Threshold(parameter=dated),
            Threshold(peer=random.choice(_STATISTICS)),
            Threshold(peer=random.choice(_STATISTICS), plus=_parameter((SCALAR, number))),
            Threshold(peer=random.choice(_STATISTICS), least=dated),
        )
    )


def _shape(random: Random) -> Shape:
    better = random.random() < 0.5
    shares = sorted(random.sample(range(10_001), 4), reverse=True)
    return random.choice(
        (
            LinearShape(higher_is_better=better, zero=_threshold(random), full=_threshold(random)),
            StepShape(
                higher_is_better=better,
                steps=tuple(Step(at=_threshold(random), share_e4=share) for share in shares[:3]),
                rest_e4=shares[3],
            ),
            RobustZShape(
                side=random.choice(tuple(Side)),
                full_centi=random.choice((0, 100)),
                zero_centi=random.choice((200, 400)),
                least_spread=Threshold(constant=random.choice((1, MICRO))),
            ),
            BooleanShape(good=better),
        )
    )


def made_up_table(model: RatingModel, seed: int, rows: int) -> InputTable:
    """Inputs of every size: nothing, ties, extremes; some rows with all, most with gaps.

    Args:
        model: Its columns, levels and types.
        seed: Of the generator.
        rows: Number of subjects.
    """
    rng = np.random.default_rng(seed)  # noqa: TID251  # Repeatable, not secret.
    columns = model.input_columns
    shape = (len(columns), rows)
    kinds = (
        rng.integers(0, 4, shape),
        rng.integers(0, 100, shape),
        rng.integers(0, 10**6, shape),
        rng.integers(0, 10**12, shape),
        rng.integers(-50, 50, shape),
        rng.choice((-MAX_INPUT, 1 - MAX_INPUT, -1, MAX_INPUT - 1, MAX_INPUT), shape),
        # Quotients of these end in exactly half a millionth.
        rng.choice((1, 3, 5, 10**6 + 1, 2_000_000, 4_000_000), shape),
    )
    # A row of one kind has neighbours it can be divided by; a mixed row has not.
    which = np.where(
        rng.random(rows) < 0.7, rng.integers(0, len(kinds), rows), rng.integers(0, 7, shape)
    )
    values = np.select([which == place for place in range(len(kinds))], kinds)
    gaps = rng.choice((0.0, 0.02, 0.2, 0.7, 1.0), rows)
    present = rng.random(shape) >= gaps
    return InputTable(
        subjects=tuple(f"H{row:011d}" for row in range(rows)),
        levels=tuple(rng.choice(model.levels, rows).tolist()),
        types=tuple(rng.choice(model.types, rows).tolist()),
        columns=columns,
        values=np.where(present, values, 0).T,
        present=present.T,
    )
