"""The uplink against a real hub behind real mutual TLS, with every way a line or a hub fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import exchange_pb2
from security.errors import (
    HubRefusedError,
    HubUnreachableError,
    RemoteSyncError,
    UntrustedCertificateError,
    UntrustedReceiptError,
)
from security.exchange import archive, submit_stream
from security.exchange.uplink import sync_up
from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member, numbers, reopened
from tests.support.members import HUB, NOW, make_hub

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember


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


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (exchange_pb2.REFUSAL_CODE_UNTRUSTED, "compare both clocks"),
        (exchange_pb2.REFUSAL_CODE_FORK, "who keeps both as evidence"),
        (exchange_pb2.REFUSAL_CODE_BUSY, "try again later"),
        (exchange_pb2.REFUSAL_CODE_CERTIFICATE, "renew this member's certificates"),
        (exchange_pb2.REFUSAL_CODE_POLICY, "a suite of the hub's policy"),
        (exchange_pb2.REFUSAL_CODE_REVOKED, "with a new token"),
        (exchange_pb2.REFUSAL_CODE_READ_ONLY, "waits for the witnesses"),
        (exchange_pb2.REFUSAL_CODE_AGREEMENT, "which sharing agreement"),
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
    # Twice: once in a run what was sealed under earlier keys is sealed anew.
    refusal = exchange_pb2.Refusal(code=code, detail="the hub's wording")
    hub.faults.refusals = iter([refusal, refusal])
    with pytest.raises(HubRefusedError, match=words):
        await member.sync()
    hub.faults.refusals = iter([])
    assert member.pending().sealed == 2
    await member.sync()
    assert hub.payloads() == numbers(2)


@pytest.mark.parametrize(
    "code",
    [
        exchange_pb2.REFUSAL_CODE_CERTIFICATE,
        exchange_pb2.REFUSAL_CODE_POLICY,
        exchange_pb2.REFUSAL_CODE_REVOKED,
    ],
)
async def test_what_was_sealed_under_earlier_rules_is_sealed_anew_in_the_same_run(
    hub: ExchangeHub, member: ExchangeMember, code: exchange_pb2.RefusalCode.ValueType
) -> None:
    member.append(*numbers(3))
    earlier = [row.envelope for row in member.seal()]
    hub.faults.refusals = iter([exchange_pb2.Refusal(code=code, rule="the rule", mend="Mend.")])
    report = await reopened(member).sync()
    assert hub.payloads() == numbers(3)
    assert not set(hub.received[-3:]) & set(earlier)
    assert report.receipts == 3
    assert report.restarted


async def test_a_rule_and_its_mend_are_shown_as_the_hub_states_them(
    hub: ExchangeHub, member: ExchangeMember
) -> None:
    member.append(*numbers(1))
    refusal = exchange_pb2.Refusal(
        code=exchange_pb2.REFUSAL_CODE_AGREEMENT, detail="d", rule="Not covered.", mend="Ask Ann."
    )
    hub.faults.refusals = iter([refusal])
    with pytest.raises(
        HubRefusedError, match=r"\(agreement\): Not covered. What to do: Ask Ann\.$"
    ):
        await member.sync()


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
