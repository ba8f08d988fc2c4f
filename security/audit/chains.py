"""Chains of a log, followed from leaf to leaf: no gap, no fork, nothing logged twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protos.yixin.v1 import envelope_pb2
from security.audit.report import Failure
from security.chain import GENESIS, ChainPosition, Step, check_next
from security.errors import ChainForkError, ChainGapError

if TYPE_CHECKING:
    from protos.yixin.v1 import transparency_pb2


class ChainAuditor:
    """Follows every chain of a log from leaf to leaf."""

    def __init__(self, *, from_start: bool) -> None:
        """Begin.

        Args:
            from_start: Whether the first leaf seen is the log's first: then every chain must
                begin at its beginning, else it may begin anywhere.
        """
        self._from_start = from_start
        self._held: dict[tuple[str, str, int], ChainPosition] = {}
        self._known: dict[tuple[str, str, int], dict[tuple[int, int], bytes]] = {}

    def follow(
        self,
        leaf: transparency_pb2.LogLeaf,
        header: envelope_pb2.EnvelopeHeader | None,
    ) -> Failure | None:
        """Check that a leaf goes on where its chain stood.

        Args:
            leaf: The next leaf.
            header: Header of its envelope where it is shown; without it, only the numbering of
                the chain is checked, not the hashes that link it.
        """
        chain = (leaf.sender, leaf.recipient, leaf.lane)
        known = self._known.setdefault(chain, {})
        here = ChainPosition(incarnation=leaf.incarnation, seq=leaf.seq, hash=leaf.envelope_hash)
        held = self._held.get(chain)
        if header is not None and (header.incarnation, header.seq) != (leaf.incarnation, leaf.seq):
            header = None
        if held is None and not self._from_start:
            failure = None
        else:
            failure = _find_chain_failure(held or GENESIS, known, here, header)
        known.setdefault((here.incarnation, here.seq), here.hash)
        if held is None or (here.incarnation, here.seq) > (held.incarnation, held.seq):
            self._held[chain] = here
        return failure


def _find_chain_failure(
    held: ChainPosition,
    known: dict[tuple[int, int], bytes],
    here: ChainPosition,
    header: envelope_pb2.EnvelopeHeader | None,
) -> Failure | None:
    place = f"incarnation {here.incarnation}, seq {here.seq}"
    stood = f"the chain stood at incarnation {held.incarnation}, seq {held.seq}"
    try:
        step = check_next(
            held,
            lambda incarnation, seq: known.get((incarnation, seq)),
            header or _numbering(held, here),
            here.hash,
            issued_incarnation=max(1, held.incarnation, here.incarnation),
        )
    except ChainForkError:
        return Failure(check="chain_fork", detail=f"{place} has two histories; {stood}")
    except ChainGapError:
        return Failure(check="chain_gap", detail=f"{place} leaves a gap; {stood}")
    if step is Step.SAME:
        return Failure(check="logged_twice", detail=f"{place} is already in the log; {stood}")
    return None


def _numbering(held: ChainPosition, here: ChainPosition) -> envelope_pb2.EnvelopeHeader:
    begins = here.incarnation > held.incarnation
    return envelope_pb2.EnvelopeHeader(
        incarnation=here.incarnation,
        seq=here.seq,
        previous_hash=held.hash,
        cited_incarnation=held.incarnation if begins else 0,
        cited_seq=held.seq if begins else 0,
    )
