"""The uplink against a real hub behind real mutual TLS, with every way a line or a hub fails."""

from __future__ import annotations

import shutil
import sqlite3
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.chain import ChainPosition
from security.errors import (
    HubRefusedError,
    HubUnreachableError,
    RemoteSyncError,
    UntrustedCertificateError,
    UntrustedReceiptError,
)
from security.exchange import archive, submit_stream
from security.exchange.sealing import ENVELOPE_LIFETIME_MS
from security.exchange.uplink import sync_up
from tests.support.exchange_hub import serving
from tests.support.exchange_member import BULK, make_member, open_member
from tests.support.members import HUB, NODE, NOW, make_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ExchangeHub]:
    directory = tmp_path / "hub"
    directory.mkdir()
    async with serving(directory) as servicer:
        yield servicer


@pytest.fixture
def member(tmp_path: Path, hub: ExchangeHub) -> ExchangeMember:
    return make_member(tmp_path, hub)


def reopened(member: ExchangeMember) -> ExchangeMember:
    """The member as a new process finds it."""
    member.engine.dispose()
    return open_member(member.directory, member.membership)


def numbers(count: int, start: int = 0) -> list[bytes]:
    return [b"payload %d" % number for number in range(start, start + count)]


async def test_everything_arrives_once_in_order_and_is_receipted(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(5))
    seen: list[tuple[int, int]] = []

    report = await member.sync(progress=lambda _s, done, total, _u: seen.append((done, total)))

    assert hub.payloads() == numbers(5)
    assert (report.sent, report.resent, report.receipts, report.restarted) == (5, 0, 5, ())
    assert seen[-1] == (5, 5)
    assert member.pending().total == 0
    with member.engine.begin() as conn:
        assert archive.count_receipts(conn, HUB) == 5
    again = await member.sync()
    assert (again.sent, again.resent, again.receipts) == (0, 0, 0)
    assert hub.payloads() == numbers(5)


async def test_the_control_lane_goes_first(hub: ExchangeHub, member: ExchangeMember) -> None:
    member.append(b"bulk", lane=3)
    member.append(b"urgent", lane=2)
    member.append(b"control", lane=1)
    await member.sync()
    order = [hub.chain(lane).stored[0].log_index for lane in (1, 2, 3)]
    assert order == [0, 1, 2]


async def test_a_line_lost_mid_stream_loses_and_doubles_nothing(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(6))
    hub.faults.break_after_received = 4
    with pytest.raises(HubUnreachableError, match="nothing is lost, try again"):
        await member.sync()
    hub.faults.break_after_received = None

    report = await reopened(member).sync()

    assert hub.payloads() == numbers(6)
    assert report.sent == 0
    assert member.pending().total == 0


async def test_an_envelope_stored_without_its_receipt_is_sent_again_identically(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(3))
    hub.faults.break_after_stored = 2
    with pytest.raises(HubUnreachableError):
        await member.sync()
    hub.faults.break_after_stored = None
    first = list(hub.received)

    await reopened(member).sync()

    assert hub.payloads() == numbers(3)
    assert hub.received[len(first)] in first
    assert len({stored.hash for stored in hub.chain().stored}) == 3
    assert member.pending().total == 0


async def test_a_crash_between_seal_and_send_resends_the_sealed_bytes(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(3))
    sealed = member.seal()

    report = await reopened(member).sync()

    assert hub.received == [row.envelope for row in sealed]
    assert (report.sent, report.resent, report.receipts) == (0, 3, 3)


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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (exchange_pb2.REFUSAL_CODE_UNTRUSTED, "compare both clocks"),
        (exchange_pb2.REFUSAL_CODE_FORK, "who keeps both as evidence"),
        (exchange_pb2.REFUSAL_CODE_BUSY, "try again later"),
        (exchange_pb2.REFUSAL_CODE_UNSPECIFIED, "ask the hub's operator"),
    ],
)
async def test_a_refusal_says_what_to_do_and_settles_nothing(
    hub: ExchangeHub,
    member: ExchangeMember,
    code: exchange_pb2.RefusalCode.ValueType,
    words: str,
) -> None:
    member.append(*numbers(2))
    hub.faults.refusals = iter([exchange_pb2.Refusal(code=code, detail="the hub's wording")])
    with pytest.raises(HubRefusedError, match=words):
        await member.sync()
    assert member.pending().sealed == 2
    await member.sync()
    assert hub.payloads() == numbers(2)


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


async def test_receipts_before_a_refusal_are_settled(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(3))
    await member.sync(window_bytes=1)
    member.append(*numbers(3, start=3))
    busy = exchange_pb2.Refusal(code=exchange_pb2.REFUSAL_CODE_BUSY)
    hub.faults.refusals = iter([None, None, busy])
    with pytest.raises(HubRefusedError, match="busy"):
        await member.sync()
    assert member.pending().total == 1
    await member.sync()
    assert hub.payloads() == numbers(6)


def _flip_signature(receipt: exchange_pb2.Receipt) -> exchange_pb2.Receipt:
    receipt.signature = bytes([receipt.signature[0] ^ 1]) + receipt.signature[1:]
    return receipt


def _flip_body(receipt: exchange_pb2.Receipt) -> exchange_pb2.Receipt:
    body = exchange_pb2.ReceiptBody.FromString(receipt.body)
    body.log_index += 1
    receipt.body = body.SerializeToString(deterministic=True)
    return receipt


@pytest.mark.parametrize("tamper", [_flip_signature, _flip_body])
async def test_a_flipped_receipt_settles_nothing(
    hub: ExchangeHub, member: ExchangeMember, tamper: object
) -> None:
    member.append(b"one")
    hub.faults.tamper_receipt = tamper  # type: ignore[assignment]  # parametrised callables
    with pytest.raises(UntrustedReceiptError):
        await member.sync()
    assert member.pending().sealed == 1
    hub.faults.tamper_receipt = None
    await member.sync()
    assert member.pending().total == 0
    assert hub.payloads() == [b"one"]


async def test_a_receipt_for_another_envelope_is_refused(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    def shift(body: exchange_pb2.ReceiptBody) -> None:
        body.seq += 1

    member.append(b"one")
    hub.faults.change_body = shift
    with pytest.raises(UntrustedReceiptError, match="the next one due"):
        await member.sync()
    assert member.pending().sealed == 1


async def test_a_replayed_receipt_is_refused(hub: ExchangeHub, member: ExchangeMember) -> None:
    kept: list[exchange_pb2.Receipt] = []

    def replay(receipt: exchange_pb2.Receipt) -> exchange_pb2.Receipt:
        kept.append(receipt)
        return kept[0]

    member.append(b"one", b"two")
    hub.faults.tamper_receipt = replay
    with pytest.raises(UntrustedReceiptError, match="the next one due"):
        await member.sync()
    assert member.pending().sealed == 1


async def test_a_hub_with_an_uncertified_key_gets_nothing(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    stranger = make_hub()

    def present(accepted: exchange_pb2.StreamAccepted) -> None:
        accepted.hub_keys.extend(stranger.certificates)

    member.append(b"one")
    hub.faults.change_accepted = present
    with pytest.raises(UntrustedCertificateError):
        await member.sync()
    assert hub.received == []


async def test_heads_signed_by_a_stranger_are_refused_before_anything_is_sent(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    def break_signature(accepted: exchange_pb2.StreamAccepted) -> None:
        accepted.heads.signature = bytes(64)

    member.append(b"one")
    hub.faults.change_accepted = break_signature
    with pytest.raises(RemoteSyncError, match="not trusted"):
        await member.sync()
    assert hub.received == []


async def test_new_hub_keys_are_kept(hub: ExchangeHub, member: ExchangeMember) -> None:
    before = len(member.membership.joined.hub_keys)
    hub.hub.certify(hub.hub.hub_id, hub.hub.encryption)
    await member.sync()
    assert len(member.membership.joined.hub_keys) == before + 1


async def test_quarantined_content_is_receipted_and_counted(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(b"one", b"poison", b"two")
    report = await member.sync()
    assert (report.receipts, report.quarantined) == (3, 1)
    assert hub.payloads()[-1] == b"two"


async def test_the_window_bounds_the_bytes_without_receipt(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*(bytes(20_000) for _ in range(12)))
    hub.faults.answer_after = 2
    await member.sync(window_bytes=60_000)
    assert len(hub.payloads()) == 12
    assert 40_000 < hub.in_flight_peak <= 60_000


async def test_a_silent_hub_does_not_hold_the_member_for_ever(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(b"one")
    hub.faults.silent = True
    with pytest.raises(HubUnreachableError, match=r"no answer within 0\.2 s"):
        await member.sync(stall_timeout_s=0.2)
    assert member.pending().sealed == 1


async def test_reading_ahead_is_bounded(
    hub: ExchangeHub, member: ExchangeMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit_stream, "READ_AHEAD", 2)
    member.append(*numbers(9))
    hub.faults.answer_after = 9
    report = await member.sync()
    assert report.receipts == 9


async def test_a_stream_closed_early_is_a_lost_line(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(b"one")
    hub.faults.close_early = True
    with pytest.raises(HubUnreachableError, match="closed the stream while answers were due"):
        await member.sync()


@pytest.mark.parametrize(
    "first",
    [
        exchange_pb2.SubmitResponse(receipt=exchange_pb2.Receipt()),
        exchange_pb2.SubmitResponse(),
    ],
)
async def test_a_wrong_first_message_ends_the_stream(
    hub: ExchangeHub, member: ExchangeMember, first: exchange_pb2.SubmitResponse
) -> None:
    hub.faults.first_message = first
    with pytest.raises(RemoteSyncError, match="while the stream was handshake"):
        await member.sync()


async def test_an_absent_hub_is_unreachable(hub: ExchangeHub, member: ExchangeMember) -> None:
    member.membership.joined.exchange_address = ""
    gone = type(member.membership)(
        **{
            name: getattr(member.membership, name)
            for name in member.membership.__slots__
            if name != "exchange_address"
        },
        exchange_address="127.0.0.1:1",
    )
    with pytest.raises(HubUnreachableError, match="check the address"):
        await sync_up(gone, member.engine, member.outbox, now=lambda: NOW)
    assert hub.openings == []


async def test_a_member_with_a_certificate_of_another_hub_gets_no_connection(
    hub: ExchangeHub, tmp_path: Path
) -> None:
    other_directory = tmp_path / "other"
    other_directory.mkdir()
    async with serving(other_directory) as other:
        stranger = make_member(tmp_path, other)
        address = f"127.0.0.1:{hub.port}"
        membership = stranger.membership
        moved = type(membership)(
            **{
                name: getattr(membership, name)
                for name in membership.__slots__
                if name != "exchange_address"
            },
            exchange_address=address,
        )
        with pytest.raises(HubUnreachableError):
            await sync_up(moved, stranger.engine, stranger.outbox, now=lambda: NOW)
    assert hub.openings == []


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
