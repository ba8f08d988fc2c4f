"""Made-up subjects for the kernel's rows: inputs of a model, peers and gaps as they occur.

Sources (a measure set, a department's item) are missing as a whole, for three subjects in a
hundred each, so that patterns of missing indicators repeat as they do in a city. Values, peer
groups and gaps come from one seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from scoring_kernel import load_catalog
from scoring_kernel.formulas import Tally
from scoring_kernel.inputs import InputTable
from scoring_kernel.model import RatingModel
from scoring_kernel.plan import ScoringPlan
from scoring_kernel.reference import Reference, build_reference
from scoring_kernel.sweep import groups_of, sweep_inputs

DAY: Final = date(2026, 6, 30)
MODEL: Final = "designated_medical_institution"
SEED: Final = 20_260_630

Column = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]

_MISSING: Final = 0.03
_MISCONDUCT: Final = 0.01
_LARGEST: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Subjects of one model with everything that scoring them needs.

    Attributes:
        model: The model, k indicators.
        inputs: Inputs of n subjects.
        reference: Peer reference of these subjects.
        plan: Plan of model and reference on ``DAY``.
        groups: Peer group of each subject, shape (n,).
        values: Indicator values, millionths, shape (n, k), column by column in memory.
        present: Where a value is there, shape (n, k).
        overridden: Where each override applies, shape (n, o).
    """

    model: RatingModel
    inputs: InputTable
    reference: Reference
    plan: ScoringPlan
    groups: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    present: npt.NDArray[np.bool_]
    overridden: npt.NDArray[np.bool_]


def make_world(rows: int, name: str = MODEL) -> World:
    """Make subjects of a catalogue's model.

    Args:
        rows: Number of subjects.
        name: Id of the model.
    """
    model = load_catalog().models[name]
    rng = np.random.default_rng(SEED)
    inputs = draw_table(model, rows, rng)
    reference = build_reference(model, inputs, DAY)
    plan = ScoringPlan.of(model, reference, DAY)
    found = sweep_inputs(plan, inputs)
    return World(
        model=model,
        inputs=inputs,
        reference=reference,
        plan=plan,
        groups=groups_of(plan, inputs),
        values=found.values.T,
        present=~found.missing.T,
        overridden=found.overridden.T,
    )


def draw_table(model: RatingModel, rows: int, rng: np.random.Generator) -> InputTable:
    """Draw an input table of a model."""
    levels = rng.choice(model.levels, rows)
    types = rng.choice(model.types, rows)
    return InputTable.assemble(
        model,
        [f"H{row:011d}" for row in range(rows)],
        levels.tolist(),
        types.tolist(),
        draw_parts(model, rows, rng),
    )


def draw_parts(model: RatingModel, rows: int, rng: np.random.Generator) -> Mapping[str, Column]:
    """Draw every column of a model: counts of events are mostly none, numbers anything."""
    misconduct = {column for one in model.overrides for column in one.columns}
    events = {
        column
        for one in model.indicators
        if isinstance(one.derivation, Tally)
        for column in one.derivation.columns
    }
    sources = sorted({_source(column) for column in model.input_columns})
    there = {source: rng.random(rows) >= _MISSING for source in sources}
    parts: dict[str, Column] = {}
    for column in model.input_columns:
        if column in misconduct:
            numbers = (rng.random(rows) < _MISCONDUCT).astype(np.int64)
        elif column in events:
            numbers = rng.poisson(0.5, rows).astype(np.int64)
        else:
            numbers = rng.integers(1, _LARGEST, rows)
        parts[column] = (numbers, there[_source(column)])
    return parts


def _source(column: str) -> str:
    """Item or measure set of a column, with its window."""
    name, _, window = column.partition("@")
    parts = name.split(".")
    return ".".join(parts[:2] if parts[0] == "item" else parts[:1]) + "@" + window
