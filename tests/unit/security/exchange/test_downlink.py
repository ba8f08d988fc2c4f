"""The downlink against a real hub: in order, once, acknowledged, and never blocked by poison."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from security.certificates import ENCRYPTION
from security.chain import ChainPosition
from security.errors import (
    ChainForkError,
    ChainGapError,
    HubUnreachableError,
    UntrustedEnvelopeError,
)
from security.exchange import archive
from security.exchange.sealing import SealingContext
from security.keys import EncryptionKey
from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member, open_member
from tests.support.members import HUB, NODE, NOW_MS

if TYPE_CHECKING:
    from pathlib import Path

    from protos.yixin.v1 import exchange_pb2
    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember


def received(member: ExchangeMember) -> list[bytes]:
    with member.engine.begin() as conn:
        return [one.payload for one in member.inbox.payloads(conn, "grade_statements")]


async def test_everything_is_stored_once_and_acknowledged(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    for number in range(70):
        hub.send_down(b"grade %d" % number)
    hub.send_down(b"first", lane=1)
    seen: list[int] = []

    stored = await member.collect(progress=lambda _s, done, _t, _u: seen.append(done))

    assert stored == 71
    assert seen[-1] == 71
    with hub.engine.begin() as conn:
        assert hub.outbox.pending(conn, NODE).total == 0
    with member.engine.begin() as conn:
        assert member.inbox.count(conn) == 71
        assert member.inbox.heads(conn, HUB).keys() == {1, 3}
    assert await member.collect() == 0


async def test_processed_payloads_are_not_handed_out_again(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.send_down(b"one")
    hub.send_down(b"two")
    await member.collect()
    with member.engine.begin() as conn:
        first = member.inbox.payloads(conn, "grade_statements", limit=1)[0]
        member.inbox.mark_processed(conn, [first.inbox_id])
    assert (first.sender, first.lane, first.incarnation, first.seq) == (HUB, 3, 1, 1)
    assert received(member) == [b"two"]
    with member.engine.begin() as conn:
        every = member.inbox.payloads(conn, "grade_statements", unprocessed=False)
        later = member.inbox.payloads(
            conn, "grade_statements", unprocessed=False, after_id=first.inbox_id
        )
        assert member.inbox.count(conn, unprocessed=True) == 1
    assert [one.payload for one in every] == [b"one", b"two"]
    assert [one.payload for one in later] == [b"two"]


async def test_an_envelope_sent_twice_is_stored_once(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.send_down(b"one")
    hub.send_down(b"two")
    sent: list[exchange_pb2.CollectResponse] = []

    def repeat_the_first(response: exchange_pb2.CollectResponse) -> None:
        sent.append(response)
        response.CopyFrom(sent[0])

    hub.tamper_download = repeat_the_first
    assert await member.collect() == 1
    hub.tamper_download = None
    assert await member.collect() == 1
    assert received(member) == [b"one", b"two"]


async def test_unreadable_content_advances_the_chain(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.send_down(b"sealed to a key that nobody holds")
    lost = EncryptionKey.generate("INTL-PQ")
    hub.keyring.add(hub.hub.certify(NODE, lost))
    with hub.engine.begin() as conn:
        context = SealingContext(
            sender=HUB,
            signing_key=hub.hub.signing,
            recipient_key=hub.keyring.find(NODE, lost.key_id, ENCRYPTION, NOW_MS),
            now_ms=NOW_MS,
        )
        hub.outbox.seal_ahead(conn, NODE, context)
    hub.send_down(b"readable")
    hub.keyring.revoke(HUB, hub.hub.serial, NOW_MS)

    assert await member.collect() == 2

    assert received(member) == [b"readable"]
    with member.engine.begin() as conn:
        assert member.inbox.count_unreadable(conn) == 1


async def test_a_changed_envelope_is_refused(hub: ExchangeHub, member: ExchangeMember) -> None:
    def flip(response: exchange_pb2.CollectResponse) -> None:
        ciphertext = response.envelope.ciphertext
        response.envelope.ciphertext = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])

    hub.send_down(b"one")
    hub.tamper_download = flip
    with pytest.raises(UntrustedEnvelopeError):
        await member.collect()
    assert received(member) == []
    hub.tamper_download = None
    assert await member.collect() == 1


async def test_a_left_out_envelope_is_a_gap(hub: ExchangeHub, member: ExchangeMember) -> None:
    hub.send_down(b"one")
    hub.send_down(b"two")
    sent: list[exchange_pb2.CollectResponse] = []

    def leave_out(response: exchange_pb2.CollectResponse) -> None:
        sent.append(response)
        if len(sent) == 1:
            response.ClearField("envelope")

    hub.tamper_download = leave_out
    with pytest.raises(ChainGapError):
        await member.collect()
    assert received(member) == []


async def test_another_envelope_at_a_known_place_is_a_fork(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.send_down(b"one")
    await member.collect()
    with hub.engine.begin() as conn:
        # The hub seals anew what it had sealed already.
        conn.exec_driver_sql("DELETE FROM x_chains")
        conn.exec_driver_sql(
            "UPDATE x_outbox SET state = 0, incarnation = NULL, seq = NULL, hash = NULL"
        )
        hub.outbox.seal_ahead(conn, NODE, hub.sealing_context(NODE))
        rows = archive.after(conn, NODE, 3, ChainPosition(incarnation=0, seq=0, hash=bytes(32)))

    def replace(response: exchange_pb2.CollectResponse) -> None:
        response.envelope.CopyFrom(rows[0].message())

    hub.tamper_download = replace
    with pytest.raises(ChainForkError):
        await member.collect()
    assert received(member) == [b"one"]


async def test_a_hub_restored_from_an_old_copy_starts_a_new_incarnation(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.send_down(b"one")
    await member.collect()
    with hub.engine.begin() as conn:
        conn.exec_driver_sql("DELETE FROM x_chains")
        conn.exec_driver_sql("DELETE FROM x_outbox")
    hub.send_down(b"two")

    assert await member.collect() == 1

    assert received(member) == [b"one", b"two"]
    with member.engine.begin() as conn:
        head = member.inbox.heads(conn, HUB)[3]
    assert (head.incarnation, head.seq) == (2, 1)


async def test_a_member_restored_from_an_old_copy_is_sent_the_archive(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    hub.send_down(b"one")
    hub.send_down(b"two")
    await member.collect()
    member.engine.dispose()
    fresh = member.directory / "fresh"
    fresh.mkdir()
    shutil.copy(member.directory / "vault.key", fresh / "vault.key")
    again = open_member(fresh, member.membership)
    assert await again.collect() == 2
    assert received(again) == [b"one", b"two"]


async def test_an_absent_hub_is_unreachable(tmp_path: Path, member: ExchangeMember) -> None:
    directory = tmp_path / "gone"
    directory.mkdir()
    async with serving(directory) as gone:
        other = make_member(directory, gone)
    with pytest.raises(HubUnreachableError, match="nothing is lost"):
        await other.collect(call_timeout_s=2.0)
    assert received(member) == []
