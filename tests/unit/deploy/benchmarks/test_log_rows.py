from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.benchmarks.log_rows import GROUP, measure_log
from hub.app import HubApp
from hub.log.starting import check_state
from hub.store import log
from hub.store.engine import reading

if TYPE_CHECKING:
    from pathlib import Path


def test_the_bench_leaves_a_log_that_is_whole(tmp_path: Path) -> None:
    rows = measure_log(tmp_path, leaves=GROUP + 1, repeats=1)
    assert [row.unit for row in rows] == ["leaves/s", "leaves/s"]
    assert all(row.ours > 0 and row.reference > 0 for row in rows)
    with HubApp(tmp_path / "hub").opened() as parts:
        check_state(parts.log)
        with reading(parts.engine) as connection:
            assert log.size(connection) >= 2 * GROUP
