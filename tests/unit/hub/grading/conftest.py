from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from hub.store.database import open_database
from scoring_kernel import Catalog, load_catalog
from security.at_rest import Vault
from tests.support.grading_world import HOSPITALS, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="session")
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture(scope="session")
def imported(catalog: Catalog, vault: Vault, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database into which every department file was imported; tests copy it."""
    directory = tmp_path_factory.mktemp("imported")
    path = directory / "hub.db"
    engine = open_database(f"sqlite:///{path}")
    World(engine, catalog, vault, directory).import_all()
    engine.dispose()
    assert not path.with_name("hub.db-wal").exists()
    return path


@pytest.fixture
def empty(catalog: Catalog, vault: Vault, tmp_path: Path) -> Iterator[World]:
    engine = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    yield World(engine, catalog, vault, tmp_path)
    engine.dispose()


@pytest.fixture
def world(catalog: Catalog, vault: Vault, tmp_path: Path, imported: Path) -> Iterator[World]:
    """A city whose departments and members have handed in everything."""
    shutil.copy(imported, tmp_path / "hub.db")
    engine = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    city = World(engine, catalog, vault, tmp_path)
    city.state_all()
    city.entrust(*HOSPITALS)
    yield city
    engine.dispose()
