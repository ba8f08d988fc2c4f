"""Do clue scores point at the right providers? Against labels that nobody here made.

Ours: the clue score of every provider of the public claims (``node.supervision.ranking``), out of
a node that took them in through the mapping. Reference: ranking the providers by what they were
reimbursed in all. Both are judged on the labelled providers with inpatient claims, over repeated
random halves: the area under the ROC curve, and the average precision. Nothing is fitted to the
labels; the six components were chosen with this data set at hand, their weights are equal.
"""

import csv
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from deploy.benchmarks.measuring import Bound, Row, Skipped
from deploy.errors import BenchmarkError
from deploy.protos import REPOSITORY
from node.app import init_node, opened
from node.supervision.budget import Budget
from node.supervision.ranking import RankedInstitution, rank_institutions
from scoring_kernel.rules import load_rules
from security.progress import no_progress

__all__ = ["area_under_curve", "average_precision", "measure_clues"]

GROWTH: Final = "stays, linear"
_MAPPING: Final = REPOSITORY / "deploy/examples/fraud_claims.mapping.yaml"
_SEED: Final = 20_260_101

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def measure_clues(work: Path, *, splits: int) -> tuple[Row | Skipped, ...]:
    """Measure how well clue scores rank the labelled providers.

    Args:
        work: Empty directory for the node.
        splits: Random halves.

    Returns:
        A row of the area under the curve and one of the average precision, or why there is none.

    Raises:
        BenchmarkError: The claims do not go in, or no provider of theirs is labelled.
    """
    data = REPOSITORY.parent / "shared/data/fraud_claims"
    claims = sorted(data.glob("Train_Inpatientdata*.zip"))
    labels = data / "provider_labels.csv"
    if not claims or not labels.exists():
        reason = "the public claims are not beside the project (shared/data/fraud_claims)"
        return (Skipped(name="clue scores of providers", reason=reason),)
    ranked = _scores(work, claims[0])
    scores, totals, fraud = _labelled(ranked, labels)
    found = _halves(scores, totals, fraud, splits)
    unit = f"over {splits} halves of {len(fraud)} providers"
    return tuple(
        Row(
            name=f"clue score of providers vs total reimbursed, {name}",
            unit=unit,
            ours=float(ours.mean()),
            reference=float(reference.mean()),
            ratio=float(ours.mean() / reference.mean()),
            bound=Bound.AT_LEAST,
            target=1.0,
            growth=GROWTH,
        )
        for name, (ours, reference) in found.items()
    )


def area_under_curve(scores: Floats, positive: Flags) -> float:
    """Area under the ROC curve: how often a positive ranks above a negative, ties for half.

    >>> area_under_curve(np.array([3.0, 2.0, 1.0]), np.array([True, False, False]))
    1.0
    """
    ranked = np.sort(scores)
    below = np.searchsorted(ranked, scores, "left")
    up_to = np.searchsorted(ranked, scores, "right")
    middle = (below + up_to + 1) / 2
    count = int(positive.sum())
    others = len(positive) - count
    return float((middle[positive].sum() - count * (count + 1) / 2) / (count * others))


def average_precision(scores: Floats, positive: Flags) -> float:
    """Mean precision at every positive, from the highest score down.

    >>> average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True]))
    0.8333333333333333
    """
    ordered = positive[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered].mean())


def _scores(work: Path, claims: Path) -> dict[str, RankedInstitution]:
    """Take the claims in and rank the providers; by the provider's own code."""
    node = work / "node"
    init_node(node, [])
    with opened(node) as jobs:
        jobs.ingest({"files": [str(claims)], "mapping": str(_MAPPING)}, no_progress)
        book = load_rules(jobs.catalog)
        score = jobs.catalog.joining.institution_score
        ranked = rank_institutions(jobs.store, book, score, budget=Budget())
        owners = {one.code: one.foreign_code for one in jobs.store.institutions()}
    return {owners[one.institution]: one for one in ranked}


def _labelled(ranked: dict[str, RankedInstitution], labels: Path) -> tuple[Floats, Floats, Flags]:
    with labels.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["Provider"] in ranked]
    if not rows:
        raise BenchmarkError(f"{labels.name} labels no provider of the claims")
    known = [ranked[row["Provider"]] for row in rows]
    return (
        np.array([one.exact_e6 for one in known], np.float64),
        np.array([one.components["fund"] for one in known], np.float64),
        np.array([row["PotentialFraud"] == "Yes" for row in rows]),
    )


def _halves(
    scores: Floats, totals: Floats, fraud: Flags, splits: int
) -> dict[str, tuple[Floats, Floats]]:
    """Judge both rankings on the same random halves."""
    random = np.random.default_rng(_SEED)
    parts = [random.permutation(len(fraud))[: len(fraud) // 2] for _ in range(splits)]
    found = {}
    for name, judge in (("AUC", area_under_curve), ("average precision", average_precision)):
        ours = np.array([judge(scores[part], fraud[part]) for part in parts])
        reference = np.array([judge(totals[part], fraud[part]) for part in parts])
        found[name] = (ours, reference)
    return found
