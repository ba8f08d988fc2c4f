"""Suites and their policy at both ends of the wire: joining, sealing, refusing, renewing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.api.refusals import refusal
from hub.errors import EnrolmentRefusedError
from hub.intake.committing import Refused
from hub.store.engine import writing
from hub.store.policies import require_suite, state_policy
from protos.yixin.v1 import exchange_pb2
from security.errors import HubRefusedError, JoinRefusedError, SuitePolicyError
from security.exchange.key_files import create_keys
from security.exchange.membership import make_membership
from security.exchange.renew import renew, renewal_due
from security.policy import Policy, sign_policy
from tests.support.hub_city import (
    CITY,
    FIRST,
    NODE,
    City,
    Sender,
    Slot,
    batch,
    join_request,
)
from tests.support.suite_nodes import ALL, queue_for_member, served

if TYPE_CHECKING:
    from pathlib import Path


def require(city: City, suite: str) -> Policy:
    with writing(city.parts.engine) as connection:
        return require_suite(connection, city.parts.identity, NODE, suite, city.clock.ms)


@pytest.mark.parametrize("suite", ["INTL-PQ", "INTL", "GM"])
async def test_a_member_of_every_suite_joins_sends_and_receives(
    city: City, tmp_path: Path, suite: str
) -> None:
    async with served(city, tmp_path) as node:
        await node.join(suite)
        assert node.membership.keys.encryption.suite.name == suite
        assert await node.send(5) == [suite]
        queue_for_member(city, b"statement")
        assert await node.collect() == 1
    assert city.monthly(202601)["values"] == [5]


async def test_a_member_bound_to_one_suite_is_refused_in_any_other(
    city: City, tmp_path: Path
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("INTL-PQ")
        await node.send(1)
        assert require(city, "GM").suites == ("GM",)

        # The member learns it before it seals, and seals nothing.
        with pytest.raises(SuitePolicyError, match="requires GM"):
            await node.send(2)
        # The hub gives nothing out to a key outside the policy either.
        with pytest.raises(HubRefusedError, match="outside this hub's policy"):
            await node.collect()
        with pytest.raises(JoinRefusedError, match="join --suite NAME"):
            await node.join("INTL")

        await node.join("GM")
        await node.sync()
        assert await node.send(3) == ["INTL-PQ", "GM", "GM"]
    assert city.monthly(202601)["values"] == [3]


async def test_what_was_sealed_before_a_requirement_is_refused_said_and_sealed_anew(
    city: City, tmp_path: Path
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("INTL-PQ")
        await node.send(1)
        node.state(2)
        node.seal_ahead()
        require(city, "GM")
        await node.join("GM")
        await node.sync()
    assert city.monthly(202601)["values"] == [2]


async def test_a_member_renews_under_the_suite_that_is_required(city: City, tmp_path: Path) -> None:
    async with served(city, tmp_path) as node:
        await node.join("INTL-PQ")
        await node.send(1)
        node.state(2)
        node.seal_ahead()
        require(city, "GM")
        # The first run learns the policy; what was sealed before it is refused, twice at most.
        with pytest.raises((SuitePolicyError, HubRefusedError)):
            await node.sync()

        assert renewal_due(node.membership, city.clock()).keys
        node.membership = await renew(node.membership, now=city.clock(), new_epoch=True)
        assert node.membership.keys.encryption.suite.name == "GM"
        # A new incarnation: the one sealed before, now under GM, and the new one.
        assert await node.send(3) == ["GM", "GM"]
        assert await node.collect() == 0
    assert city.monthly(202601)["values"] == [3]


def test_the_hub_refuses_what_a_member_seals_outside_its_policy(city: City, node: Sender) -> None:
    require(city, "INTL")
    (refused,) = city.submit(node.seal(batch(Slot())))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, SuitePolicyError)
    told = refusal(refused)
    assert told.code == exchange_pb2.REFUSAL_CODE_POLICY
    assert "requires INTL" in told.rule
    assert "under a suite of the policy" in told.mend


def test_an_envelope_received_before_a_requirement_keeps_its_receipt(
    city: City, node: Sender
) -> None:
    envelope = node.seal(batch(Slot()))
    first = city.submit(envelope)
    require(city, "GM")
    assert city.submit(envelope) == first


def test_a_key_that_signs_as_another_suite_does_is_refused(city: City, tmp_path: Path) -> None:
    with writing(city.parts.engine) as connection:
        state_policy(connection, city.parts.identity, ALL.names, city.clock.ms)
    token = city.token(NODE, FIRST)
    keys = create_keys(tmp_path / "gm", post_quantum=False, suite="GM")
    response = city.join(join_request(token, keys, city.clock.ms, suite="GM"))
    member = Sender(city, NODE, keys, make_membership(tmp_path / "gm", response, keys))
    city.learn(NODE)
    # The hub's key of the default suite, as a sender would choose it that strips GM.
    (refused,) = city.submit(member.seal(batch(Slot())))
    assert isinstance(refused, Refused)
    assert "sealed under INTL-PQ, and signed by a key of GM" in str(refused.error)


@pytest.mark.parametrize("suite", ["INTL-PQ", "INTL", "GM"])
def test_a_hub_joins_its_parent_under_every_suite(city: City, tmp_path: Path, suite: str) -> None:
    member = "yixin://330301/hub/city"
    with writing(city.parts.engine) as connection:
        state_policy(connection, city.parts.identity, ALL.names, city.clock.ms)
    keys = create_keys(tmp_path / "lower", post_quantum=True, suite=suite)
    # Hubs sign in two halves; SM2 has one.
    assert bool(keys.signing.verifying.pq_public_key) == (suite != "GM")
    response = city.join(join_request(city.token(member), keys, city.clock.ms, suite=suite))
    membership = make_membership(tmp_path / "lower", response, keys)
    assert membership.member_id == member
    assert membership.sealing_context(city.clock.ms).recipient_key.suite == suite


def test_a_join_outside_the_policy_is_refused_and_said(city: City, tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys", post_quantum=False, suite="GM")
    request = join_request(city.token(NODE, FIRST), keys, city.clock.ms, suite="GM")
    with pytest.raises(SuitePolicyError, match="GM is not within the policy"):
        city.join(request)


@pytest.mark.parametrize("suite", ["INTL-2030", "", "INTL"])
def test_a_join_under_a_suite_that_its_keys_do_not_have_is_refused(
    city: City, tmp_path: Path, suite: str
) -> None:
    keys = create_keys(tmp_path / "keys", post_quantum=False, suite="GM")
    request = join_request(city.token(NODE, FIRST), keys, city.clock.ms, suite=suite)
    with pytest.raises(EnrolmentRefusedError):
        city.join(request)


async def test_a_policy_of_an_older_version_is_refused_by_the_member(
    city: City, tmp_path: Path
) -> None:
    async with served(city, tmp_path) as node:
        await node.join("GM")
        require(city, "GM")
        await node.send(1)
        held = node.membership.policy
        assert held is not None
        assert held.required == "GM"
        older = sign_policy(
            city.parts.identity.root,
            Policy(hub=CITY, member="", version=held.version - 1, allowed=("INTL",)),
        )
        with pytest.raises(SuitePolicyError, match="downgrade"):
            node.membership.learn_policy(older)
        assert node.membership.policy == held
