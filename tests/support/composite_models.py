"""Composite models, measure tables and input tables for tests of the scoring kernel."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.composite import CompositeTable, parse_composite, parse_measure_table
from scoring_kernel.strict_yaml import load_strict
from tests.support.kernel_models import CASES, CATALOG, legal_basis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scoring_kernel.composite import CompositeModel, MeasureTable

SMALL_FILE: Final = "composites/small_composite.yaml"
CMS_FILE: Final = "composites/cms_hospital_stars_2021.yaml"
SMALL: Final = (CASES / "kernel" / "small_composite.yaml").read_text("utf-8")
"""Three groups of weights 0.5, 0.3 and 0.2, three bands."""

_BANDING: Final = SMALL[SMALL.index("banding:") :]


def composite_of(text: str, file: str = SMALL_FILE) -> CompositeModel:
    content = text.encode()
    return parse_composite(
        load_strict(content, file),
        file,
        legal_basis=legal_basis(),
        digest=hashlib.sha256(content).digest(),
    )


def small_composite(*changes: tuple[str, str]) -> CompositeModel:
    """The small model with some of its text replaced."""
    text = SMALL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return composite_of(text)


def with_banding(rule: str, *at_least: str) -> tuple[str, str]:
    """Change of the small model's banding; one ``at_least`` per band but the worst."""
    cuts = [*(f', at_least: "{cut}"' for cut in at_least), *[""] * (3 - len(at_least))]
    bands = "\n".join(
        f"  - {{id: {name}, name_zh: 档, name_en: {name}{cut}}}"
        for name, cut in zip(("high", "middle", "low"), cuts, strict=True)
    )
    return (_BANDING, f"banding: {{{rule}}}\nbands:\n{bands}\n")


def cms_model() -> CompositeModel:
    return composite_of((CATALOG / CMS_FILE).read_text("utf-8"), CMS_FILE)


def measure_table(*rows: tuple[str, str, int]) -> MeasureTable:
    """Measures as (id, group, sign)."""
    return parse_measure_table(
        {"measure_id": name, "group_name": group, "flip_sign": str(sign)}
        for name, group, sign in rows
    )


SMALL_MEASURES: Final = measure_table(
    ("O1", "Outcome", 1), ("O2", "Outcome", -1), ("S1", "Safety", 1), ("P1", "Process", 1)
)


def composite_table(
    rows: Sequence[Sequence[float | None]],
    measures: Sequence[str] = ("O1", "O2", "S1", "P1"),
    *,
    cases: Sequence[Sequence[int]] | None = None,
) -> CompositeTable:
    """Subjects ``s0``, ``s1`` … with their values; None is not reported."""
    values = [[np.nan if one is None else one for one in row] for row in rows]
    return CompositeTable(
        subjects=tuple(f"s{number}" for number in range(len(rows))),
        measures=tuple(measures),
        values=np.array(values, np.float64).reshape(len(rows), len(measures)),
        cases=None if cases is None else np.array(cases, np.int64),
    )
