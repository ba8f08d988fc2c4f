"""Measures, indicators and topics of supervision (监管指标与专题): data, and pure arithmetic.

``loading`` reads and checks them; it takes a second, as it checks SQL, and stands apart.
"""

from scoring_kernel.supervision.evaluation import (
    IndicatorTable,
    Peers,
    indicators_of,
    months_needed,
)
from scoring_kernel.supervision.frames import Monthly, SetRows
from scoring_kernel.supervision.outcomes import Outcome, Reason
from scoring_kernel.supervision.results import TopicResult, conclude
from scoring_kernel.supervision.sets import SupervisionSet
from scoring_kernel.supervision.topics import Topic

__all__ = [
    "IndicatorTable",
    "Monthly",
    "Outcome",
    "Peers",
    "Reason",
    "SetRows",
    "SupervisionSet",
    "Topic",
    "TopicResult",
    "conclude",
    "indicators_of",
    "months_needed",
]
