"""The suite policy of hub.toml is stated when the daemon starts, or once the log takes it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub import policy_service
from hub.config import SuiteSettings
from hub.errors import LogReadOnlyError
from hub.policy_service import suite_policy
from hub.store import log, policies
from hub.store.engine import reading
from security.errors import UnknownSuiteError
from tests.support.hub_city import CITY, City, open_city
from tests.support.national import without_tongsuopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "hub") as city:
        settings = replace(city.parts.settings, suites=SuiteSettings(allowed="GM"))
        city.parts = replace(city.parts, settings=settings)
        yield city


def stated(city: City) -> tuple[str, ...]:
    with reading(city.parts.engine) as connection:
        return policies.policy_of(connection, CITY, "").suites


async def test_the_policy_of_the_settings_is_stated_at_the_start(city: City) -> None:
    said: list[str] = []
    async with suite_policy(city.parts, said.append):
        assert stated(city) == ("GM",)
    assert said == []


async def test_a_suite_that_does_not_work_here_ends_the_start(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    with without_tongsuopy(monkeypatch), pytest.raises(UnknownSuiteError, match="pip install"):
        async with suite_policy(city.parts, print):
            pass


async def test_a_log_that_takes_nothing_is_awaited(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def refuse(*_: object) -> int:
        raise LogReadOnlyError("no witness was reached")

    monkeypatch.setattr(policy_service, "RETRY_S", 0.01)
    with monkeypatch.context() as frozen:
        frozen.setattr(log, "append_leaves", refuse)
        context = suite_policy(city.parts, said.append)
        await context.__aenter__()
        assert stated(city) == policies.FIRST_ALLOWED
    for _ in range(500):
        if stated(city) == ("GM",):
            break
        await asyncio.sleep(0.01)
    await context.__aexit__(None, None, None)
    assert stated(city) == ("GM",)
    assert "waits until the log" in said[0]
