"""The log of a hub that was just made, with leaves that tests append by hand."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.log.mode import HubMode
from hub.store import log as leaf_log
from hub.store.engine import reading, writing
from protos.yixin.v1 import transparency_pb2
from tests.support.hub_city import open_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.log.hub_log import HubLog
    from tests.support.hub_city import City


def leaf(number: int, word: str = "test") -> leaf_log.NewLeaf:
    """A leaf of its own for every number."""
    return leaf_log.event_leaf(
        transparency_pb2.LOG_KIND_OPERATOR,
        hub="yixin://330300/hub/city",
        digest=number.to_bytes(32),
        word=word,
        at_ms=1_790_000_000_000 + number,
    )


def append(log: HubLog, count: int, word: str = "test") -> int:
    """Append leaves; returns the size of the log."""
    if count:
        with writing(log.engine) as connection:
            first = leaf_log.size(connection)
            leaf_log.append_leaves(
                connection, [leaf(first + number, word) for number in range(count)]
            )
    return size(log)


def size(log: HubLog) -> int:
    """Number of leaves."""
    with reading(log.engine) as connection:
        return leaf_log.size(connection)


def with_quorum(log: HubLog, quorum: int) -> HubLog:
    """The same log as after a start with a quorum of witnesses."""
    mode = HubMode(quorum)
    return replace(log, mode=mode, quorum=quorum, engine=leaf_log.guarded(log.engine, mode))


@contextmanager
def reopened(directory: Path) -> Iterator[City]:
    """The hub of a directory, as a new process opens it."""
    with open_city(directory) as city:
        yield city


def copied(log: HubLog) -> sqlite3.Connection:
    """A copy of the database, as a backup has it."""
    image = sqlite3.connect(":memory:", check_same_thread=False)
    live = log.engine.raw_connection()
    live.driver_connection.backup(image)  # type: ignore[union-attr]  # SQLite's own connection
    live.close()
    return image


def put_back(log: HubLog, image: sqlite3.Connection) -> None:
    """Restore an old copy of the database; keys and tiles stay as they are."""
    live = log.engine.raw_connection()
    image.backup(live.driver_connection)  # type: ignore[arg-type]  # SQLite's own connection
    live.close()
