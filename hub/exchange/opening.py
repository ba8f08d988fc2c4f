"""Opening of a stream or a collection: verified heads in, signed heads and keys out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from hub.store import collected_heads, envelopes
from hub.store.certifying import own_keys
from hub.store.engine import reading, writing
from hub.store.epochs import SUITE
from hub.store.identity import HubIdentity, MemberKeys
from hub.store.policies import signed_policy
from hub.store.revocation_lists import current_list
from protos.yixin.v1 import exchange_pb2, identity_pb2
from security.certificates import ENCRYPTION
from security.chain import GENESIS, LANES, ChainPosition
from security.errors import RemoteSyncError, UntrustedCertificateError
from security.exchange import archive
from security.exchange.heads import (
    issue_incarnation,
    open_heads,
    sign_heads,
    to_chain_head,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Answers openings of one hub."""

    engine: Engine = field(repr=False)
    """The hub's database."""
    identity: HubIdentity
    """The hub; it signs its heads."""
    keys: MemberKeys = field(repr=False)
    """Certified keys of members."""
    checkpoint: Callable[[], str] = field(default=str, repr=False)
    """Gives the newest published checkpoint of the log; an empty text where there is none."""

    def answer(
        self, member: str, first: exchange_pb2.SubmitRequest, now_ms: int
    ) -> exchange_pb2.StreamAccepted:
        """Answer the first frame of a Submit stream.

        Args:
            member: The admitted caller.
            first: The frame.
            now_ms: Present moment, milliseconds since the epoch, UTC.

        Returns:
            The hub's heads, its keys, and the incarnation to use on every lane.

        Raises:
            RemoteSyncError: The frame opens nothing, or the heads are not the member's own.
        """
        if not first.HasField("open"):
            raise RemoteSyncError("the first frame of a stream must be signed heads")
        stated = self._verified(member, first.open, now_ms, downlink=False)
        # First the keys: what is signed below is signed by one of them.
        suite = self._suite_of(member, now_ms)
        hub_keys = own_keys(self.engine, self.identity, now_ms, suite)
        with reading(self.engine) as connection:
            held = envelopes.heads_of(connection, member)
            revoked = current_list(connection)
            policy = signed_policy(connection, self.identity, member)
        return exchange_pb2.StreamAccepted(
            heads=sign_heads(
                self.identity.signing,
                signer=self.identity.hub,
                peer=member,
                heads=held,
                at_ms=now_ms,
                downlink=False,
                sm2_key=self.identity.countersigning(suite, now_ms),
            ),
            hub_keys=hub_keys,
            revocations=revoked,
            policy=policy,
            checkpoint=self.checkpoint(),
            incarnations=[
                to_chain_head(lane, issue_incarnation(held.get(lane, GENESIS), stated.get(lane)))
                for lane in LANES
            ],
        )

    def downlink_heads(
        self, member: str, signed: exchange_pb2.SignedHeads, now_ms: int
    ) -> tuple[dict[int, ChainPosition], list[identity_pb2.KeyCertificate]]:
        """Verify the heads of a collection.

        Returns:
            What the member holds by lane, and the hub's keys to send with the first answer.

        Raises:
            RemoteSyncError: The heads are not the member's own.
        """
        heads = self._verified(member, signed, now_ms, downlink=True)
        self._keep(member, signed, heads, now_ms)
        suite = self._suite_of(member, now_ms)
        return heads, own_keys(self.engine, self.identity, now_ms, suite)

    def _keep(
        self,
        member: str,
        signed: exchange_pb2.SignedHeads,
        heads: Mapping[int, ChainPosition],
        now_ms: int,
    ) -> None:
        """Keep signed heads that acknowledge something new: they prove the delivery."""
        with reading(self.engine) as connection:
            if not collected_heads.find_new(connection, member, heads):
                return
        with writing(self.engine) as connection:
            own = {
                lane: position
                for lane, position in collected_heads.find_new(connection, member, heads).items()
                if archive.is_known(connection, member, lane, position)
            }
            raw = signed.SerializeToString(deterministic=True)
            collected_heads.add_heads(connection, member, own, raw, now_ms)

    @staticmethod
    def cursors(heads: Mapping[int, ChainPosition]) -> dict[int, ChainPosition]:
        """Positions per lane behind which a collection starts."""
        return {lane: heads.get(lane, GENESIS) for lane in LANES}

    def _verified(
        self, member: str, signed: exchange_pb2.SignedHeads, now_ms: int, *, downlink: bool
    ) -> dict[int, ChainPosition]:
        with reading(self.engine) as connection:
            self.keys.learn(connection, member)
        return open_heads(
            signed,
            self.keys.keyring,
            signer=member,
            peer=self.identity.hub,
            downlink=downlink,
            now_ms=now_ms,
        )

    def _suite_of(self, member: str, now_ms: int) -> str:
        """The suite that the member has itself: the one of the hub's keys that it is shown."""
        try:
            return self.keys.keyring.current(member, ENCRYPTION, now_ms).suite
        except UntrustedCertificateError:
            return SUITE
