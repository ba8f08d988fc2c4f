"""The parent hub: joining it, and pushing grades to it.

A hub reports to its parent with the very code with which a node reports to it. Its membership
lies in its own directory ``parent``; its outbox is part of the hub's database.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from hub.domain.members import MemberId
from hub.errors import ConfigurationError, NotJoinedError
from hub.store.engine import writing
from protos.yixin.v1 import envelope_pb2
from security.exchange.join import join
from security.exchange.membership import Membership, is_joined, load
from security.exchange.outbox import Outbox
from security.exchange.uplink import UplinkReport, sync_up
from security.progress import ProgressReporter
from security.tokens import JoinToken

PURPOSE: Final = "grading"
DATA_CLASS: Final = "grade"
PAYLOAD_TYPE: Final = "grade_push"

PushPayloads = Callable[[Connection], Iterable[bytes]]
"""Serialised GradePush parts of the publication of a period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push did."""

    period: str
    """Rating period."""
    parts: int
    """Parts of the push."""
    appended: int
    """Parts that the parent was not told before."""
    sent: int
    """Envelopes sent now, also those of earlier pushes."""
    receipts: int
    """Receipts of the parent."""
    quarantined: int
    """Receipts that say the content was refused."""


async def join_parent(
    directory: Path, token_text: str, *, own: MemberId, now: datetime, suite: str = ""
) -> Membership:
    """Join the parent hub.

    Args:
        directory: Directory of the membership.
        token_text: The parent's token.
        own: Member id of this hub; the parent must name the same.
        now: Present moment, UTC-aware.
        suite: Suite of the keys towards the parent; empty for the default.

    Raises:
        ConfigurationError: The token is of this hub itself, or the parent calls it otherwise.
        TokenError: The token is damaged or expired.
        JoinRefusedError: The parent refused.
        HubUnreachableError: The parent did not answer.
    """
    if JoinToken.decode(token_text).hub == own:
        raise ConfigurationError(f"The token is of {own} itself; a hub joins its parent hub.")
    membership = await join(
        directory, token_text, kind="hub", post_quantum=True, now=now, suite=suite
    )
    if membership.member_id != own:
        raise ConfigurationError(
            f"The parent names this hub {membership.member_id}, it is {own}; ask the parent's "
            "operator for a token with this hub's division and code."
        )
    return membership


def load_parent(directory: Path) -> Membership:
    """The membership in the parent hub.

    Raises:
        NotJoinedError: The hub has not joined a parent.
        MembershipError: The membership is damaged.
    """
    if not is_joined(directory):
        raise NotJoinedError(
            "This hub has no parent yet; ask the parent's operator for a token and run "
            "`yixin hub join --token …`."
        )
    return load(directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """Pushes publications to the parent hub."""

    engine: Engine
    """The hub's database."""
    outbox: Outbox
    """Payloads for the parent."""
    membership: Membership
    """This hub as a member of its parent."""
    payloads: PushPayloads
    """Parts of a push."""
    pack_digest: bytes
    """SHA-256 of the catalogue."""
    agreement: str
    """Sharing agreement ``id@version`` that the push stands under."""
    now: Callable[[], datetime]
    """Tells the present moment, UTC-aware."""

    async def push(self, period: str, progress: ProgressReporter) -> PushReport:
        """Push the last publication of a period; pushing it again sends nothing new.

        Raises:
            NotPublishedError: The period has no publication.
            HubUnreachableError: The line broke; what was receipted stays settled.
            HubRefusedError: The parent refused an envelope.
        """
        parts, appended = await asyncio.to_thread(self._append, period)
        report = await self._sync(progress)
        if report.restarted:
            _, again = await asyncio.to_thread(self._append, period)
            appended += again
            more = await self._sync(progress)
            report.sent += more.sent
            report.receipts += more.receipts
            report.quarantined += more.quarantined
        return PushReport(
            period=period,
            parts=parts,
            appended=appended,
            sent=report.sent + report.resent,
            receipts=report.receipts,
            quarantined=report.quarantined,
        )

    async def _sync(self, progress: ProgressReporter) -> UplinkReport:
        return await sync_up(
            self.membership, self.engine, self.outbox, now=self.now, progress=progress
        )

    def _append(self, period: str) -> tuple[int, int]:
        """Queue the parts that were not pushed yet; how many there are, and how many are new."""
        parts = new = 0
        with writing(self.engine) as connection:
            for payload in self.payloads(connection):
                key = f"push/{self.membership.hub_id}/{period}/{parts}"
                parts += 1
                digest = hashlib.sha256(payload).digest()
                if self.outbox.get_mark(connection, key) == digest:
                    continue
                self.outbox.append(
                    connection,
                    recipient=self.membership.hub_id,
                    lane=envelope_pb2.LANE_BULK,
                    payload_type=PAYLOAD_TYPE,
                    schema_version=1,
                    purpose=PURPOSE,
                    data_class=DATA_CLASS,
                    period=period,
                    payload=payload,
                    marks={key: digest},
                    pack_digest=self.pack_digest,
                    agreement=self.agreement,
                )
                new += 1
        return parts, new
