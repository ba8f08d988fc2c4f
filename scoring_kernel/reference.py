"""The peer reference (同类参照): statistics of indicator values among peers, frozen.

Rules:
- Peers share level and type; where fewer than the model's ``min_peer`` have a value, they
  share the one label that the model keeps (``peers``: the level of a hospital, the
  specialty of a physician); where these are too few, everybody. Where even everybody is
  too few, there is no statistic: a quantile of a handful says who stands out by chance.
- A quantile is a nearest rank of exact integers: one of the values itself. ``mad`` is the
  nearest-rank median of the distances from the median. Values are those before shrinkage.
- The reference is built once for a period and then travels; the same values give the
  same bytes and the same digest everywhere.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from scoring_kernel.arithmetic import VALUE_LIMIT
from scoring_kernel.derivation import derive
from scoring_kernel.errors import KernelInputError
from scoring_kernel.model import PeerLabel
from scoring_kernel.ops import NumpyOps
from scoring_kernel.shapes import MAD, MEDIAN, STATISTICS
from scoring_kernel.sweep import BLOCK_ROWS, block_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scoring_kernel.indicators import Indicator
    from scoring_kernel.inputs import InputTable
    from scoring_kernel.measures import BoolVector, IntVector
    from scoring_kernel.model import RatingModel

MAX_BYTES: Final = 1024 * 1024
"""Largest serialised reference."""
MAX_ENTRIES: Final = 10_000
"""Most statistics of a reference."""
EVERYBODY: Final = "all"
"""Peer group of all subjects."""

_MAX_TEXT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceValue:
    """One statistic of one peer group.

    Attributes:
        indicator: Id of the indicator.
        statistic: Key of ``STATISTICS``, or ``MAD``.
        peer_group: Name of the group.
        value_micro: Millionths of the indicator's unit.
    """

    indicator: str
    statistic: str
    peer_group: str
    value_micro: int


def peer_groups(level: str, kind: str, kept: PeerLabel) -> tuple[str, str, str]:
    """Groups a subject can be compared with, the narrowest first.

    Args:
        level: Level of the subject.
        kind: Type of the subject.
        kept: Label that is kept where the group of both is too small.

    >>> from scoring_kernel.model import PeerLabel
    >>> peer_groups("3", "general", PeerLabel.TYPE)
    ('level:3/type:general', 'type:general', 'all')
    """
    both, of_level, of_type, everybody = _every_group(level, kind)
    return both, of_level if kept is PeerLabel.LEVEL else of_type, everybody


def _every_group(level: str, kind: str) -> tuple[str, str, str, str]:
    """Groups of a subject in any model, the narrowest first."""
    return f"level:{level}/type:{kind}", f"level:{level}", f"type:{kind}", EVERYBODY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Statistics of all peer groups that are large enough.

    Attributes:
        model_digest: Digest of the model whose indicators they describe.
        day: Day for which parameters were read.
        entries: Statistics by (indicator, statistic, peer group).
    """

    model_digest: bytes
    day: date
    entries: Mapping[tuple[str, str, str], int]

    def __post_init__(self) -> None:
        """Refuse more than a reference can hold, whoever made it.

        Raises:
            KernelInputError: Too many entries, or one is out of bounds.
        """
        if len(self.model_digest) != hashlib.sha256().digest_size:
            raise KernelInputError("reference: expected a model digest of 32 bytes")
        if len(self.entries) > MAX_ENTRIES:
            raise KernelInputError(
                f"reference: {len(self.entries)} entries, expected at most {MAX_ENTRIES}"
            )
        for (indicator, statistic, group), value in self.entries.items():
            if (
                statistic not in (*STATISTICS, MAD)
                or max(len(indicator), len(group)) > _MAX_TEXT
                or abs(value) > VALUE_LIMIT
            ):
                raise KernelInputError(
                    f"reference: entry {indicator[:40]!r} {statistic[:10]!r} {group[:40]!r} "
                    f"is unknown or out of bounds: ask the hub for the reference again"
                )

    @classmethod
    def from_values(
        cls, values: Iterable[ReferenceValue], *, model_digest: bytes, day: date
    ) -> Reference:
        """Build the part of a reference that some values describe.

        Args:
            values: Statistics, for example those that came with grade statements.
            model_digest: Digest of the model, 32 bytes.
            day: Day for which parameters were read.

        Raises:
            KernelInputError: The same statistic is given twice with other numbers.
        """
        entries: dict[tuple[str, str, str], int] = {}
        for value in values:
            key = (value.indicator, value.statistic, value.peer_group)
            if entries.setdefault(key, value.value_micro) != value.value_micro:
                raise KernelInputError(
                    f"reference: {key} is {entries[key]} and {value.value_micro}: "
                    "do not mix statements of different references"
                )
        return cls(model_digest=model_digest, day=day, entries=entries)

    @classmethod
    def from_json(cls, content: bytes) -> Reference:
        """Read a reference that ``to_json`` wrote.

        Args:
            content: At most ``MAX_BYTES``.

        Raises:
            KernelInputError: Anything but the canonical bytes of a reference.
        """
        if len(content) > MAX_BYTES:
            raise KernelInputError(f"reference: {len(content)} bytes, expected at most {MAX_BYTES}")
        try:
            document = json.loads(content)
            found = cls(
                model_digest=bytes.fromhex(document["model_digest"]),
                day=date.fromisoformat(document["day"]),
                entries={
                    (indicator, statistic, group): int(value)
                    for indicator, statistic, group, value in document["values"]
                },
            )
            same = found.to_json() == content
        except (
            ValueError,
            TypeError,
            KeyError,
            OverflowError,
            RecursionError,
        ) as error:
            raise KernelInputError("reference: not the JSON of a reference") from error
        if not same:
            raise KernelInputError("reference: not in canonical form: ask the hub for it again")
        return found

    def to_json(self) -> bytes:
        """Serialise canonically: sorted, compact, ASCII."""
        document = {
            "day": self.day.isoformat(),
            "format": 1,
            "model_digest": self.model_digest.hex(),
            "values": [[*key, value] for key, value in sorted(self.entries.items())],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.to_json()).digest()

    def lookup(
        self, indicator: str, statistic: str, level: str, kind: str
    ) -> tuple[str, int | None]:
        """Find the statistic a subject is compared with.

        Args:
            indicator: Id of the indicator.
            statistic: Key of ``STATISTICS``, or ``MAD``.
            level: Level of the subject.
            kind: Type of the subject.

        Returns:
            The narrowest group that has the statistic and its value in millionths;
            (``EVERYBODY``, None) where no group has. A reference has groups of one kept
            label only: its model's.
        """
        for group in _every_group(level, kind):
            value = self.entries.get((indicator, statistic, group))
            if value is not None:
                return group, value
        return EVERYBODY, None

    def values_for(self, level: str, kind: str) -> tuple[ReferenceValue, ...]:
        """All statistics a subject of that level and type is compared with, sorted."""
        found: list[ReferenceValue] = []
        for indicator, statistic in sorted({key[:2] for key in self.entries}):
            group, value = self.lookup(indicator, statistic, level, kind)
            if value is not None:
                found.append(
                    ReferenceValue(
                        indicator=indicator,
                        statistic=statistic,
                        peer_group=group,
                        value_micro=value,
                    )
                )
        return tuple(found)


def build_reference(model: RatingModel, inputs: InputTable, day: date) -> Reference:
    """Compute the reference of all subjects to be rated.

    Args:
        model: The model, not a draft.
        inputs: Inputs of every subject of the region.
        day: Day for which parameters are read.

    Returns:
        The reference, ready to be frozen.

    Raises:
        DraftModelError: The model is a draft.
        ModelNotInForceError: The model does not hold on the day.
        KernelInputError: The table lacks a column of the model.
        ParameterNotInForceError: A parameter has no value on that day.
    """
    model.refuse_draft()
    model.refuse_day(day)
    members = dict(_members(inputs, model.peers))
    entries: dict[tuple[str, str, str], int] = {}
    for indicator in model.indicators:
        # The median is there for everybody who reads an explanation.
        wanted = sorted({MEDIAN, *indicator.statistics})
        values, present = derived_values(indicator, inputs, day)
        for group, rows in members.items():
            found = values[rows][present[rows]]
            if len(found) < model.min_peer:
                continue
            for statistic, value in zip(wanted, _statistics(found, wanted), strict=True):
                entries[indicator.id, statistic, group] = value
    return Reference(model_digest=model.digest, day=day, entries=entries)


def derived_values(
    indicator: Indicator, inputs: InputTable, day: date
) -> tuple[IntVector, BoolVector]:
    """Derive one indicator of every subject, before shrinkage.

    Args:
        indicator: The indicator.
        inputs: Inputs of n subjects.
        day: Day for which parameters are read.

    Returns:
        Values in millionths, shape (n,), 0 where missing; and presence, shape (n,).

    Raises:
        KernelInputError: The table lacks a column of the indicator.
        ParameterNotInForceError: A parameter has no value on that day.
    """
    n = len(inputs.subjects)
    values, present = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        columns = block_columns(inputs, indicator.derivation.columns, rows)
        found = derive(NumpyOps(), indicator.derivation, columns, day)
        present[rows] = found.present
        values[rows] = np.where(found.present, found.value, 0.0)
    return values, present


def _statistics(values: IntVector, wanted: Sequence[str]) -> list[int]:
    """Statistics of one group's values, in the order asked for."""
    shares = {STATISTICS[MEDIAN], *(STATISTICS[one] for one in wanted if one != MAD)}
    # Only the ranks that are asked for need to stand where sorting would put them.
    ranked = np.partition(values, [_rank(share, len(values)) for share in shares])
    median = nearest_rank(ranked, STATISTICS[MEDIAN])
    return [
        _median_distance(values, median) if one == MAD else nearest_rank(ranked, STATISTICS[one])
        for one in wanted
    ]


def _median_distance(values: IntVector, median: int) -> int:
    # At least half of the values lie on either side of the median, so the median distance
    # is at most half their range, and within ``VALUE_LIMIT``.
    middle = _rank(STATISTICS[MEDIAN], len(values))
    return int(np.partition(np.abs(values - median), middle)[middle])


def _rank(percentage: int, count: int) -> int:
    """Place of a nearest-rank quantile among so many values, from 0."""
    return -(-percentage * count // 100) - 1


def nearest_rank(ranked: IntVector, percentage: int) -> int:
    """Nearest-rank quantile: the smallest value that so many percent do not exceed.

    Args:
        ranked: Values in ascending order, at least as far as the ranks asked for; not empty.
        percentage: 1 to 100.

    Source:
        Hyndman and Fan, Sample Quantiles in Statistical Packages (1996), definition 1.

    >>> nearest_rank(np.arange(1, 11), 90), nearest_rank(np.array([7]), 50)
    (9, 7)
    """
    return int(ranked[_rank(percentage, len(ranked))])


def _members(inputs: InputTable, kept: PeerLabel) -> Iterator[tuple[str, IntVector | slice]]:
    """Rows of every peer group that has a member."""
    yield EVERYBODY, slice(None)
    # Few pairs of level and type occur: groups are made of pairs, not of subjects.
    places = {
        pair: place
        for place, pair in enumerate(dict.fromkeys(zip(inputs.levels, inputs.types, strict=True)))
    }
    pairs = zip(inputs.levels, inputs.types, strict=True)
    codes = np.fromiter(map(places.__getitem__, pairs), np.int64, len(inputs.subjects))
    for width in (0, 1):
        groups: dict[str, list[int]] = {}
        for pair, place in places.items():
            groups.setdefault(peer_groups(*pair, kept)[width], []).append(place)
        for name, members in groups.items():
            belongs = np.zeros(len(places), np.bool_)
            belongs[members] = True
            yield name, np.flatnonzero(belongs[codes])
