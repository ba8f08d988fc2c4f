"""The push to the province stands under its agreement, or does not leave."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.agreement_jobs import PUSH, sign_push
from hub.agreements.directories import take_directory
from hub.agreements.pushing import push_agreement
from hub.agreements.services import keep_sharing
from hub.agreements.signing import retire, sign_terms
from hub.agreements.terms import shipped_terms
from hub.errors import AgreementRefusedError
from hub.store import deliveries
from hub.store.engine import reading, writing
from protos.yixin.v1 import identity_pb2
from security.errors import AgreementError

if TYPE_CHECKING:
    from tests.support.hub_city import City
    from tests.support.sharing_city import SharingCity

PROVINCE = "yixin://330000/hub/province"


def agreed(city: City, parent: str = PROVINCE) -> str:
    with reading(city.parts.engine) as connection:
        return push_agreement(connection, parent, city.clock.ms).reference


def test_joining_signs_the_push_once_and_for_that_parent_alone(city: City) -> None:
    with pytest.raises(AgreementRefusedError, match="sign provincial_push"):
        agreed(city)
    for _ in range(2):
        with writing(city.parts.engine) as connection:
            sign_push(connection, city.parts, PROVINCE)
    assert agreed(city) == "provincial_push@1"
    with pytest.raises(AgreementRefusedError, match="other"):
        agreed(city, "yixin://330000/hub/other")


def test_what_was_retired_is_not_signed_again_by_joining(city: City) -> None:
    with writing(city.parts.engine) as connection:
        sign_push(connection, city.parts, PROVINCE)
        retire(connection, city.parts.identity, PUSH, city.clock.ms)
        sign_push(connection, city.parts, PROVINCE)
    with pytest.raises(AgreementRefusedError, match="is in force"):
        agreed(city)


def test_a_push_needs_every_field_it_holds(city: City) -> None:
    terms = shipped_terms(city.parts.catalog)[PUSH]
    with writing(city.parts.engine) as connection:
        sign_terms(
            connection,
            city.parts.identity,
            replace(terms, fields=("subject", "grade")),
            parent=PROVINCE,
            officer="王五",
            now_ms=city.clock.ms,
        )
    with pytest.raises(AgreementRefusedError, match=r"^field: .*statement_sha256"):
        agreed(city)


def test_only_the_newest_directory_of_the_hub_itself_is_kept(city: City) -> None:
    def directory(version: int, hub: str = PROVINCE) -> bytes:
        return identity_pb2.MemberDirectory(hub=hub, version=version).SerializeToString()

    with writing(city.parts.engine) as connection:
        assert take_directory(connection, directory(3), PROVINCE) == 3
        assert take_directory(connection, directory(2), PROVINCE) == 3
        assert take_directory(connection, directory(4), PROVINCE) == 4
        for broken in (b"\xff", directory(9, "yixin://330000/hub/other"), bytes(1_000_000)):
            with pytest.raises(AgreementError, match="Directory"):
                take_directory(connection, broken, PROVINCE)
        assert deliveries.find_directory(connection, PROVINCE) == (4, directory(4))


async def test_the_daemon_answers_what_waits(sharing: SharingCity) -> None:
    sharing.request("police")
    async with keep_sharing(sharing.room, sharing.city.clock, every_s=0.01):
        for _ in range(1_000):
            if sharing.leaves("QUERY"):
                break
            await asyncio.sleep(0.01)
    assert len(sharing.collect("police")) == 1
