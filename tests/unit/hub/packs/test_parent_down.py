"""A city whose province is down brings its members back with what it verified before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.domain.members import MemberId
from hub.exchange.parent import join_parent
from hub.pack_jobs import PackJobs
from hub.packs.rollout import assign
from hub.packs.serving import place_of, refresh_packs
from scoring_kernel.catalog_loader import load_catalog
from scoring_kernel.packs import feature_schema
from security.errors import HubUnreachableError, PackError
from security.packs.archive import write_archive
from security.progress import no_progress
from tests.support.hub_city import CITY, NODE, serving
from tests.support.pack_repository import Repository
from tests.support.packs import spelled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City, Sender

ORDER = {"group": "pilot", "from_day": "2026-11-01", "version": "2026.12.1"}


async def joined(city: City, province: City) -> None:
    async with serving(province.parts):
        address = province.parts.address(province.parts.addresses().enrolment_port)
        token = replace(province.token(CITY), enrolment_address=address).encode()
        directory = city.parts.parent_directory
        await join_parent(directory, token, own=MemberId(CITY), now=city.clock())


async def test_a_parent_that_is_down_stops_no_order(
    city: City, province: City, node: Sender, tmp_path: Path
) -> None:
    card = {
        "version": "2026.12.1",
        "catalog": "0" * 64,
        "feature_schema": feature_schema(load_catalog()).hex(),
    }
    repository = Repository(tmp_path / "packs", city.clock())
    repository.publish("2026.12.1", write_archive({"pack.json": spelled(card)}))
    await joined(city, province)
    place = place_of(city.parts)
    place.directory.mkdir()
    place.root_file.write_bytes(repository.root)
    place.root_file.chmod(0o600)
    refresh_packs(city.parts, city.clock(), folder=repository.directory)
    assign(city.parts, ["pilot"], {node.member: "pilot"})
    assert node.member == NODE

    with pytest.raises(HubUnreachableError):
        refresh_packs(city.parts, city.clock())
    given: Any = PackJobs(parts=city.parts).order(ORDER, no_progress)
    assert (given["target"], given["is_fresh"]) == ("packs/2026.12.1.zip", False)
    city.clock.advance(days=8)
    with pytest.raises(PackError, match="expired"):
        PackJobs(parts=city.parts).order(ORDER, no_progress)
