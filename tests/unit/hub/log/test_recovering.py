from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, text, update

from hub.admission_jobs import AdmissionJobs
from hub.agreements.signing import get_in_force, retire, sign_terms
from hub.agreements.terms import shipped_terms
from hub.errors import AgreementRefusedError, ConfigurationError, LogReadOnlyError
from hub.log.hub_log import find_note
from hub.log.recovering import recover_from, start_origin
from hub.log.sequencer import publish
from hub.log.starting import check_state
from hub.log.witnessing import hear
from hub.log_jobs import LogJobs
from hub.operators import OperatorEntry, note, verify_log
from hub.store import agreements, members
from hub.store import log as leaf_log
from hub.store.engine import reading, writing
from hub.store.log_recovered import add_recovered
from hub.store.log_recoveries import add_recovery
from hub.store.log_tables import log_recovery
from hub.store.operator_tables import operator_log
from hub.store.revocation_lists import issue_list
from hub.store.revocations import newest_list
from protos.yixin.v1 import exchange_pb2, transparency_pb2
from security.errors import LogCorruptError, LogRollbackError
from security.keys import SigningKey
from security.merkle import consistency_path_over, verify_consistency
from security.progress import no_progress
from security.tlog.reader import TileReader
from security.transparency import parse_leaf, verify_checkpoint
from tests.support.hub_city import Slot, batch
from tests.support.hub_logs import append, copied, put_back, size
from tests.support.witnesses import befriend, cosigned

if TYPE_CHECKING:
    from pathlib import Path

    from hub.log.hub_log import HubLog
    from tests.support.hub_city import City, Sender


async def test_leaves_come_back_from_the_hubs_own_tiles(city: City) -> None:
    log = city.parts.log
    before = append(log, 4)
    backup = copied(log)
    whole = append(log, 300)
    publish(log)
    put_back(log, backup)
    with pytest.raises(LogRollbackError):
        check_state(log)
    found = await LogJobs(parts=city.parts).recover({}, no_progress)
    assert (found["before"], found["size"]) == (before, whole)
    check_state(log)
    append(log, 1)


async def test_an_envelope_that_comes_again_gets_its_own_place_and_time(
    city: City, node: Sender
) -> None:
    log = city.parts.log
    before = size(log)
    backup = copied(log)
    sealed = [node.seal(batch(Slot(month=month))) for month in (202601, 202602)]
    first = [_body(one) for one in city.submit(*sealed)]
    publish(log)
    put_back(log, backup)
    found = await LogJobs(parts=city.parts).recover({}, no_progress)
    assert found["envelopes"] == 2
    city.clock.advance(hours=1)

    again = [_body(one) for one in city.submit(*sealed)]

    for old, new in zip(first, again, strict=True):
        assert (old.log_index, old.logged_at_ms) == (new.log_index, new.logged_at_ms)
    assert size(log) == before + 3, "these two, and the first revocation list"
    assert LogJobs(parts=city.parts).status({}, no_progress)["envelopes_awaited"] == 0
    third = _body(city.submit(node.seal(batch(Slot(month=202603))))[0])
    assert third.log_index == before + 3


async def test_a_lost_revocation_is_made_anew_before_the_log_goes_on(
    city: City, node: Sender
) -> None:
    log, jobs = city.parts.log, LogJobs(parts=city.parts)
    before = size(log)
    backup = copied(log)
    lost = _revoked(city, node.member)
    publish(log)
    put_back(log, backup)

    with pytest.raises(ConfigurationError, match="--revoked-again"):
        await jobs.recover({}, no_progress)
    assert size(log) == before
    log.mode.freeze("restored from an old copy")
    _revoked(city, node.member)
    await jobs.recover({"revoked_again": True}, no_progress)

    # Who holds the lost list takes the new one: there are no two lists of one version.
    with reading(log.engine) as connection:
        newest = newest_list(connection)
    assert newest is not None
    assert newest.version > lost


async def test_a_lost_list_that_revoked_nobody_new_is_followed_by_a_higher_one(
    city: City, node: Sender
) -> None:
    log, identity = city.parts.log, city.parts.identity
    _revoked(city, node.member)
    backup = copied(log)
    with writing(log.engine) as connection:
        issue_list(connection, identity, city.clock.ms)
        lost = newest_list(connection)
    assert lost is not None
    publish(log)
    put_back(log, backup)
    await LogJobs(parts=city.parts).recover({"revoked_again": True}, no_progress)
    with reading(log.engine) as connection:
        newest = newest_list(connection)
    assert newest is not None
    assert newest.version > lost.version


def _revoked(city: City, member: str) -> int:
    row = AdmissionJobs(parts=city.parts).revoke({"member": member, "reason": "theft"}, no_progress)
    return int(row["list"])


async def test_the_operator_log_tells_lost_entries_from_removed_ones(city: City) -> None:
    log = city.parts.log
    entry = OperatorEntry(hub=log.hub, at_ms=city.clock.ms, job="grade")
    _noted(log, entry)
    backup = copied(log)
    _noted(log, entry)
    _noted(log, entry)
    publish(log)
    put_back(log, backup)
    found = await LogJobs(parts=city.parts).recover({}, no_progress)
    assert (found["operations"], found["envelopes"]) == (2, 0)
    assert LogJobs(parts=city.parts).status({}, no_progress)["envelopes_awaited"] == 0
    _noted(log, entry)
    with reading(log.engine) as connection:
        verified = verify_log(connection, log.anchor)
    assert (verified.size, verified.leaves, verified.lost) == (2, 2, 2)
    with writing(log.engine) as connection:
        connection.execute(delete(log_recovery))
    with reading(log.engine) as connection, pytest.raises(LogCorruptError):
        verify_log(connection, log.anchor)


@pytest.mark.parametrize("by", ["nobody", "another key", "another range"])
def test_who_writes_the_database_cannot_call_removed_entries_lost(city: City, by: str) -> None:
    log = city.parts.log
    entry = OperatorEntry(hub=log.hub, at_ms=city.clock.ms, job="publish")
    first = size(log)
    _noted(log, entry)
    with writing(log.engine) as connection:
        connection.execute(text("drop trigger operator_log_kept"))
        connection.execute(delete(operator_log))
        if by == "nobody":
            # What marked lost entries before; envelopes are awaited by it, and nothing else.
            add_recovered(connection, {bytes(32): first})
        else:
            key = SigningKey.generate(post_quantum=True) if by == "another key" else log.root
            add_recovery(connection, key, log.hub, range(first, first), city.clock.ms)
            connection.execute(update(log_recovery).values(end=first + 1))
    with reading(log.engine) as connection, pytest.raises(LogCorruptError, match="evidence"):
        verify_log(connection, log.anchor)


def _noted(log: HubLog, entry: OperatorEntry) -> None:
    with writing(log.engine) as connection:
        note(connection, entry)


async def test_numbers_of_a_lost_part_are_not_given_out_again(city: City) -> None:
    log, names = city.parts.log, ("certificate_serial", "never used before")
    backup = copied(log)
    lost = [_counted(log, name) for name in names]
    append(log, 2)
    publish(log)
    put_back(log, backup)
    await LogJobs(parts=city.parts).recover({}, no_progress)
    again = [_counted(log, name) for name in names]
    assert all(new > old for new, old in zip(again, lost, strict=True))
    assert [_counted(log, name) for name in names] == [number + 1 for number in again]


async def test_an_agreement_whose_end_was_lost_is_not_in_force_again(city: City) -> None:
    log = city.parts.log
    _signed(city, "bank")
    backup = copied(log)
    city.clock.advance(hours=1)
    with writing(log.engine) as connection:
        retire(connection, city.parts.identity, "bank", city.clock.ms)
    ended_at_ms = city.clock.ms
    publish(log)
    put_back(log, backup)

    found = await LogJobs(parts=city.parts).recover({}, no_progress)

    assert (found["agreements"], found["retired"]) == (0, 1)
    with reading(log.engine) as connection:
        held = agreements.find_version(connection, "bank@1")
        assert held is not None
        assert held.retired_at_ms == ended_at_ms
        with pytest.raises(AgreementRefusedError, match="is in force"):
            get_in_force(connection, "bank", city.clock.ms)


async def test_no_version_of_an_agreement_is_signed_twice(city: City) -> None:
    log = city.parts.log
    _signed(city, "bank")
    backup = copied(log)
    assert [_signed(city, "bank"), _signed(city, "police")] == ["bank@2", "police@1"]
    publish(log)
    put_back(log, backup)

    found = await LogJobs(parts=city.parts).recover({}, no_progress)

    assert (found["agreements"], found["retired"]) == (2, 1)
    with reading(log.engine) as connection:
        assert agreements.current_versions(connection) == ()
    assert [_signed(city, "bank"), _signed(city, "police")] == ["bank@3", "police@2"]
    assert _signed(city, "market_regulation") == "market_regulation@1"


def _signed(city: City, name: str) -> str:
    with writing(city.parts.log.engine) as connection:
        return sign_terms(
            connection,
            city.parts.identity,
            shipped_terms(city.parts.catalog)[name],
            parent="",
            officer="王五",
            now_ms=city.clock.ms,
        ).agreement.reference


def _counted(log: HubLog, name: str) -> int:
    with writing(log.engine) as connection:
        return members.next_number(connection, name)


def _body(result: object) -> exchange_pb2.ReceiptBody:
    assert isinstance(result, exchange_pb2.Receipt), result
    return exchange_pb2.ReceiptBody.FromString(result.body)


async def test_leaves_come_back_from_a_mirror_that_was_carried_here(
    city: City, province: City
) -> None:
    log, by = city.parts.log, province.parts.log
    before = append(log, 4)
    backup = copied(log)
    whole = append(log, 9)
    cosigned(log, by)
    put_back(log, backup)
    mirror = next((province.parts.directory / "log-mirrors").iterdir())
    jobs = LogJobs(parts=city.parts)
    found = await jobs.recover({"mirror": str(mirror)}, no_progress)
    assert (found["before"], found["size"]) == (before, whole)


def test_a_database_that_went_another_way_is_not_joined_with_the_old_log(city: City) -> None:
    log = city.parts.log
    before = append(log, 4)
    backup = copied(log)
    append(log, 9)
    publish(log)
    put_back(log, backup)
    append(log, 2, word="another way")
    found = find_note(log.tiles(1), log.anchor, log.origin(1))
    assert found is not None
    with pytest.raises(LogRollbackError, match="another way"):
        recover_from(log, log.tiles(1), found, revoked_again=lambda _leaf: False)
    assert size(log) == before + 2


async def test_a_hub_that_finds_nothing_says_what_is_left_to_do(city: City) -> None:
    append(city.parts.log, 1)
    with pytest.raises(LogReadOnlyError, match="--mirror"):
        await LogJobs(parts=city.parts).recover({}, no_progress)


def test_lost_leaves_are_named_and_the_log_goes_on(city: City, province: City) -> None:
    log = city.parts.log
    befriend(log, province.parts.log)
    before = append(log, 4)
    backup = copied(log)
    old = publish(log)
    whole = append(log, 6)
    seen = publish(log).note
    put_back(log, backup)
    hear(log, "yixin://330302/node/H33030200001", seen)

    for first, end in ((before - 1, whole), (before, whole - 1), (before, before + 2_000_000)):
        with pytest.raises(ConfigurationError, match=f"--lost {before}:TO"):
            start_origin(log, first, end)
    made = start_origin(log, before, whole)

    assert made.origin == log.origin(2) != log.origin(1)
    published = publish(log)
    assert published.checkpoint == made
    assert verify_checkpoint(published.note, log.anchor) == made
    reader = TileReader(log.tiles(2), made)
    lost = [parse_leaf(leaf) for leaf in reader.entries(before, whole)]
    assert {leaf.kind for leaf in lost} == {transparency_pb2.LOG_KIND_ORIGIN}
    assert {leaf.purpose for leaf in lost} == {f"{before}:{whole}"}
    # What was not lost is the beginning of the new log as well.
    path = consistency_path_over(reader.subtree, before, made.size)
    verify_consistency(before, made.size, path, old.checkpoint.root, made.root)
    check_state(log)
    append(log, 1)
    # What was seen of the old log stands against nothing any more.
    assert not hear(log, "somebody", seen).refusal
    append(log, 1)
    cosigned_origins = LogJobs(parts=city.parts).status({}, no_progress)
    assert cosigned_origins["origin"] == made.origin


@pytest.mark.parametrize("repair", [False, True])
def test_a_log_put_back_with_its_tiles_stays_closed_when_it_is_verified(
    city: City, tmp_path: Path, *, repair: bool
) -> None:
    log = city.parts.log
    append(log, 4)
    publish(log)
    backup = copied(log)
    tiles = shutil.copytree(log.place, tmp_path / "tiles")
    append(log, 3)
    seen = publish(log).note
    put_back(log, backup)
    shutil.rmtree(log.place)
    shutil.copytree(tiles, log.place)
    assert hear(log, "yixin://330302/node/H33030200001", seen).refusal
    said = LogJobs(parts=city.parts).verify({"repair": repair}, no_progress)
    assert "holds a checkpoint signed by this hub" in said["reason"]
    with pytest.raises(LogReadOnlyError):
        append(log, 1)


def test_a_log_that_is_whole_gets_no_new_origin(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    publish(log)
    with pytest.raises(ConfigurationError, match="goes on as it is"):
        start_origin(log, total, total + 1)


def test_a_log_may_lose_leaves_twice(city: City) -> None:
    log = city.parts.log
    for number in (2, 3):
        before = append(log, 2)
        backup = copied(log)
        whole = append(log, 3)
        publish(log)
        put_back(log, backup)
        assert start_origin(log, before, whole).origin == log.origin(number)
        publish(log)


def test_a_contradiction_without_lost_leaves_is_named_by_one_leaf(city: City) -> None:
    log = city.parts.log
    total = append(log, 3)
    with log.engine.begin() as connection:
        leaf_log.save_state(connection, {"conflict": "somebody saw another root"})
    assert start_origin(log, total, total).size == total + 1
    assert publish(log).checkpoint.origin == log.origin(2)
    with reading(log.engine) as connection:
        assert leaf_log.state(connection).number == 2
