"""Any order of sealing, sending, rotating, ending and restoring brings every payload over.

One member and the hub of the other tests, over real TLS; the clock is the test's own. Nothing that
either side still holds may be lost, be refused for good, or be unreadable.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from security.certificates import Revoked, sign_revocations
from security.errors import HubUnreachableError
from security.exchange.key_files import KeyFile, add_epoch, load_keys
from security.exchange.key_lives import own_of, prune_keys
from security.exchange.member_files import keep_certificates
from security.exchange.membership import load, save_join
from security.exchange.tables import outbox
from security.moments import to_ms
from security.tls import csr_der
from tests.support.exchange_hub import serving
from tests.support.exchange_member import make_member, reopened
from tests.support.members import DAY_MS, HUB, NODE, YEAR_MS, make_hub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.exchange_hub import ExchangeHub
    from tests.support.exchange_member import ExchangeMember

HUB_KEYS = make_hub()
STEPS = (
    *("append", "seal", "send", "send_cut", "queue", "seal_down", "collect"),
    *("rotate", "rejoin", "quarter", "year"),
)


@dataclass(kw_only=True)
class World:
    """Both sides, and what was handed to each."""

    hub: ExchangeHub
    member: ExchangeMember
    appended: int = 0
    queued: int = 0
    copy: Path | None = None
    revoked: list[Revoked] = field(default_factory=list)

    async def do(self, step: str) -> None:
        made = getattr(self, step)()
        if made is not None:
            await made

    def append(self) -> None:
        self.member.append(b"up %d" % self.appended)
        self.appended += 1

    def seal(self) -> None:
        self.member.seal(limit=2)

    async def send(self) -> None:
        await self.member.sync()

    async def send_cut(self) -> None:
        self.hub.faults.break_after_received = len(self.hub.received) + 1
        with suppress(HubUnreachableError):
            await self.member.sync()
        self.hub.faults.break_after_received = None

    def queue(self) -> None:
        self.hub.send_down(b"down %d" % self.queued)
        self.queued += 1

    def seal_down(self) -> None:
        with self.hub.engine.begin() as conn:
            self.hub.outbox.seal_ahead(conn, NODE, self.hub.sealing_context(NODE))

    async def collect(self) -> None:
        await self.member.collect()

    def rotate(self) -> None:
        self.certify()

    def rejoin(self) -> None:
        """Join again: the hub revokes the keys of before, and says so in its answer."""
        for key in self.member.membership.certified:
            self.hub.keyring.revoke(HUB, key.serial, self.hub.now_ms)
            self.revoked.append(Revoked(member=NODE, since_ms=self.hub.now_ms, serial=key.serial))
        self.certify()

    def quarter(self) -> None:
        self.advance(91)

    def year(self) -> None:
        """The old keys end; the member renewed in time, as its daemon does."""
        self.advance(180)
        self.certify()
        self.advance(190)

    def backup(self) -> None:
        self.copy = self.member.directory / "copy.db"
        _copy(self.member.directory / "exchange.db", self.copy)

    def advance(self, days: int) -> None:
        """Let time pass; the hub certifies its own key anew, as it does in good time."""
        self.member.at += timedelta(days=days)
        self.hub.now_ms = to_ms(self.member.at)
        keys = self.hub.hub
        certificate = keys.certify(
            keys.hub_id,
            keys.encryption,
            not_before_ms=self.hub.now_ms - DAY_MS,
            not_after_ms=self.hub.now_ms + YEAR_MS,
        )
        self.hub.keyring.add(certificate)
        self.member.membership.learn_hub_keys([certificate])
        signing = self.member.membership.certified[0]
        if self.hub.now_ms > signing.not_after_ms - 180 * DAY_MS:
            self.certify()

    def certify(self) -> None:
        """Give the member new keys and their certificates, from now on."""
        directory = self.member.membership.directory
        add_epoch(directory, KeyFile.SIGNING)
        add_epoch(directory, KeyFile.ENCRYPTION)
        keys = load_keys(directory)
        before = self.member.membership.joined
        answer = self.hub.answer(
            NODE,
            keys.signing.verifying,
            keys.encryption.suite.name,
            keys.encryption.public_bytes,
            csr_der(keys.tls_key_pem),
        )
        for certificate, key in (
            (answer.signing_certificate, keys.signing),
            (answer.encryption_certificate, keys.encryption),
        ):
            certificate.CopyFrom(
                self.hub.hub.certify(
                    NODE,
                    key,
                    not_before_ms=self.hub.now_ms - 300_000,
                    not_after_ms=self.hub.now_ms + YEAR_MS,
                )
            )
            self.hub.keyring.add(certificate)
        answer.revocations.CopyFrom(
            sign_revocations(
                self.hub.hub.signing,
                hub=HUB,
                version=len(self.revoked) + 1,
                at_ms=self.hub.now_ms,
                next_ms=self.hub.now_ms + DAY_MS,
                rows=self.revoked,
            )
        )
        keep_certificates(directory, HUB, own_of(before))
        keep_certificates(directory, HUB, own_of(answer))
        save_join(directory, answer)
        self.member.membership = load(directory)
        prune_keys(self.member.membership, self.hub.now_ms)

    def restore(self) -> None:
        """Put the copy of the member's database back, as after a broken disk."""
        if self.copy is None:
            return
        at = self.member.at
        self.member.engine.dispose()
        for name in ("exchange.db-wal", "exchange.db-shm"):
            (self.member.directory / name).unlink(missing_ok=True)
        _copy(self.copy, self.member.directory / "exchange.db")
        self.member = reopened(self.member)
        self.member.at = at


def _copy(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    with sqlite3.connect(source) as held, sqlite3.connect(target) as made:
        held.backup(made)
    held.close()
    made.close()


async def _run(directory: Path, steps: Sequence[str]) -> None:
    place = directory / "hub"
    place.mkdir()
    # The hub's keys are made once; what it certified in another example is not of this one.
    keys = replace(HUB_KEYS, certificates=list(HUB_KEYS.certificates))
    async with serving(place, keys) as hub:
        hub.tls_days = 3_000
        hub.seals_anew = True
        world = World(hub=hub, member=make_member(directory, hub))
        for step in steps:
            await world.do(step)
        await world.member.sync()
        await world.member.collect()

        member = world.member
        assert member.pending().total == 0
        with member.engine.begin() as conn:
            count = len(conn.execute(select(outbox.c.id)).all())
            downs = [
                one.payload for one in member.inbox.payloads(conn, "grade_statements", limit=1_000)
            ]
            assert member.inbox.count_unreadable(conn) == 0
        # Every row of the member's outbox stands at the hub.
        delivered = {stored.hash for stored in hub.chain().stored}
        with member.engine.begin() as conn:
            hashes = {bytes(row.hash) for row in conn.execute(select(outbox.c.hash))}
        assert len(hashes) == count
        assert hashes <= delivered
        if "restore" not in steps:
            assert hub.payloads() == [b"up %d" % number for number in range(world.appended)]
            assert downs == [b"down %d" % number for number in range(world.queued)]
        assert set(downs) == {b"down %d" % number for number in range(world.queued)}
        member.engine.dispose()


def run(steps: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_run(Path(directory), steps))


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(steps=st.lists(st.sampled_from(STEPS), max_size=14))
def test_no_order_of_sealing_rotating_and_sending_loses_anything(steps: list[str]) -> None:
    run(steps)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    before=st.lists(st.sampled_from(STEPS), max_size=5),
    between=st.lists(st.sampled_from(STEPS), max_size=6),
    after=st.lists(st.sampled_from(STEPS), max_size=4),
)
def test_a_restored_member_loses_nothing_that_either_side_still_holds(
    before: list[str], between: list[str], after: list[str]
) -> None:
    run([*before, "backup", *between, "restore", *after])


def test_what_was_sealed_ahead_survives_a_new_signing_key() -> None:
    run(["append", "append", "seal", "rotate", "append", "seal", "year", "append"])


def test_what_was_sealed_ahead_survives_a_join_again_that_revokes_the_old_keys() -> None:
    run(["append", "seal", "send_cut", "append", "seal", "rejoin"])


def test_backlog_that_was_sealed_to_a_retired_key_still_opens() -> None:
    run(["queue", "seal_down", "rotate", "queue", "seal_down", "rotate", "quarter"])
