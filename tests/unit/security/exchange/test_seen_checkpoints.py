"""What a member saw of its hub's log must stay part of it: rollback, forks, proofs, evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest

from security.certificates import make_anchor
from security.errors import HubRefusedError, LogCorruptError, LogRollbackError
from security.exchange.seen_checkpoints import (
    count_contradictions,
    find_seen,
    list_seen,
)
from security.exchange.tables import log_contradictions
from security.tls import certificate_der
from security.transparency import Checkpoint, sign_checkpoint, verify_checkpoint
from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member, numbers
from tests.support.members import HUB, make_hub
from tests.support.seen_logs import SeenLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from protos.yixin.v1 import exchange_pb2
    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember

ORIGIN = "yixin/330300/hub/city/log1"


@pytest.fixture
def log() -> SeenLog:
    hub = make_hub()
    root = certificate_der(hub.ca_certificate_pem)
    hub.anchor = make_anchor(hub.hub_id, hub.signing, root, ORIGIN)
    return SeenLog(hub=hub, origin=ORIGIN)  # type: ignore[abstract]  # proves, nothing else


@pytest.fixture
async def hub(tmp_path: Path, log: SeenLog) -> AsyncIterator[ExchangeHub]:
    directory = tmp_path / "hub"
    directory.mkdir()
    async with serving(directory, log.hub, log) as servicer:
        servicer.faults.change_accepted = log.state
        yield servicer


@pytest.fixture
def member(tmp_path: Path, hub: ExchangeHub) -> ExchangeMember:
    return make_member(tmp_path, hub)


def seen(member: ExchangeMember, origin: str = ORIGIN) -> int | None:
    with member.engine.begin() as conn:
        found = find_seen(conn, origin)
    return None if found is None else found.checkpoint.size


async def test_the_largest_checkpoint_is_kept_and_each_step_is_proved(
    member: ExchangeMember, log: SeenLog
) -> None:
    sizes = []
    for count in (0, 3, 0, 4, 1):
        log.grow(count)
        await member.sync()
        sizes.append(seen(member))

    assert sizes == [0, 3, 3, 7, 8]
    # Nothing is proved from an empty log on, nor when nothing was appended.
    assert log.proofs == 2


async def test_a_hub_that_publishes_no_checkpoint_is_taken_as_it_is(
    member: ExchangeMember, hub: ExchangeHub
) -> None:
    hub.faults.change_accepted = None
    member.append(*numbers(1))
    assert (await member.sync()).receipts == 1
    assert seen(member) is None


async def test_a_log_that_was_rolled_back_is_told_and_nothing_is_sent(
    member: ExchangeMember, hub: ExchangeHub, log: SeenLog
) -> None:
    log.grow(9)
    await member.sync()
    del log.hashes[5:]
    member.append(*numbers(2))

    for _ in range(2):
        with pytest.raises(LogRollbackError, match="9 leaves were seen before, now 5"):
            await member.sync()

    assert hub.received == []
    assert member.pending().total == 2
    assert seen(member) == 9
    with member.engine.begin() as conn:
        assert count_contradictions(conn) == 2
        first = conn.execute(log_contradictions.select()).first()
    assert first is not None
    # Both are signed by the hub: anybody who holds its anchor can compare them.
    signed = [verify_checkpoint(note, log.hub.anchor).size for note in (first.held, first.stated)]
    assert signed == [9, 5]


async def test_two_logs_of_one_size_are_evidence(member: ExchangeMember, log: SeenLog) -> None:
    log.grow(4)
    await member.sync()
    del log.hashes[2:]
    log.grow(2, "another leaf")

    with pytest.raises(LogRollbackError, match="two different logs of 4 leaves"):
        await member.sync()


async def test_a_larger_log_with_another_history_is_evidence(
    member: ExchangeMember, log: SeenLog
) -> None:
    log.grow(4)
    await member.sync()
    del log.hashes[2:]
    log.grow(9, "another leaf")

    with pytest.raises(LogRollbackError, match="11 leaves are not shown to continue the 4"):
        await member.sync()
    assert seen(member) == 4


async def test_a_proof_that_was_tampered_with_shows_nothing(
    member: ExchangeMember, log: SeenLog
) -> None:
    log.grow(5)
    await member.sync()
    log.grow(6)
    log.tamper = True
    with pytest.raises(LogRollbackError, match="are not shown to continue"):
        await member.sync()

    log.tamper = False
    await member.sync()
    assert seen(member) == 11


async def test_a_hub_that_does_not_prove_is_not_believed(
    member: ExchangeMember, log: SeenLog
) -> None:
    log.grow(1)
    await member.sync()
    log.grow(1)
    log.refuse = grpc.StatusCode.PERMISSION_DENIED

    with pytest.raises(HubRefusedError, match="no proof today"):
        await member.sync()
    assert seen(member) == 1


@pytest.mark.parametrize(
    "note", ["x", "a\n1\nAAAA\n", "\n" * 10, "\N{EM DASH}" * 9_000], ids=["x", "bare", "n", "long"]
)
async def test_what_is_no_checkpoint_is_refused(
    member: ExchangeMember, hub: ExchangeHub, note: str
) -> None:
    def state(accepted: exchange_pb2.StreamAccepted) -> None:
        accepted.checkpoint = note

    hub.faults.change_accepted = state
    with pytest.raises(LogCorruptError):
        await member.sync()
    assert seen(member) is None


async def test_a_checkpoint_of_another_log_or_another_key_is_refused(
    member: ExchangeMember, hub: ExchangeHub, log: SeenLog
) -> None:
    stranger = make_hub()
    checkpoint = Checkpoint(origin=ORIGIN, size=1, root=bytes(32))
    for text in (
        sign_checkpoint(checkpoint, stranger.signing),
        sign_checkpoint(Checkpoint(origin="a/b", size=1, root=bytes(32)), log.hub.signing),
    ):

        def state(accepted: exchange_pb2.StreamAccepted, text: str = text) -> None:
            accepted.checkpoint = text

        hub.faults.change_accepted = state
        with pytest.raises(LogCorruptError):
            await member.sync()


async def test_a_log_that_began_anew_is_kept_beside_the_old_one_and_never_left_again(
    member: ExchangeMember, log: SeenLog
) -> None:
    log.grow(8)
    await member.sync()
    log.origin = "yixin/330300/hub/city/log2"
    del log.hashes[:]
    log.grow(2, "of the second log")
    await member.sync()

    with member.engine.begin() as conn:
        logs = [(one.checkpoint.origin, one.checkpoint.size) for one in list_seen(conn, HUB)]
    assert logs == [(ORIGIN, 8), ("yixin/330300/hub/city/log2", 2)]

    log.origin = ORIGIN
    with pytest.raises(LogRollbackError, match="it went back from yixin/330300/hub/city/log2"):
        await member.sync()
