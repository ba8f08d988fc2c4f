"""Composite models (综合评分): published star ratings reproduced from a model file.

Scores here are float64 in one fixed order of operations, outside the integer plan of
the points models; bands lie over real scores.
"""

from scoring_kernel.composite.explanation import CompositeExplanation, explain_composite
from scoring_kernel.composite.measure_table import MeasureTable, parse_measure_table
from scoring_kernel.composite.model import CompositeModel, parse_composite
from scoring_kernel.composite.scoring import CompositeResult, score_composite
from scoring_kernel.composite.table import CompositeTable

__all__ = [
    "CompositeExplanation",
    "CompositeModel",
    "CompositeResult",
    "CompositeTable",
    "MeasureTable",
    "explain_composite",
    "parse_composite",
    "parse_measure_table",
    "score_composite",
]
