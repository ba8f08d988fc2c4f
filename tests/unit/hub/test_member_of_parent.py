"""A city is a member of its province over the wire: signs of life, renewed keys, the log it saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.domain.members import MemberId
from hub.exchange.parent import join_parent, load_parent
from hub.heartbeat_service import parent_told, tell_parent
from hub.store import log, operator_log
from hub.store.backups import mark_backup
from hub.store.engine import reading, writing
from hub.store.heartbeats import find_heartbeat
from protos.yixin.v1 import exchange_pb2
from security.errors import HubUnreachableError
from security.exchange.renew import renew, renewal_due
from security.exchange.seen_checkpoints import list_seen
from security.exchange.tables import outbox, receipts
from tests.support.hub_city import CITY, City, Clock, open_city, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def province(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "province", Clock(), level="province", division="330000") as opened:
        yield opened


async def join(city: City, province: City) -> None:
    address = province.parts.address(province.parts.addresses().enrolment_port)
    token = replace(province.token(CITY), enrolment_address=address).encode()
    await join_parent(city.parts.parent_directory, token, own=MemberId(CITY), now=city.clock())


def seqs(city: City) -> list[int]:
    """What the province's receipts say of backups, in order."""
    with reading(city.parts.engine) as connection:
        rows = connection.execute(receipts.select().order_by(receipts.c.id)).all()
    bodies = [exchange_pb2.Receipt.FromString(row.receipt).body for row in rows]
    return [exchange_pb2.ReceiptBody.FromString(body).backed_up_through for body in bodies]


async def test_the_parent_hears_that_its_city_lives_and_renews_it_without_a_restart(
    city: City, province: City
) -> None:
    assert not await tell_parent(city.parts, starting=True)
    async with serving(province.parts):
        await join(city, province)
        assert await tell_parent(city.parts, starting=True)
        with reading(province.parts.engine) as connection:
            first = find_heartbeat(connection, CITY)
        assert first is not None
        assert first.said.pack_digest == city.parts.catalog.digest
        with reading(city.parts.engine) as connection:
            size, head = operator_log.head(connection)
        assert (first.said.operator_log_size, first.said.operator_log_head) == (size, head)

        for clock in (city.clock, province.clock):
            clock.advance(days=15)
        held = load_parent(city.parts.parent_directory)
        assert renewal_due(held, city.clock()).tls
        renewed = await renew(held, now=city.clock(), new_epoch=True)
        assert renewed.signing_key.key_id != held.signing_key.key_id
        with writing(province.parts.engine) as connection:
            mark_backup(connection, log.size(connection), province.clock.ms)

        # The next channel, the next heads and the next envelope are under the new keys.
        assert await tell_parent(city.parts)
        with reading(province.parts.engine) as connection:
            second = find_heartbeat(connection, CITY)
        assert second is not None
        assert second.log_index > first.log_index

    assert seqs(city) == [0, 1]
    with reading(city.parts.engine) as connection:
        envelopes = [row.envelope for row in connection.execute(outbox.select())]
        seen = list_seen(connection, province.parts.identity.hub)
    # What the province has in a backup left the archive; the rest stays.
    assert [one is None for one in envelopes] == [True, False]
    assert [one.checkpoint.origin for one in seen] == [province.parts.identity.anchor.log_origin]


async def test_a_parent_that_is_down_costs_one_heartbeat_that_waits(
    city: City, province: City
) -> None:
    async with serving(province.parts):
        await join(city, province)
        last = province.parts.addresses()
    for _ in range(2):
        with pytest.raises(HubUnreachableError):
            await tell_parent(city.parts, starting=True)
    with reading(city.parts.engine) as connection:
        assert len(connection.execute(outbox.select()).all()) == 1

    async with serving(province.parts):
        assert province.parts.addresses() == last
        assert await tell_parent(city.parts)
    with reading(province.parts.engine) as connection:
        assert find_heartbeat(connection, CITY) is not None


async def test_the_service_ends_with_its_daemon(city: City) -> None:
    said: list[str] = []
    async with parent_told(city.parts, said.append):
        pass
    assert said == []
