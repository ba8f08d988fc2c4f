from collections.abc import Iterator
from pathlib import Path

import pytest

from node.store import NodeStore
from tests.support.node_messages import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as opened:
        yield opened
