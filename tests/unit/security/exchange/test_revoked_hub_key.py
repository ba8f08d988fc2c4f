"""What a hub revoked counts before what it signed: lists only grow, revoked keys open nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import exchange_pb2, identity_pb2
from security.certificates import Revoked, sign_revocations
from security.errors import RemoteSyncError, UntrustedCertificateError
from security.exchange.heads import sign_heads
from security.keys import SigningKey
from tests.support.exchange_member import numbers
from tests.support.members import HUB, NODE, NOW_MS

if TYPE_CHECKING:
    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember


async def test_a_key_of_the_hub_that_is_revoked_opens_no_stream(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    epoch = SigningKey.generate(post_quantum=True)
    certificate = hub.hub.certify(HUB, epoch)
    serial = identity_pb2.KeyCertificateBody.FromString(certificate.body).serial
    member.append(*numbers(1))

    def by_the_epoch(accepted: exchange_pb2.StreamAccepted, version: int = 1) -> None:
        revoked = [Revoked(member=HUB, since_ms=NOW_MS - 1, serial=serial)]
        accepted.revocations.CopyFrom(
            sign_revocations(
                hub.hub.signing,
                hub=HUB,
                version=version,
                at_ms=NOW_MS,
                next_ms=NOW_MS + 1,
                rows=revoked if version > 1 else [],
            )
        )
        accepted.heads.CopyFrom(
            sign_heads(epoch, signer=HUB, peer=NODE, heads={}, at_ms=NOW_MS, downlink=False)
        )

    hub.faults.change_accepted = by_the_epoch
    await member.sync()
    hub.faults.change_accepted = lambda accepted: by_the_epoch(accepted, 2)
    member.append(*numbers(1))
    with pytest.raises(RemoteSyncError, match="is revoked"):
        await member.sync()
    assert member.membership.revocations_version == 2

    # An older list would bring the key back.
    hub.faults.change_accepted = by_the_epoch
    with pytest.raises(UntrustedCertificateError, match="2 was seen before"):
        await member.sync()
    assert len(hub.received) == 1
