"""A hub on the wire and a member of it, for every test of the exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ExchangeHub]:
    directory = tmp_path / "hub"
    directory.mkdir()
    async with serving(directory) as servicer:
        yield servicer


@pytest.fixture
def member(tmp_path: Path, hub: ExchangeHub) -> ExchangeMember:
    return make_member(tmp_path, hub)
