from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from security.channels import member_channel
from security.errors import MembershipError
from security.exchange.uplink import sync_up

if TYPE_CHECKING:
    from tests.support.exchange_member import ExchangeMember


async def test_a_member_whose_own_certificate_has_ended_is_told_so_before_it_calls(
    member: ExchangeMember,
) -> None:
    ended = member.membership.tls_not_after
    async with member_channel(member.membership, ended):
        pass
    late = ended + timedelta(seconds=1)
    with pytest.raises(MembershipError, match="nothing is lost; the daemon renews it"):
        await sync_up(member.membership, member.engine, member.outbox, now=lambda: late)
