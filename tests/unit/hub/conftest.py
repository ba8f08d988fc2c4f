from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.hub_city import FIRST, NODE, OTHER, SECOND, THIRD, City, Sender, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def made_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub that was just made; tests copy it, since making keys takes its time."""
    directory = tmp_path_factory.mktemp("made") / "hub"
    with open_city(directory):
        pass
    return directory


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    """A city hub with its parts open; nobody has joined."""
    with open_city(tmp_path / "hub") as opened:
        yield opened


@pytest.fixture
def node(city: City, tmp_path: Path) -> Sender:
    """A node with custody of two institutions."""
    return city.enrol(tmp_path / "node", NODE, FIRST, SECOND)


@pytest.fixture
def other(city: City, tmp_path: Path) -> Sender:
    """Another node, with custody of a third institution."""
    return city.enrol(tmp_path / "other", OTHER, THIRD)


@pytest.fixture
def province(tmp_path: Path) -> Iterator[City]:
    """A provincial hub with its parts open."""
    with open_city(tmp_path / "province", level="province", division="330000") as opened:
        yield opened
