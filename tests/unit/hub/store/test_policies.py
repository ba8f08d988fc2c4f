from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import ConfigurationError
from hub.store import log
from hub.store.engine import reading, writing
from hub.store.policies import policies_of, policy_of, require_suite, signed_policy, state_policy
from protos.yixin.v1 import transparency_pb2
from security.errors import UnknownSuiteError
from security.policy import Policy, open_policy
from tests.support.hub_city import CITY, NODE, City, open_city
from tests.support.national import without_tongsuopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = "yixin://330303/node/H33030300001"


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    with open_city(tmp_path / "hub") as city:
        for member in (NODE, OTHER):
            city.token(member)
        yield city


def state(city: City, *allowed: str) -> Policy:
    with writing(city.parts.engine) as connection:
        return state_policy(connection, city.parts.identity, allowed, city.clock.ms)


def require(city: City, suite: str, member: str = NODE) -> Policy:
    with writing(city.parts.engine) as connection:
        return require_suite(connection, city.parts.identity, member, suite, city.clock.ms)


def policy(city: City, member: str = NODE) -> Policy:
    with reading(city.parts.engine) as connection:
        return policy_of(connection, CITY, member)


def policy_leaves(city: City) -> list[tuple[str, bytes]]:
    with reading(city.parts.engine) as connection:
        size = log.size(connection)
        stored = list(log.leaves(connection, 0, size))
    found = [transparency_pb2.LogLeaf.FromString(one.leaf) for one in stored]
    return [
        (leaf.recipient, leaf.envelope_hash)
        for leaf in found
        if leaf.kind == transparency_pb2.LOG_KIND_POLICY
    ]


def test_before_anything_is_stated_the_first_version_holds(city: City) -> None:
    assert policy(city).suites == ("INTL-PQ", "INTL")
    assert state(city, "INTL-PQ", "INTL").version == 1
    assert policy_leaves(city) == []


def test_a_changed_setting_is_a_new_version_with_a_leaf(city: City) -> None:
    assert state(city, "GM", "INTL-PQ").version == 2
    assert state(city, "GM", "INTL-PQ").version == 2
    assert state(city, "INTL-PQ").version == 3
    assert policy(city).suites == ("INTL-PQ",)
    assert [subject for subject, _ in policy_leaves(city)] == ["", ""]


def test_a_requirement_binds_one_member(city: City) -> None:
    assert require(city, "GM").suites == ("GM",)
    assert policy(city).allowed == ("INTL-PQ", "INTL", "GM")
    assert policy(city, OTHER).suites == ("INTL-PQ", "INTL")
    assert [subject for subject, _ in policy_leaves(city)] == [NODE]


def test_the_version_a_member_is_told_only_grows(city: City) -> None:
    told = [
        *(require(city, "GM"), require(city, "GM")),
        _told_after(city, "INTL"),
        *(require(city, ""), require(city, "INTL")),
    ]
    assert [one.version for one in told] == [2, 2, 3, 4, 5]
    assert [one.suites for one in told] == [("GM",), ("GM",), ("GM",), ("INTL",), ("INTL",)]
    # Lifted, it still stands under the member's own name: nothing for all replaces it.
    assert {one.member for one in told} == {NODE}


def _told_after(city: City, *allowed: str) -> Policy:
    """What the member is told after the policy of all changed."""
    state(city, *allowed)
    return policy(city)


def test_a_member_believes_every_version_after_the_other(city: City) -> None:
    held: Policy | None = None
    for change in (lambda: state(city, "INTL"), lambda: require(city, "GM"), lambda: None):
        change()
        with reading(city.parts.engine) as connection:
            signed = signed_policy(connection, city.parts.identity, NODE)
        held = open_policy(signed, city.parts.identity.anchor, member=NODE, held=held)
    assert held is not None
    assert held.suites == ("GM",)


def test_many_members_are_asked_about_at_once(city: City) -> None:
    require(city, "INTL", OTHER)
    with reading(city.parts.engine) as connection:
        found = policies_of(connection, CITY, [NODE, OTHER])
    assert {member: one.suites for member, one in found.items()} == {
        NODE: ("INTL-PQ", "INTL"),
        OTHER: ("INTL",),
    }


def test_a_member_that_is_not_known_and_a_suite_that_is_not_there_are_refused(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="Found no member"):
        require(city, "GM", "yixin://330399/node/H33039900001")
    with pytest.raises(UnknownSuiteError, match="is not known"):
        require(city, "NULL")
    with without_tongsuopy(monkeypatch), pytest.raises(UnknownSuiteError, match="pip install"):
        require(city, "GM")
    with without_tongsuopy(monkeypatch), pytest.raises(UnknownSuiteError, match="pip install"):
        state(city, "GM")
    assert policy(city).version == 1
