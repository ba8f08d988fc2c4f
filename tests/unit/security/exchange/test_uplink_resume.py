"""Where the uplink goes on after a hub or a member was restored from an old copy."""

from __future__ import annotations

import shutil
import sqlite3
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.chain import ChainPosition
from security.errors import (
    HubRefusedError,
    RemoteSyncError,
)
from security.exchange.key_files import KeyFile, add_epoch
from security.exchange.sealing import ENVELOPE_LIFETIME_MS
from security.exchange.tables import outbox
from tests.support.exchange_member import BULK, numbers, open_member, reopened
from tests.support.members import HUB, NODE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember


async def test_a_hub_restored_from_an_old_backup_gets_the_archive(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(5))
    await member.sync()
    first = list(hub.received)
    hub.rewind(keep=2)
    member.append(b"later")

    report = await member.sync()

    assert hub.payloads() == [*numbers(5), b"later"]
    assert hub.received[5:8] == first[2:5]
    assert (report.sent, report.resent, report.receipts) == (1, 3, 4)


async def test_a_hub_that_lost_everything_gets_the_archive_from_the_start(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(3))
    await member.sync()
    hub.rewind(keep=0)
    await member.sync()
    assert hub.payloads() == numbers(3)


async def test_a_member_restored_from_an_old_copy_starts_an_issued_incarnation(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(2))
    await member.sync()
    member.engine.dispose()
    copy = member.directory / "copy.db"
    _backup(member.directory / "exchange.db", copy)
    member = reopened(member)
    member.append(*numbers(3, start=2))
    await member.sync()
    member.engine.dispose()
    _restore(copy, member.directory / "exchange.db")
    member = reopened(member)
    member.append(b"after the restoration")

    report = await member.sync()

    assert report.restarted == (BULK,)
    last = hub.chain().stored[-1]
    assert last.payload == b"after the restoration"
    header = last.header
    assert (header.incarnation, header.seq) == (2, 1)
    assert (header.cited_incarnation, header.cited_seq) == (1, 5)
    assert header.previous_hash == hub.chain().stored[-2].hash
    member.append(b"and on")
    assert (await member.sync()).restarted == ()
    assert hub.chain().head.incarnation == 2


async def test_a_restart_forgets_what_can_be_stated_anew_and_keeps_the_rest(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(b"statement", marks={"slot/1": b"digest"})
    await member.sync()
    member.append(b"newer statement", marks={"slot/2": b"digest"})
    member.append(b"event")
    member.seal()
    _forget_own_history(member)

    report = await member.sync()

    assert report.restarted == (BULK,)
    assert hub.payloads() == [b"statement", b"event"]
    with member.engine.begin() as conn:
        assert member.outbox.get_mark(conn, "slot/1") is None
        assert member.outbox.get_marks(conn, "slot/") == {}


async def test_a_hub_behind_across_incarnations_gets_both_ends(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(3))
    await member.sync()
    held = hub.chain().head
    with member.engine.begin() as conn:
        member.outbox.start_incarnation(conn, HUB, BULK, 2, held)
    member.append(*numbers(2, start=3))
    await member.sync()
    assert hub.chain().head.incarnation == 2
    hub.rewind(keep=2)

    await member.sync()

    assert hub.payloads() == numbers(5)
    assert [stored.header.incarnation for stored in hub.chain().stored] == [1, 1, 1, 2, 2]


async def test_expired_envelopes_are_sealed_anew_in_an_incarnation_that_was_asked_for(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(b"one")
    await member.sync()
    member.append(b"two")
    (row,) = member.seal()
    _expire(member)

    report = await member.sync()

    assert hub.openings[-1] == {}
    assert report.restarted == (BULK,)
    assert hub.payloads() == [b"one", b"two"]
    assert row.envelope not in hub.received
    assert hub.chain().head.incarnation == 2


async def test_expired_envelopes_of_a_hub_that_holds_nothing_are_sealed_anew_in_place(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(b"one")
    member.seal()
    _expire(member)
    report = await member.sync()
    assert report.restarted == (BULK,)
    assert hub.payloads() == [b"one"]
    assert hub.chain().head.incarnation == 1


async def test_two_histories_that_do_not_meet_are_left_to_a_person(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(2))
    await member.sync()
    head = hub.chain().head
    with member.engine.begin() as conn:
        member.outbox.start_incarnation(
            conn, HUB, BULK, 3, ChainPosition(incarnation=2, seq=9, hash=bytes(32))
        )
        # A copy whose archive never held what the hub holds.
        conn.exec_driver_sql("UPDATE x_outbox SET hash = zeroblob(32)")
    with pytest.raises(RemoteSyncError, match="joins again"):
        await member.sync()
    assert hub.chain().head == head


async def test_a_hub_that_lost_what_it_called_backed_up_is_told_so(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.backed_up_through = 2
    member.append(*numbers(3))
    await member.sync()
    hub.rewind(keep=1)
    with pytest.raises(RemoteSyncError, match="restore that backup first"):
        await member.sync()


async def test_a_gap_refusal_is_resumed_where_the_hub_stands(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(4))
    gap = exchange_pb2.Refusal(
        code=exchange_pb2.REFUSAL_CODE_GAP,
        detail="an envelope is missing",
        expected=exchange_pb2.ChainHead(
            lane=envelope_pb2.LANE_BULK, incarnation=0, seq=0, hash=bytes(32)
        ),
    )
    hub.faults.refusals = iter([gap])
    await member.sync()
    assert hub.payloads() == numbers(4)


async def test_a_gap_that_stays_is_reported_with_the_place(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(2))
    gap = exchange_pb2.Refusal(
        code=exchange_pb2.REFUSAL_CODE_GAP,
        expected=exchange_pb2.ChainHead(
            lane=envelope_pb2.LANE_BULK, incarnation=1, seq=7, hash=bytes(32)
        ),
    )
    hub.faults.refusals = repeat(gap)
    with pytest.raises(HubRefusedError, match="resumes where the hub stands") as caught:
        await member.sync()
    assert caught.value.expected == ChainPosition(incarnation=1, seq=7, hash=bytes(32))
    assert len(hub.openings) == 4


async def test_a_fork_at_the_hub_is_refused(hub: ExchangeHub, member: ExchangeMember) -> None:
    member.append(*numbers(2))
    member.seal()
    # A second process used a copy of this directory and got its envelope in first.
    twin = open_member(_twin(member), member.membership)
    twin.append(b"twin")
    await twin.sync()
    await member.sync()
    # The hub issued a new incarnation to the one that came second; nothing was overwritten.
    assert hub.payloads()[0] == b"twin"
    assert hub.chain().head.incarnation == 2


def _backup(database: Path, copy: Path) -> None:
    with sqlite3.connect(database) as source, sqlite3.connect(copy) as target:
        source.backup(target)


def _restore(copy: Path, database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    shutil.copy(copy, database)


def _twin(member: ExchangeMember) -> Path:
    directory = member.directory / "twin"
    directory.mkdir()
    shutil.copy(member.directory / "vault.key", directory / "vault.key")
    return directory


def _expire(member: ExchangeMember) -> None:
    with member.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE x_outbox SET expires_at_ms = expires_at_ms - ? WHERE state = 1",
            (ENVELOPE_LIFETIME_MS + 1,),
        )


def _forget_own_history(member: ExchangeMember) -> None:
    """The hub's head becomes unknown to the member: its copy is older than that."""
    with member.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE x_outbox SET hash = zeroblob(32) WHERE state = 2")
        assert member.membership.member_id == NODE


async def test_what_was_sealed_under_a_key_that_is_revoked_is_sealed_anew(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(3))
    first = [row.envelope for row in member.seal()]
    old = member.membership.certified[0]
    add_epoch(member.membership.directory, KeyFile.SIGNING)
    member.membership = hub.enrol(member.membership.directory)
    member.membership.keyring.revoke(HUB, old.serial, hub.now_ms)
    hub.keyring.revoke(HUB, old.serial, hub.now_ms)

    report = await member.sync()

    assert report.restarted == (BULK,)
    assert hub.payloads() == numbers(3)
    assert not set(first) & set(hub.received)
    signed_by = {stored.header.sender_key_id for stored in hub.chain().stored}
    assert signed_by == {member.membership.signing_key.key_id}


async def test_what_lies_in_an_earlier_incarnation_leaves_the_archive_with_the_backup(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(2))
    await member.sync()
    await member.sync(new_incarnations=True)
    hub.backed_up_through = 1
    member.append(b"of the second incarnation")
    await member.sync()

    with member.engine.begin() as conn:
        rows = conn.execute(select(outbox.c.incarnation, outbox.c.envelope)).all()
    assert [row.incarnation for row in rows] == [1, 1, 2]
    assert [row.envelope for row in rows] == [None, None, None]
