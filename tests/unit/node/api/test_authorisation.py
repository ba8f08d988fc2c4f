"""One row for every job of a node and for every route of its interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from node.api.authorisation import JOB_AUDIENCE, Audience, permitted, routes
from node.api.his import UNIFORM_PATH
from node.app import init_node, opened
from node.daemon import READERS
from node.errors import ConfigurationError
from security.progress import no_progress
from tests.support.interface_server import PATHS, official, served
from tests.support.node_messages import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.store import NodeStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NodeStore]:
    with open_store(tmp_path / "node") as kept:
        yield kept


def test_every_job_has_one_row(tmp_path: Path) -> None:
    init_node(tmp_path / "node", [])
    with opened(tmp_path / "node") as jobs:
        assert jobs.table().keys() == JOB_AUDIENCE.keys()


def test_a_job_without_a_row_never_runs() -> None:
    def unheard(_arguments: Any, _progress: Any) -> dict[str, Any]:  # noqa: ANN401
        pytest.fail("it ran")

    table = permitted({"unheard": unheard, "status": unheard})
    with pytest.raises(ConfigurationError, match="no row for the job 'unheard'"):
        table["unheard"]({}, no_progress)
    assert table["status"] is unheard


def test_what_a_child_does_writes() -> None:
    children = {job for job, whose in JOB_AUDIENCE.items() if whose is Audience.CHILD}
    assert not children & set(READERS)


def test_every_row_of_the_interface_is_for_institutions() -> None:
    rows = routes(PATHS)
    assert set(rows.values()) == {Audience.INSTITUTION}
    assert rows.keys() == {("POST", UNIFORM_PATH), *(("POST", path) for path in PATHS)}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_the_application_answers_the_routes_of_the_table_and_no_other(
    store: NodeStore, method: str
) -> None:
    rows = routes(PATHS)
    asked = (UNIFORM_PATH, *PATHS, "/", "/fsi", f"{UNIFORM_PATH}/", "/docs", "/openapi.json")
    async with served(store) as interface:
        for path in asked:
            answer = await interface.client.request(method, path, content=b"{}")
            refused = "no such path or method" in official(answer.content)["err_msg"]
            assert refused == ((method, path) not in rows), (method, path)
