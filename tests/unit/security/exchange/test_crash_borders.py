"""The process dies at every commit of a synchronisation; nothing is lost, nothing is doubled.

A process that dies inside a transaction leaves what the last commit left; so a test that dies
right before and right after every commit has died everywhere that matters to the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from protos.yixin.v1 import envelope_pb2
from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member, open_member

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.support.exchange_member import ExchangeMember

PAYLOADS = [b"payload %d" % number for number in range(5)]


class KilledError(BaseException):
    """The process is gone: nothing may catch this."""


def die_at_commit(member: ExchangeMember, number: int) -> None:
    """Die instead of the given commit, counted from 1."""
    commits = 0

    def commit(conn: Connection) -> None:
        nonlocal commits
        del conn
        commits += 1
        if commits >= number:
            raise KilledError

    event.listen(member.engine, "commit", commit)


@pytest.mark.parametrize("number", range(1, 9))
async def test_the_uplink_survives_death_at_every_commit(tmp_path: Path, number: int) -> None:
    async with serving(tmp_path) as hub:
        member = make_member(tmp_path, hub)
        member.append(*PAYLOADS)
        die_at_commit(member, number)
        try:
            await member.sync(window_bytes=4_000)
        except KilledError:
            member.engine.dispose()
        member = open_member(tmp_path, member.membership)

        await member.sync()

        assert hub.payloads() == PAYLOADS
        assert member.pending().total == 0
        by_place: dict[int, set[bytes]] = {}
        for raw in hub.received:
            by_place.setdefault(_seq(raw), set()).add(raw)
        assert all(len(versions) == 1 for versions in by_place.values())


@pytest.mark.parametrize("number", range(1, 6))
async def test_the_downlink_survives_death_at_every_commit(tmp_path: Path, number: int) -> None:
    async with serving(tmp_path) as hub:
        member = make_member(tmp_path, hub)
        for payload in PAYLOADS:
            hub.send_down(payload)
        die_at_commit(member, number)
        try:
            await member.collect()
        except KilledError:
            member.engine.dispose()
        member = open_member(tmp_path, member.membership)

        await member.collect()

        with member.engine.begin() as conn:
            stored = member.inbox.payloads(conn, "grade_statements")
        assert [one.payload for one in stored] == PAYLOADS


def _seq(raw: bytes) -> int:
    envelope = envelope_pb2.SealedEnvelope.FromString(raw)
    return envelope_pb2.EnvelopeHeader.FromString(envelope.header).seq
