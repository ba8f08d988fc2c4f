"""A member's process is killed with SIGKILL while it sends; the next one finishes its work."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from protos.yixin.v1 import envelope_pb2
from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member, open_member

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.exchange_hub import ExchangeHub

PAYLOADS = [b"payload %d" % number + bytes(2_000) for number in range(30)]


class KillAfter(list[bytes]):
    """What the hub received; the sender dies when enough has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.victim: asyncio.subprocess.Process | None = None
        self.at = 0

    def append(self, raw: bytes) -> None:
        super().append(raw)
        if self.victim is not None and len(self) >= self.at:
            self.victim.send_signal(signal.SIGKILL)
            self.victim = None


async def start(directory: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.exchange_child", str(directory)
    )


async def killed(hub: ExchangeHub, received: KillAfter, directory: Path, more: int) -> None:
    received.at = len(received) + more
    process = await start(directory)
    received.victim = process
    await process.wait()
    assert process.returncode == -signal.SIGKILL
    assert hub.received is received


@pytest.mark.parametrize("steps", [(1, 7, 3)])
async def test_killed_senders_lose_and_double_nothing(
    tmp_path: Path, steps: tuple[int, ...]
) -> None:
    async with serving(tmp_path) as hub:
        member = make_member(tmp_path, hub)
        member.append(*PAYLOADS)
        member.engine.dispose()
        received = KillAfter()
        hub.received = received
        for more in steps:
            await killed(hub, received, tmp_path, more)

        last = await start(tmp_path)
        assert await last.wait() == 0

        assert hub.payloads() == PAYLOADS
        versions: dict[int, set[bytes]] = {}
        for raw in received:
            envelope = envelope_pb2.SealedEnvelope.FromString(raw)
            header = envelope_pb2.EnvelopeHeader.FromString(envelope.header)
            versions.setdefault(header.seq, set()).add(raw)
        assert sorted(versions) == list(range(1, len(PAYLOADS) + 1))
        assert all(len(raws) == 1 for raws in versions.values())
        assert open_member(tmp_path, member.membership).pending().total == 0
