from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub import identity_service
from hub.exchange.parent import join_parent, load_parent
from hub.exchange.requests import approve
from hub.exchange.revoking import revoke_member
from hub.identity_service import keep_identity, renew_parent
from hub.store.engine import reading, writing
from hub.store.revocations import newest_list
from security.errors import JoinPendingError
from security.members import MemberId
from security.tls import not_after
from tests.support.hub_city import CITY, NODE, City, Clock, Sender, open_city, serving
from tests.support.hub_logs import with_quorum

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.parts import HubParts


@pytest.fixture
def province(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "province", Clock(), level="province", division="330000") as opened:
        yield opened


async def joined(city: City, province: City) -> None:
    address = province.parts.address(province.parts.addresses().enrolment_port)
    token = replace(province.token(CITY), enrolment_address=address).encode()
    await join_parent(city.parts.parent_directory, token, own=MemberId(CITY), now=province.clock())


async def test_a_hub_renews_its_membership_in_its_parent(city: City, province: City) -> None:
    directory = city.parts.parent_directory
    assert not await renew_parent(directory, city.clock())
    async with serving(province.parts):
        await joined(city, province)
        assert not await renew_parent(directory, province.clock())
        before = load_parent(directory)
        province.clock.advance(days=16)

        assert await renew_parent(directory, province.clock())

        after = load_parent(directory)
        assert (not_after(after.tls_certificate_pem) - province.clock()).days == 30
        assert after.keys.signing.key_id == before.keys.signing.key_id
        province.clock.advance(days=170)
        assert await renew_parent(directory, province.clock())
        assert load_parent(directory).keys.signing.key_id != before.keys.signing.key_id
        assert set(before.decryption_keys) < set(load_parent(directory).decryption_keys)


async def test_a_hub_that_was_away_for_months_waits_for_its_parents_officer(
    city: City, province: City
) -> None:
    directory = city.parts.parent_directory
    async with serving(province.parts):
        await joined(city, province)
        province.clock.advance(days=365 + 91)
        with pytest.raises(JoinPendingError) as pending:
            await renew_parent(directory, province.clock())
        with writing(province.parts.engine) as connection:
            found = approve(connection, CITY, province.clock.ms)
        assert found is not None
        assert (found.id, found.fingerprint) == (pending.value.request, pending.value.fingerprint)

        assert await renew_parent(directory, province.clock())
        assert not await renew_parent(directory, province.clock())


async def test_a_list_that_waited_for_the_log_is_signed_when_the_log_opens(
    city: City, node: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_service, "LOOK_S", 0.01)
    log = with_quorum(city.parts.log, 1)
    parts = replace(city.parts, log=log, engine=log.engine)
    with writing(parts.engine) as connection:
        revoke_member(connection, parts.identity, node.member, "theft", city.clock.ms)
    async with identity_service.identity_kept(parts, lambda _: None):
        await asyncio.sleep(0.2)
        assert not _has_list(parts)
        log.mode.confirm(CITY)
        async with asyncio.timeout(30):
            while not _has_list(parts):  # noqa: ASYNC110 - signed by the service, which tells nobody
                await asyncio.sleep(0.01)


def _has_list(parts: HubParts) -> bool:
    with reading(parts.engine) as connection:
        return newest_list(connection) is not None


def test_epochs_and_lists_are_kept_fresh(city: City, node: Sender) -> None:
    parts = city.parts
    with writing(parts.engine) as connection:
        revoke_member(connection, parts.identity, node.member, "theft", city.clock.ms)
    keep_identity(parts, city.clock())
    city.clock.advance(days=280)

    keep_identity(parts, city.clock())

    assert len(parts.identity.epochs.signing_keys()) == 2
    with reading(parts.engine) as connection:
        newest = newest_list(connection)
    assert newest is not None
    assert (newest.version, NODE) == (2, node.member)
