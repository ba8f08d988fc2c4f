from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.hub_city import FIRST, NODE, OTHER, SECOND, THIRD, City, Clock, Sender, open_city

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
def city(made_hub: Path, tmp_path: Path) -> Iterator[City]:
    """A city hub with its parts open; nobody has joined."""
    shutil.copytree(made_hub, tmp_path / "hub")
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


@pytest.fixture(scope="session")
def made_province(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A province that was just made; tests copy it."""
    directory = tmp_path_factory.mktemp("made") / "province"
    with open_city(directory, Clock(), level="province", division="330000"):
        pass
    return directory


@pytest.fixture
def province(made_province: Path, tmp_path: Path) -> Iterator[City]:
    """A provincial hub with its parts open."""
    shutil.copytree(made_province, tmp_path / "province")
    with open_city(tmp_path / "province") as opened:
        yield opened
