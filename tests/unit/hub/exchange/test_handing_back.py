"""A hub that lost its revocation lists takes them back from members, and from nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.errors import ConfigurationError
from hub.exchange.revoking import revoke_member
from hub.log.sequencer import publish
from hub.log_jobs import LogJobs
from hub.store import log, members
from hub.store.engine import reading, writing
from hub.store.policies import (
    policy_of,
    require_suite,
    signed_history,
    signed_policy,
    state_policy,
)
from hub.store.revocation_lists import current_list
from protos.yixin.v1 import identity_pb2
from security.certificates import open_revocations
from security.errors import AuditInputError, SuitePolicyError
from security.exchange.engine import open_exchange
from security.exchange.receipt_export import export_receipts
from security.policy import open_policy
from security.progress import no_progress
from security.proof_files import ProofHead, ProofKind, read_proofs, write_proofs
from tests.support.hub_city import CITY, NODE, OTHER, THIRD, City, open_city
from tests.support.hub_logs import append, copied, put_back

if TYPE_CHECKING:
    from pathlib import Path

    from security.certificates import Revocations
    from security.policy import Policy
    from tests.support.hub_city import Sender


@pytest.fixture
def other(city: City, node: Sender, tmp_path: Path) -> Sender:
    assert node.member == NODE
    return city.enrol(tmp_path / "other", OTHER, THIRD)


def revoke(city: City, member: str = NODE) -> None:
    with writing(city.parts.engine) as connection:
        revoke_member(connection, city.parts.identity, member, "theft", city.clock.ms)
    city.clock.advance(minutes=1)


def handed(city: City, by: Sender, path: Path) -> Path:
    """What the member writes with `yixin node receipts --export` after a synchronisation."""
    with reading(city.parts.engine) as connection:
        signed = current_list(connection)
        policy = signed_policy(connection, city.parts.identity, by.member)
    if signed is not None:
        by.membership.learn_revocations(signed)
    by.membership.learn_policy(policy)
    engine = open_exchange(path.with_suffix(".db"))
    with engine.connect() as connection:
        export_receipts(connection, by.membership, path, envelopes=False, now=city.clock())
    engine.dispose()
    return path


async def recover(city: City, *files: Path) -> dict[str, Any]:
    found: dict[str, Any] = await LogJobs(parts=city.parts).recover(
        {"lists": [str(one) for one in files]}, no_progress
    )
    return found


def status(city: City, member: str) -> str:
    with reading(city.parts.engine) as connection:
        held = members.find_member(connection, member)
    return "none" if held is None else str(held.status)


def newest(city: City) -> Revocations:
    with reading(city.parts.engine) as connection:
        signed = current_list(connection)
    assert signed is not None
    return open_revocations(signed, city.parts.identity.anchor, held_version=0)


async def test_who_was_revoked_is_known_again_by_the_list_of_a_member(
    city: City, other: Sender, tmp_path: Path
) -> None:
    backup = copied(city.parts.log)
    revoke(city)
    lost = newest(city)
    file = handed(city, other, tmp_path / "other.jsonl")
    publish(city.parts.log)
    put_back(city.parts.log, backup)
    assert status(city, NODE) == "active"
    with pytest.raises(ConfigurationError, match="--lists FILE"):
        await recover(city)

    found = await recover(city, file)

    assert found["revoked_again"] == [NODE]
    assert (status(city, NODE), status(city, OTHER)) == ("revoked", "active")
    assert newest(city).version > lost.version
    assert newest(city).rows == lost.rows
    append(city.parts.log, 1)
    # Handed in once more, it changes nothing.
    assert (await recover(city, file))["revoked_again"] == []


async def test_certificates_that_were_lost_stay_on_the_list(
    city: City, other: Sender, tmp_path: Path
) -> None:
    backup = copied(city.parts.log)
    late = city.enrol(tmp_path / "late", "yixin://330302/node/H33030200009", "H33030200009")
    revoke(city, late.member)
    lost = newest(city)
    file = handed(city, other, tmp_path / "other.jsonl")
    publish(city.parts.log)
    put_back(city.parts.log, backup)

    assert (await recover(city, file))["revoked_again"] == []

    assert status(city, late.member) == "none"
    assert newest(city).rows == lost.rows
    revoke(city)
    assert {row.member for row in newest(city).rows} == {late.member, NODE}


async def test_who_joined_again_under_new_keys_is_not_revoked_by_the_old_ones(
    city: City, other: Sender, tmp_path: Path
) -> None:
    revoke(city)
    city.enrol(tmp_path / "again", NODE)
    file = handed(city, other, tmp_path / "other.jsonl")

    found = await recover(city, file)

    assert (found["before"], found["revoked_again"]) == (found["size"], [])
    assert status(city, NODE) == "active"


async def test_an_older_list_than_the_lost_one_is_not_enough(
    city: City, other: Sender, tmp_path: Path
) -> None:
    backup = copied(city.parts.log)
    revoke(city)
    file = handed(city, other, tmp_path / "other.jsonl")
    revoke(city, OTHER)
    publish(city.parts.log)
    put_back(city.parts.log, backup)

    with pytest.raises(ConfigurationError, match="lost a revocation list"):
        await recover(city, file)

    # What it says holds all the same.
    assert (status(city, NODE), status(city, OTHER)) == ("revoked", "active")


def state_policies(city: City) -> None:
    """Two for all, one lifted for one member, one that holds for another."""
    with writing(city.parts.engine) as connection:
        for allowed in (("INTL", "INTL-PQ"), ("INTL-PQ",)):
            state_policy(connection, city.parts.identity, allowed, city.clock.ms)
            city.clock.advance(minutes=1)
        for member, suite in ((NODE, "INTL"), (OTHER, "INTL"), (NODE, "")):
            require_suite(connection, city.parts.identity, member, suite, city.clock.ms)
            city.clock.advance(minutes=1)


def policies(city: City) -> list[bytes]:
    """Every policy that holds, and that was stated, as it is signed."""
    with reading(city.parts.engine) as connection:
        history = [one.body for one in signed_history(connection, city.parts.identity)]
        now = [signed_policy(connection, city.parts.identity, one).body for one in (NODE, OTHER)]
    return [*history, *now]


async def test_policies_that_were_lost_are_found_again_by_their_leaves(
    city: City, other: Sender, tmp_path: Path
) -> None:
    backup = copied(city.parts.log)
    state_policies(city)
    lost = policies(city)
    handed(city, other, tmp_path / "other.jsonl")
    publish(city.parts.log)
    put_back(city.parts.log, backup)
    with reading(city.parts.engine) as connection:
        older = signed_policy(connection, city.parts.identity, OTHER)
    with pytest.raises(SuitePolicyError, match="refused as a downgrade"):
        other.membership.learn_policy(older)

    found = await recover(city)

    assert (found["policies"], found["policies_again"], len(lost)) == (0, 5, 7)
    assert policies(city) == lost
    with writing(city.parts.engine) as connection:
        before = policy_of(connection, CITY, OTHER)
        later = require_suite(connection, city.parts.identity, OTHER, "", city.clock.ms)
        signed = signed_policy(connection, city.parts.identity, OTHER)
    assert later.version > before.version
    assert other.membership.learn_policy(signed)


async def test_a_policy_that_no_present_suite_explains_is_counted_as_lost(
    city: City, other: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert other.member == OTHER
    backup = copied(city.parts.log)
    state_policies(city)
    publish(city.parts.log)
    put_back(city.parts.log, backup)
    monkeypatch.setattr("hub.store.policies.SUITE_NAMES", ("INTL-PQ",))

    found = await recover(city)

    # The policy for all of INTL-PQ alone and the lift are found, what names INTL is not.
    assert (found["policies"], found["policies_again"]) == (3, 2)


async def test_policies_whose_leaves_are_lost_are_stated_above_what_members_hold(
    city: City, other: Sender, tmp_path: Path
) -> None:
    backup = copied(city.parts.log)
    state_policies(city)
    lost = open_held(city, other, handed(city, other, tmp_path / "other.jsonl"))
    publish(city.parts.log)
    with reading(city.parts.engine) as connection:
        end = log.size(connection)
    put_back(city.parts.log, backup)
    with reading(city.parts.engine) as connection:
        first = log.size(connection)
    LogJobs(parts=city.parts).new_origin({"first": first, "end": end}, no_progress)

    found = await recover(city, tmp_path / "other.jsonl")

    with reading(city.parts.engine) as connection:
        again = policy_of(connection, CITY, OTHER)
        signed = signed_policy(connection, city.parts.identity, OTHER)
    assert found["policies_restated"] == 1
    assert (again.required, again.version > lost.version) == ("INTL", True)
    assert other.membership.learn_policy(signed)


async def test_a_requirement_that_is_lost_for_good_can_be_lifted(
    city: City, other: Sender, tmp_path: Path
) -> None:
    backup = copied(city.parts.log)
    state_policies(city)
    handed(city, other, tmp_path / "other.jsonl")
    publish(city.parts.log)
    with reading(city.parts.engine) as connection:
        end = log.size(connection)
    put_back(city.parts.log, backup)
    with reading(city.parts.engine) as connection:
        first = log.size(connection)
    LogJobs(parts=city.parts).new_origin({"first": first, "end": end}, no_progress)

    with writing(city.parts.engine) as connection:
        lifted = require_suite(connection, city.parts.identity, OTHER, "", city.clock.ms)
        again = require_suite(connection, city.parts.identity, OTHER, "", city.clock.ms)
        signed = signed_policy(connection, city.parts.identity, OTHER)

    assert (lifted.member, lifted.required, lifted == again) == (OTHER, "", True)
    assert other.membership.learn_policy(signed)


def open_held(city: City, by: Sender, file: Path) -> Policy:
    """The policy in what a member wrote."""
    head, _ = read_proofs(file)
    signed = identity_pb2.SuitePolicy.FromString(head.policy)
    return open_policy(signed, city.parts.identity.anchor, member=by.member, held=None)


@pytest.mark.parametrize("fault", ["changed", "foreign", "nothing", "cut", "no file"])
async def test_only_what_this_hub_signed_is_taken(
    city: City, other: Sender, tmp_path: Path, fault: str
) -> None:
    backup = copied(city.parts.log)
    revoke(city)
    file = handed(city, other, tmp_path / "other.jsonl")
    head, _ = read_proofs(file)
    put_back(city.parts.log, backup)
    if fault == "cut":
        file.write_bytes(file.read_bytes()[:200])
    elif fault == "no file":
        file.unlink()
    else:
        lists = b""
        if fault == "changed":
            at = len(head.revocations) // 2
            changed = bytes([head.revocations[at] ^ 1])
            lists = head.revocations[:at] + changed + head.revocations[at + 1 :]
        if fault == "foreign":
            lists = foreign_list(tmp_path)
        write_proofs(file, replace(head, revocations=lists, policy=b""), ())

    with pytest.raises((ConfigurationError, AuditInputError)):
        await recover(city, file)

    assert status(city, NODE) == "active"


def foreign_list(tmp_path: Path) -> bytes:
    """A list by another hub of the same name."""
    with open_city(tmp_path / "foreign") as city:
        city.enrol(tmp_path / "node2", NODE)
        revoke(city)
        with reading(city.parts.engine) as connection:
            signed = current_list(connection)
    assert signed is not None
    return signed.SerializeToString()


def test_a_file_of_an_earlier_release_is_read_and_holds_no_list(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    head = ProofHead(kind=ProofKind.RECEIPTS, hub=CITY, member=NODE, made_at_ms=1, certificates=())
    write_proofs(path, head, ())
    old = path.read_text().replace(',"revocations":"","policy":""', "")
    assert "revocations" not in old
    path.write_text(old)
    assert read_proofs(path)[0] == head
