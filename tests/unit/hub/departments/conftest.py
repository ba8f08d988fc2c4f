from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.store.database import open_database
from scoring_kernel import Catalog, load_catalog
from security.at_rest import Vault
from tests.support.department_files import write_register
from tests.support.import_desk import Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture
def vault() -> Vault:
    return Vault(bytes(range(32)))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'hub.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def desk(engine: Engine, catalog: Catalog, vault: Vault) -> Desk:
    return Desk(engine, catalog, vault)


@pytest.fixture
def registered(desk: Desk, tmp_path: Path) -> Desk:
    assert desk.take(write_register(tmp_path)).added == 3
    return desk
