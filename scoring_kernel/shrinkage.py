"""Shrinkage (小样本收缩): with few cases a value moves towards the peers' median.

Rules:
- From ``least`` cases on a value is its own. Below, ``n`` of ``least`` parts are its own
  and the rest is the median of its peers.
- What a tally or a gated ratio says is a count of events, not an estimate from a sample:
  those do not shrink.

Source:
    Efron and Morris, Stein's Estimation Rule and Its Competitors (1973), for the idea; the
    number of cases is data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scoring_kernel.formula_files import column_of
from scoring_kernel.formulas import GatedRatio, Tally

if TYPE_CHECKING:
    from scoring_kernel.formulas import Formula
    from scoring_kernel.yaml_section import Section

MAX_LEAST: Final = 1_000
"""Most cases a value may need to stand on its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shrinkage:
    """How few cases move a value towards the peers' median.

    Attributes:
        sample: Input column with the number of cases.
        least: Cases from which on the value is its own, 2 to ``MAX_LEAST``.
    """

    sample: str
    least: int


def parse_shrinkage(section: Section, derivation: Formula) -> Shrinkage:
    """Parse the ``shrink`` of an indicator.

    Args:
        section: The mapping.
        derivation: The indicator's formula.

    Raises:
        CatalogError: ``least`` is out of range, or the formula counts events.
    """
    section.refuse_unknown(("sample", "least"))
    if isinstance(derivation, Tally | GatedRatio):
        raise section.error("shrink: a count of events has no sample: remove it")
    return Shrinkage(
        sample=column_of(section, "sample"),
        least=section.integer("least", least=2, most=MAX_LEAST),
    )
