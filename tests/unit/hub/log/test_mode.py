from __future__ import annotations

from hub.log.mode import HubMode


def test_a_hub_without_a_quorum_may_append_at_once() -> None:
    assert HubMode().is_writable


def test_a_hub_with_a_quorum_waits_for_distinct_witnesses() -> None:
    mode = HubMode(2)
    assert "0 of 2 witnesses" in mode.reason
    assert mode.confirm("province")
    assert not mode.confirm("province")
    assert "1 of 2 witnesses" in mode.reason
    mode.confirm("neighbour")
    assert mode.is_writable
    assert mode.confirmed == {"province", "neighbour"}


def test_what_stands_against_the_log_outlasts_confirmations() -> None:
    mode = HubMode(1)
    mode.freeze("first")
    mode.freeze("second")
    mode.confirm("province")
    assert mode.reason == "first"
    mode.thaw()
    assert mode.is_writable
