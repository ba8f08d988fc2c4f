from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.hub_city import City, Clock, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
