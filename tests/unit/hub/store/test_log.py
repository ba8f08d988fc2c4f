from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import LogReadOnlyError
from hub.store import log as leaf_log
from hub.store.engine import reading, writing
from security.merkle import Frontier, leaf_hash
from tests.support.hub_logs import append, leaf, size

if TYPE_CHECKING:
    from hub.log.hub_log import HubLog
    from tests.support.hub_city import City


def test_a_frozen_log_takes_no_leaf_and_is_still_read(city: City) -> None:
    log = city.parts.log
    before = append(log, 3)
    log.mode.freeze("a witness saw more.")

    with (
        pytest.raises(LogReadOnlyError, match="a witness saw more"),
        writing(log.engine) as connection,
    ):
        leaf_log.append_leaves(connection, [leaf(9)])

    with reading(log.engine) as connection:
        assert leaf_log.read_only_reason(connection) == "a witness saw more."
        assert len(list(leaf_log.leaves(connection, 0, before))) == before
    log.mode.thaw()
    assert append(log, 1) == before + 1


def test_a_conflict_in_the_database_closes_the_gate_for_every_process(city: City) -> None:
    log = city.parts.log
    append(log, 1)
    with writing(log.engine) as connection:
        leaf_log.save_state(connection, {"conflict": "the province saw 9 leaves."})
    with pytest.raises(LogReadOnlyError, match="9 leaves"):
        append(log, 1)


def _renumber_and_append(log: HubLog) -> None:
    with writing(log.engine) as connection:
        leaf_log.save_state(connection, {"number": 7})
        leaf_log.append_leaves(connection, [leaf(5)])


def test_a_refused_append_leaves_no_trace_of_its_transaction(city: City) -> None:
    log = city.parts.log
    before = append(log, 1)
    log.mode.freeze("stop")
    with pytest.raises(LogReadOnlyError):
        _renumber_and_append(log)
    with reading(log.engine) as connection:
        assert leaf_log.state(connection).number == 1
    assert size(log) == before


def test_any_compact_range_is_found_from_the_nearest_one(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaf_log, "FRONTIER_EVERY", 8)
    log = city.parts.log
    count = append(log, 50)
    grown = Frontier()
    with reading(log.engine) as connection:
        for at, found in enumerate(leaf_log.leaves(connection, 0, count)):
            assert leaf_log.frontier_before(connection, at).to_bytes() == grown.to_bytes()
            grown.append(leaf_hash(found.leaf))
        assert leaf_log.frontier_before(connection, count).root() == grown.root()
        assert leaf_log.find_frontier(connection, 48) is not None
        assert leaf_log.find_frontier(connection, 49) is None


def test_nothing_cannot_be_appended(city: City) -> None:
    with pytest.raises(ValueError, match="no leaf"), writing(city.parts.engine) as connection:
        leaf_log.append_leaves(connection, [])
