"""Models and input tables for tests of the scoring kernel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import yaml

from scoring_kernel.inputs import InputTable
from scoring_kernel.legal_basis import LegalBasis, parse_legal_basis
from scoring_kernel.model_files import parse_model
from scoring_kernel.strict_yaml import load_strict
from scoring_kernel.units import Unit, parse_units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring_kernel.model import RatingModel

ROOT: Final = Path(__file__).parents[2]
CATALOG: Final = ROOT / "scoring_kernel" / "catalog"
CASES: Final = ROOT / "tests" / "cases"
INSTITUTION_FILE: Final = "models/designated_medical_institution.yaml"
SMALL_FILE: Final = "models/small.yaml"

SMALL_MODEL: Final = (CASES / "kernel" / "small_model.yaml").read_text("utf-8")
"""A model with tallies, gates and growths, every missing policy and kind of threshold."""
TINY_FILE: Final = "models/tiny.yaml"
TINY_MODEL: Final = (CASES / "kernel" / "tiny_model.yaml").read_text("utf-8")
"""A model with every shape, shrinkage, overrides, two band sets and a register."""
WIDE_MODEL: Final = (CASES / "kernel" / "wide_model.yaml").read_text("utf-8")
"""A model with the formulas, sides, statistics and policies the other two leave out."""


def units(content: str | None = None) -> Mapping[str, Unit]:
    name = "units.yaml"
    data = (CATALOG / name).read_bytes() if content is None else content.encode()
    return parse_units(load_strict(data, name))


def legal_basis(content: str | None = None) -> Mapping[str, LegalBasis]:
    name = "legal_basis.yaml"
    data = (CATALOG / name).read_bytes() if content is None else content.encode()
    return parse_legal_basis(load_strict(data, name))


def model_of(content: str, file: str = SMALL_FILE, *, sources: str | None = None) -> RatingModel:
    data = content.encode()
    return parse_model(
        load_strict(data, file),
        file,
        units=units(),
        legal_basis=legal_basis(sources),
        digest=hashlib.sha256(data).digest(),
    )


def institution_model() -> RatingModel:
    return model_of((CATALOG / INSTITUTION_FILE).read_text("utf-8"), INSTITUTION_FILE)


def small_model() -> RatingModel:
    return model_of(SMALL_MODEL)


def tiny_model() -> RatingModel:
    return model_of(TINY_MODEL, TINY_FILE)


def wide_model() -> RatingModel:
    return model_of(WIDE_MODEL, "models/wide.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One subject of a test: inputs by column, absent where not present."""

    inputs: Mapping[str, int]
    level: str = "3"
    type: str = "general"


def table(model: RatingModel, subjects: Sequence[Subject]) -> InputTable:
    parts = {}
    for column in model.input_columns:
        parts[column] = (
            np.array([one.inputs.get(column, 0) for one in subjects], np.int64),
            np.array([column in one.inputs for one in subjects], np.bool_),
        )
    return InputTable.assemble(
        model,
        [f"H{index:011d}" for index in range(len(subjects))],
        [one.level for one in subjects],
        [one.type for one in subjects],
        parts,
    )


def load_cases(name: str, *, folder: str = "kernel") -> list[dict[str, Any]]:
    """Cases of one table of ``tests/cases``; supervisors read and extend them."""
    text = (CASES / folder / f"{name}.yaml").read_text("utf-8")
    cases: list[dict[str, Any]] = yaml.safe_load(text)["cases"]
    return cases
