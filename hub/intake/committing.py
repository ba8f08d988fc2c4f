"""Commit of a group of checked envelopes: one transaction, then receipts.

Numbered as applied inside the transaction:

0. Senders that are not active members are refused.
1. The chain: the same envelope again gets its first receipt, also when it has expired since; an
   untrusted one, a gap and a fork are refused.
2. A new envelope is of a suite within the sender's policy, and signed by a key of that kind.
3. Custody and the slot rule decide slot by slot; refused slots are quarantined, the rest counts.
4. Leaves are appended to the log, receipts are signed as one group (by SM2 too where one is for
   an envelope of suite GM), and envelopes, heads, rows, index and receipts are written together.

Nothing of a refused envelope is stored. Results are handed out only after the commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine

from hub.domain.members import MemberId, MemberStatus
from hub.errors import HubError, MemberRefusedError
from hub.intake.checking import Checked, Content, Unreadable
from hub.intake.contents import ContentBook, Origin
from hub.store import backups, envelopes, log, members, policies, refusals
from hub.store.custody import CustodyCache
from hub.store.engine import writing
from hub.store.envelopes import AcceptedEnvelope, GroupSeal
from hub.store.identity import HubIdentity, countersigner
from hub.store.log_recovered import RecoveredLeaf, find_recovered, settle_recovered
from hub.store.statements import StatementStore
from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from scoring_kernel.joining import Joining
from security.chain import GENESIS, ChainPosition, Step, check_next
from security.countersigning import countersign_group, sm2_key_id
from security.errors import (
    ChainForkError,
    ChainGapError,
    SecurityError,
    SuitePolicyError,
    UntrustedEnvelopeError,
)
from security.exchange.heads import next_incarnation
from security.group_signature import sign_group
from security.policy import Policy, check_suite
from security.suites import named_suite

RECEIPT_TYPE: Final = "yixin/receipt-group/v1"
_FORMAT: Final = 1
_REFUSALS: Final = (UntrustedEnvelopeError, ChainGapError, ChainForkError, SuitePolicyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refused envelope: the error, and the lane it came on (0 when it could not be read)."""

    error: SecurityError | HubError
    lane: int = 0


Result: TypeAlias = exchange_pb2.Receipt | Refused


@dataclass(slots=True, kw_only=True)
class _Taken:
    """An envelope that was taken, until its receipt is signed."""

    index: int
    log_index: int
    header: envelope_pb2.EnvelopeHeader
    checked: Checked
    refused_parts: int
    recovered: RecoveredLeaf | None
    """Its leaf, where the log has it from before: the envelope comes again."""

    @property
    def position(self) -> ChainPosition:
        return ChainPosition(
            incarnation=self.header.incarnation, seq=self.header.seq, hash=self.checked.hash
        )


@dataclass(slots=True, kw_only=True)
class _Group:
    """State of one commit group inside its transaction."""

    connection: Connection
    contents: ContentBook
    statuses: Mapping[str, MemberStatus]
    policies: Mapping[str, Policy]
    heads: dict[tuple[str, int], ChainPosition]
    next_log_index: int
    recovered: Mapping[bytes, RecoveredLeaf]
    taken: list[_Taken] = field(default_factory=list)
    at_place: dict[tuple[str, int, int, int], _Taken] = field(default_factory=dict)
    repeated: dict[int, int] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)


class Committer:
    """Commits groups of checked envelopes, one group at a time."""

    __slots__ = ("_custody", "_engine", "_identity", "_joining", "_statements")

    def __init__(
        self, engine: Engine, identity: HubIdentity, statements: StatementStore, joining: Joining
    ) -> None:
        self._engine = engine
        self._joining = joining
        self._identity = identity
        self._statements = statements
        self._custody = CustodyCache()

    def commit(self, checked: Sequence[Checked], now_ms: int) -> list[Result | None]:
        """Commit a group.

        Args:
            checked: Envelopes of any senders; those of one sender in the order they came.
            now_ms: Logged time, milliseconds since the epoch, UTC.

        Returns:
            A receipt or a refusal for each envelope, in order; None for envelopes
            behind a refused one of their stream, which the protocol ends there.

        Raises:
            HubStoreError: The database failed; nothing of the group was stored.
        """
        with writing(self._engine) as connection:
            group = self._open(connection, checked, now_ms)
            over: set[int] = set()
            for index, item in enumerate(checked):
                if item.stream in over:
                    continue
                try:
                    self._take(group, index, item)
                except (*_REFUSALS, HubError) as error:
                    lane = item.header.lane if item.header is not None else 0
                    group.results[index] = Refused(error=error, lane=lane)
                    over.add(item.stream)
            if group.taken:
                self._write(group, now_ms)
            stored = envelopes.load_receipts(connection, sorted(set(group.repeated.values())))
        for index, log_index in group.repeated.items():
            group.results[index] = stored[log_index]
        return [group.results.get(index) for index in range(len(checked))]

    def log_refusal(self, item: Checked, error: Exception, now_ms: int) -> None:
        """Store a refused attempt in its own transaction; a fork's second envelope is evidence."""
        attempt = refusals.RefusedAttempt(
            at_ms=now_ms,
            peer=item.peer,
            method="Submit",
            code=type(error).__name__,
            cause=str(getattr(error, "cause", error)),
            envelope_hash=item.hash or None,
            evidence=item.raw if isinstance(error, ChainForkError) else None,
        )
        with writing(self._engine) as connection:
            refusals.add_refusal(connection, attempt)

    def _open(self, connection: Connection, checked: Sequence[Checked], now_ms: int) -> _Group:
        peers = sorted({item.peer for item in checked})
        return _Group(
            connection=connection,
            contents=ContentBook(
                connection,
                self._statements,
                self._custody.get(connection),
                [item.content for item in checked],
                joining=self._joining,
                now_ms=now_ms,
            ),
            statuses=members.statuses(connection, peers),
            policies=policies.policies_of(connection, self._identity.hub, peers),
            heads=envelopes.heads(connection, peers),
            next_log_index=log.size(connection),
            recovered=find_recovered(connection, [item.hash for item in checked]),
        )

    def _take(self, group: _Group, index: int, item: Checked) -> None:
        # 0. The sender.
        if group.statuses.get(item.peer) is not MemberStatus.ACTIVE:
            raise MemberRefusedError(f"{item.peer} is not active")
        header = item.header
        if header is None or header.sender != item.peer:
            rule = item.rule if header is None else None
            raise UntrustedEnvelopeError(item.fault or "the header names another sender", rule)
        # 1. The chain.
        chain = (header.sender, header.lane)
        place = (*chain, header.incarnation, header.seq)
        if item.fault is not None and self._hash_at(group, place) != item.hash:
            raise UntrustedEnvelopeError(item.fault, item.rule)
        held = group.heads.get(chain, GENESIS)
        step = check_next(
            held,
            lambda incarnation, seq: self._hash_at(group, (*chain, incarnation, seq)),
            header,
            item.hash,
            issued_incarnation=next_incarnation(
                held, item.issued.get(header.lane, max(1, held.incarnation)), header.incarnation
            ),
        )
        if step is Step.SAME:
            group.repeated[index] = self._log_index(group, place, item.hash)
            return
        # 2. The suite.
        _verify_suite(group.policies[item.peer], header.suite, item.signed_by)
        # 3. Custody and the slot rule.
        content: Content = item.content or Unreadable(reason="there is no content")
        recovered = group.recovered.get(item.hash)
        log_index = recovered.log_index if recovered else group.next_log_index
        origin = Origin(
            sender=MemberId(header.sender), incarnation=header.incarnation, log_index=log_index
        )
        taken = _Taken(
            index=index,
            log_index=log_index,
            header=header,
            checked=item,
            refused_parts=group.contents.apply(content, origin),
            recovered=recovered,
        )
        group.next_log_index += recovered is None
        group.heads[chain] = taken.position
        group.at_place[place] = taken
        group.taken.append(taken)

    def _hash_at(self, group: _Group, place: tuple[str, int, int, int]) -> bytes | None:
        taken = group.at_place.get(place)
        if taken is not None:
            return taken.checked.hash
        return envelopes.hash_at(group.connection, *place)

    def _log_index(self, group: _Group, place: tuple[str, int, int, int], digest: bytes) -> int:
        taken = group.at_place.get(place)
        if taken is not None:
            return taken.log_index
        sender, lane, incarnation, seq = place
        position = ChainPosition(incarnation=incarnation, seq=seq, hash=digest)
        return envelopes.find_log_index(group.connection, sender, lane, position)

    def _write(self, group: _Group, now_ms: int) -> None:
        # 4. Log, receipts, envelopes, heads, rows and index.
        leaves = [
            log.NewLeaf(
                kind=transparency_pb2.LOG_KIND_ENVELOPE,
                leaf=log.envelope_leaf(
                    taken.header,
                    taken.checked.hash,
                    taken.checked.ciphertext_hash,
                    kind=transparency_pb2.LOG_KIND_ENVELOPE,
                    logged_at_ms=now_ms,
                ),
                period=taken.header.period,
            )
            for taken in group.taken
            if taken.recovered is None
        ]
        if leaves:
            log.append_leaves(group.connection, leaves)
        came = [taken.checked.hash for taken in group.taken if taken.recovered]
        settle_recovered(group.connection, came)
        backed_up = backups.through(
            group.connection, sorted({taken.header.sender for taken in group.taken})
        )
        # Asked once: an epoch may begin at any moment.
        key, sm2 = self._identity.signing, self._identity.sm2_epoch
        seconds = [countersigner(sm2, one.header.suite, now_ms) for one in group.taken]
        bodies = [
            self._receipt_body(taken, backed_up, now_ms, sm2_key_id(second))
            for taken, second in zip(group.taken, seconds, strict=True)
        ]
        _, proofs, signature = sign_group(key, RECEIPT_TYPE, bodies)
        second_key = next(filter(None, seconds), None)
        group_seal = GroupSeal(
            key_id=key.key_id,
            signature=signature,
            sm2_signature=countersign_group(second_key, RECEIPT_TYPE, bodies),
        )
        envelopes.add_group(
            group.connection,
            [
                AcceptedEnvelope(
                    log_index=taken.log_index,
                    sender=taken.header.sender,
                    lane=taken.header.lane,
                    position=taken.position,
                    raw=taken.checked.raw,
                    receipt_body=body,
                )
                for taken, body in zip(group.taken, bodies, strict=True)
            ],
            group_seal,
        )
        group.contents.write()
        for taken, body, proof in zip(group.taken, bodies, proofs, strict=True):
            group.results[taken.index] = envelopes.receipt_message(body, proof, group_seal)

    def _receipt_body(
        self,
        taken: _Taken,
        backed_up: Mapping[tuple[str, int], tuple[int, int]],
        now_ms: int,
        sm2_key_id: str,
    ) -> bytes:
        header = taken.header
        incarnation, seq = backed_up.get((header.sender, header.lane), (0, 0))
        return exchange_pb2.ReceiptBody(
            format=_FORMAT,
            hub=self._identity.hub,
            sender=taken.header.sender,
            lane=taken.header.lane,
            incarnation=taken.header.incarnation,
            seq=taken.header.seq,
            envelope_hash=taken.checked.hash,
            log_index=taken.log_index,
            logged_at_ms=taken.recovered.logged_at_ms if taken.recovered else now_ms,
            status=(
                exchange_pb2.RECEIPT_STATUS_QUARANTINED
                if taken.refused_parts
                else exchange_pb2.RECEIPT_STATUS_STORED
            ),
            quarantined_parts=taken.refused_parts,
            # A seq of this incarnation; of an earlier one nothing is said, which keeps more.
            backed_up_through=seq if incarnation == header.incarnation else 0,
            sm2_key_id=sm2_key_id,
            signed_at_ms=now_ms if taken.recovered else 0,
        ).SerializeToString(deterministic=True)


def _verify_suite(policy: Policy, suite: str, signed_by: str) -> None:
    """Check the suite that an envelope was sealed under, and the key that signed it.

    Raises:
        SuitePolicyError: Another suite is required, or the key signs as another suite does.
    """
    check_suite(policy, suite)
    if named_suite(signed_by).signature is not named_suite(suite).signature:
        raise SuitePolicyError(
            f"The envelope is sealed under {suite}, and signed by a key of {signed_by}. Renew this "
            f"member's keys under one suite of {', '.join(policy.suites)}."
        )
