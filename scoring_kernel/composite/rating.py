"""Bands of composite scores, peer group by peer group.

Rules:
- Only rated subjects enter a peer group; an empty peer group bands nobody and is
  listed with size 0.
- Fewer distinct scores than clusters is an error or leaves the peer group unrated, as
  the model says; nothing else is ever guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from scoring_kernel.composite.banding import FixedCuts, OptimalKMeans, QuantileCuts, SeededKMeans
from scoring_kernel.composite.clustering import find_optimal_clusters, find_seeded_clusters
from scoring_kernel.composite.model import PeerGroups
from scoring_kernel.composite.standardising import nearest_rank
from scoring_kernel.errors import KernelInputError

if TYPE_CHECKING:
    from scoring_kernel.composite.clustering import Clusters
    from scoring_kernel.composite.model import CompositeModel
    from scoring_kernel.composite.standardising import FloatVector
    from scoring_kernel.measures import BoolVector, IntVector


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerGroup:
    """What was found in one peer group.

    Attributes:
        reported_groups: Reported groups of its subjects; None where all are peers.
        size: Rated subjects.
        banded: Whether its subjects got bands: false when empty or too small.
        centres: Centres of its clusters, best band first; empty under other rules.
    """

    reported_groups: int | None
    size: int
    banded: bool
    centres: tuple[float, ...]


def band_subjects(
    model: CompositeModel, summary: FloatVector, rated: BoolVector, reported: IntVector
) -> tuple[npt.NDArray[np.int64], tuple[PeerGroup, ...]]:
    """Find the band of every rated subject among its peers.

    Args:
        model: The model.
        summary: Summary scores, shape (n,), finite where rated.
        rated: Whether a subject may be banded, shape (n,).
        reported: Number of reported groups, shape (n,).

    Returns:
        Position of the band in ``model.bands``, shape (n,), -1 without one; and the
        peer groups, in ascending number of reported groups.

    Raises:
        KernelInputError: A peer group is too small and the model refuses that, or a
            clustering does not end.
    """
    numbers: tuple[int | None, ...] = (None,)
    if model.peers is PeerGroups.REPORTED_GROUPS:
        numbers = tuple(range(model.least_groups, len(model.groups) + 1))
    bands = np.full(len(summary), -1, np.int64)
    peers: list[PeerGroup] = []
    for number in numbers:
        members = np.flatnonzero(rated if number is None else rated & (reported == number))
        found = _find_places(model, summary[members], number) if len(members) else None
        if found is not None:
            # A rule counts from the worst band, the model from the best.
            bands[members] = len(model.bands) - 1 - found[0]
        peers.append(
            PeerGroup(
                reported_groups=number,
                size=len(members),
                banded=found is not None,
                centres=() if found is None else found[1],
            )
        )
    return bands, tuple(peers)


def _find_places(
    model: CompositeModel, scores: FloatVector, number: int | None
) -> tuple[IntVector, tuple[float, ...]] | None:
    """Places from the worst band upwards and centres from the best; None: too few scores."""
    rule, count = model.rule, len(model.bands)
    if isinstance(rule, FixedCuts):
        return np.searchsorted(np.array(rule.cuts), scores, side="right").astype(np.int64), ()
    if isinstance(rule, QuantileCuts):
        ordered = np.sort(scores)
        cuts = np.array([nearest_rank(ordered, share) for share in rule.shares])
        return np.searchsorted(cuts, scores, side="right").astype(np.int64), ()
    found = _find_clusters(rule, scores, count)
    if found is not None:
        return found.places, tuple(reversed(found.centres))
    if rule.refuse_small:
        peers = "all subjects" if number is None else f"subjects with {number} reported groups"
        raise KernelInputError(
            f"model {model.id}: {len(scores)} {peers} have {len(np.unique(scores))} distinct "
            f"scores, which do not part into {count} bands: rate more subjects, or let the "
            "model say too_few: not_rated"
        )
    return None


def _find_clusters(
    rule: SeededKMeans | OptimalKMeans, scores: FloatVector, count: int
) -> Clusters | None:
    if isinstance(rule, OptimalKMeans):
        return find_optimal_clusters(scores, count)
    return find_seeded_clusters(scores, count, rule.passes, rule.most_rounds)
