from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protos.yixin.v1 import identity_pb2
from security.errors import SuitePolicyError
from security.keys import SigningKey
from security.policy import Policy, check_suite, open_policy, sign_policy, suite_for
from tests.support.members import HUB, NODE, OTHER_NODE, HubUnderTest, make_hub

POLICY = Policy(hub=HUB, member="", version=3, allowed=("INTL-PQ", "INTL"), at_ms=1)
OWN = Policy(hub=HUB, member=NODE, version=4, allowed=("INTL-PQ", "GM"), required="GM", at_ms=2)


@pytest.fixture(scope="module")
def hub() -> HubUnderTest:
    return make_hub()


def opened(hub: HubUnderTest, policy: Policy, held: Policy | None = None) -> Policy:
    signed = sign_policy(hub.signing, policy)
    return open_policy(signed, hub.anchor, member=NODE, held=held)


def test_a_signed_policy_is_read_as_it_was_stated(hub: HubUnderTest) -> None:
    assert opened(hub, POLICY) == POLICY
    assert opened(hub, OWN, held=POLICY) == OWN
    assert opened(hub, OWN, held=OWN) == OWN


def test_a_policy_of_an_older_version_is_refused(hub: HubUnderTest) -> None:
    with pytest.raises(SuitePolicyError, match="version 3, held is 4"):
        opened(hub, POLICY, held=OWN)


def test_another_text_of_the_same_version_is_refused(hub: HubUnderTest) -> None:
    weaker = replace(OWN, required="")
    with pytest.raises(SuitePolicyError, match="another text of version 4"):
        opened(hub, weaker, held=OWN)


def test_a_policy_for_all_does_not_lift_one_of_the_members_own(hub: HubUnderTest) -> None:
    with pytest.raises(SuitePolicyError, match="one for all members"):
        opened(hub, replace(POLICY, version=9), held=OWN)
    assert opened(hub, replace(OWN, version=9, required=""), held=OWN).suites == ("INTL-PQ", "GM")


def test_a_policy_of_another_hub_key_or_member_is_refused(hub: HubUnderTest) -> None:
    stolen = sign_policy(SigningKey.generate(post_quantum=True), POLICY)
    with pytest.raises(SuitePolicyError, match="is not trusted"):
        open_policy(stolen, hub.anchor, member=NODE, held=None)
    with pytest.raises(SuitePolicyError, match="expected: of"):
        opened(hub, replace(OWN, member=OTHER_NODE))
    with pytest.raises(SuitePolicyError, match="expected: of"):
        opened(hub, replace(POLICY, hub="yixin://330400/hub/city"))


def test_every_changed_byte_is_refused(hub: HubUnderTest) -> None:
    signed = sign_policy(hub.signing, OWN)
    for part in ("body", "signature"):
        content = getattr(signed, part)
        for at in range(len(content)):
            changed = identity_pb2.SuitePolicy()
            changed.CopyFrom(signed)
            setattr(changed, part, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(SuitePolicyError):
                open_policy(changed, hub.anchor, member=NODE, held=None)


def test_a_stripped_post_quantum_half_is_refused(hub: HubUnderTest) -> None:
    signed = sign_policy(hub.signing, OWN)
    signed.pq_signature = b""
    with pytest.raises(SuitePolicyError, match="halves"):
        open_policy(signed, hub.anchor, member=NODE, held=None)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": 0}, "version 0"),
        ({"allowed": ()}, "0 suites"),
        ({"allowed": tuple(f"S{n}" for n in range(9))}, "9 suites"),
        ({"allowed": ("INTL", "INTL")}, "twice"),
        ({"allowed": ("intl",)}, "no name"),
        ({"required": "GM"}, "required but not allowed"),
    ],
)
def test_a_malformed_policy_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(SuitePolicyError, match=fault):
        replace(POLICY, **changes)


def test_only_suites_within_the_policy_may_be_used() -> None:
    check_suite(POLICY, "INTL")
    check_suite(OWN, "GM")
    for policy, suite in ((POLICY, "GM"), (OWN, "INTL-PQ"), (POLICY, "NULL")):
        with pytest.raises(SuitePolicyError, match="is not within the policy"):
            check_suite(policy, suite)


def test_the_preferred_suite_that_is_usable_is_chosen() -> None:
    assert suite_for(POLICY) == "INTL-PQ"
    assert suite_for(POLICY, ["INTL", "GM"]) == "INTL"
    assert suite_for(OWN, ["INTL-PQ", "GM"]) == "GM"
    with pytest.raises(SuitePolicyError, match="takes GM; usable here: INTL"):
        suite_for(OWN, ["INTL", "INTL-PQ"])


def test_a_suite_of_a_later_release_is_kept_and_never_chosen(hub: HubUnderTest) -> None:
    later = replace(POLICY, allowed=("INTL-2030", "INTL"))
    assert opened(hub, later).allowed == ("INTL-2030", "INTL")
    assert suite_for(later) == "INTL"
