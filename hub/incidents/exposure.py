"""What a member received and sent since a moment, from the log alone (暴露面).

The log holds kinds, purposes, periods and times, never content: this tells an officer what the
member may have passed on, and what it may have falsified. What others received may hold its data
when they received it of a period that was published after the member had stated something.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Connection

from hub.store import log
from protos.yixin.v1 import transparency_pb2
from security.progress import ProgressReporter
from security.transparency import parse_leaf

__all__ = ["Exposure", "Flow", "exposure"]

Key: TypeAlias = tuple[bool, str, str, str, str, str]
"""Received or sent, recipient, payload type, purpose, period, agreement."""

_RECEIVED: Final = frozenset({transparency_pb2.LOG_KIND_DELIVERY, transparency_pb2.LOG_KIND_QUERY})
_STATEMENTS: Final = "statements"
_CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Equal leaves: what went one way."""

    received: bool
    """Whether the member, or of what holds its data somebody else, received it; else it sent it."""
    recipient: str
    """Who received it: a member, or a class of askers."""
    payload_type: str
    purpose: str
    period: str
    agreement: str
    count: int
    first_index: int
    last_index: int
    last_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What a member received and sent."""

    since_index: int
    """First leaf since the moment; the size of the log when there is none."""
    flows: tuple[Flow, ...]
    """Received first, then sent; the most frequent first."""
    passed_on: tuple[Flow, ...]
    """What others received and may hold what the member stated; the most frequent first."""


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Follows the leaves since the moment."""

    member: str
    flows: dict[Key, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    passed_on: dict[Key, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    has_stated: bool = False
    published: set[str] = field(default_factory=set)

    def take(self, index: int, leaf: transparency_pb2.LogLeaf) -> None:
        received = leaf.kind in _RECEIVED and leaf.recipient == self.member
        key = (
            leaf.kind in _RECEIVED,
            leaf.recipient,
            leaf.payload_type,
            leaf.purpose,
            leaf.period,
            leaf.agreement,
        )
        if received or leaf.sender == self.member:
            self.flows[key].append((index, leaf.logged_at_ms))
            self.has_stated |= leaf.payload_type == _STATEMENTS
        elif leaf.kind in _RECEIVED and leaf.period in self.published:
            self.passed_on[key].append((index, leaf.logged_at_ms))
        elif leaf.kind == transparency_pb2.LOG_KIND_PUBLICATION and self.has_stated:
            self.published.add(leaf.period)


def exposure(
    connection: Connection, member: str, since_ms: int, progress: ProgressReporter
) -> Exposure:
    """Read the log since a moment.

    Args:
        connection: A reading or writing transaction.
        member: Member id.
        since_ms: The moment, milliseconds since the epoch, UTC.
        progress: Told the number of leaves read.

    Raises:
        LogCorruptError: A leaf does not parse.
    """
    size = log.size(connection)
    since_index = size
    reader = _Reader(member=member)
    for index, leaf in _leaves(connection, size, progress):
        if leaf.logged_at_ms < since_ms:
            continue
        since_index = min(since_index, index)
        reader.take(index, leaf)
    return Exposure(
        since_index=since_index, flows=_flows(reader.flows), passed_on=_flows(reader.passed_on)
    )


def _flows(found: dict[Key, list[tuple[int, int]]]) -> tuple[Flow, ...]:
    flows = [
        Flow(
            received=received,
            recipient=recipient,
            payload_type=payload_type,
            purpose=purpose,
            period=period,
            agreement=agreement,
            count=len(places),
            first_index=places[0][0],
            last_index=places[-1][0],
            last_at_ms=max(at_ms for _, at_ms in places),
        )
        for (received, recipient, payload_type, purpose, period, agreement), places in found.items()
    ]
    flows.sort(key=lambda one: (not one.received, -one.count, one.first_index))
    return tuple(flows)


def _leaves(
    connection: Connection, size: int, progress: ProgressReporter
) -> Iterator[tuple[int, transparency_pb2.LogLeaf]]:
    for start in range(0, size, _CHUNK):
        for stored in log.leaves(connection, start, min(start + _CHUNK, size)):
            yield stored.log_index, parse_leaf(stored.leaf)
        progress("reading the log", min(start + _CHUNK, size), size, "leaves")
