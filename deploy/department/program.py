"""A department as a member of a hub: its directory, its exchange, and what it asks for.

Rules: the exchange is the very one of nodes; keys and inbox lie in one directory that only its
owner reads; certificates that are due are renewed before an exchange; what was collected is
verified before it becomes a file (``products``).
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deploy.department.products import Taken, take_products
from protos.yixin.v1 import envelope_pb2, sharing_pb2
from security.at_rest import Vault
from security.certificates import tell_revocations
from security.errors import AgreementError, MembershipError, SuitePolicyError
from security.exchange.downlink import collect
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.join import join
from security.exchange.membership import Membership, is_joined, load
from security.exchange.outbox import Outbox
from security.exchange.renew import renew, renewal_due
from security.exchange.uplink import sync_up
from security.moments import to_ms
from security.operator import writer_lock
from security.sharing.coverage import PRODUCT_REQUEST
from security.sharing.requests import REQUEST_ID_BYTES, parse_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from security.exchange.uplink import UplinkReport
    from security.progress import ProgressReporter

KIND: Final = "department"
VAULT_FILE: Final = "vault.key"
DATABASE_FILE: Final = "department.db"
LOCK_FILE: Final = "department.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a department asks for."""

    agreement: str
    """``id@version``."""
    period: str
    """Rating period."""
    purpose: str
    """Purpose, as the agreement says."""
    data_class: str
    """Data class, as the agreement says."""
    subjects: tuple[str, ...] = ()
    """Subjects; none for all that the agreement covers."""
    subject_classes: tuple[str, ...] = ()
    """Classes; none for all that the agreement covers."""
    fields: tuple[str, ...] = ()
    """Fields; none for all that the agreement covers."""


@dataclass(slots=True, kw_only=True)
class Department:
    """An open department."""

    directory: Path
    """Its directory."""
    membership: Membership
    """Who it is, and its hub."""
    engine: Engine = field(repr=False)
    """Database of its exchange."""
    inbox: Inbox = field(repr=False)
    """What arrived."""
    outbox: Outbox = field(repr=False)
    """What is to be sent."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""

    def request(self, wanted: Wanted) -> bytes:
        """Queue a request; the next exchange sends it.

        Returns:
            The request's id, which the answer repeats.

        Raises:
            AgreementError: A part is malformed; nothing was queued.
        """
        request_id = secrets.token_bytes(REQUEST_ID_BYTES)
        payload = sharing_pb2.ProductRequest(
            format=1,
            agreement=wanted.agreement,
            period=wanted.period,
            subjects=wanted.subjects,
            request_id=request_id,
            fields=wanted.fields,
            subject_classes=wanted.subject_classes,
        ).SerializeToString(deterministic=True)
        parse_request(payload)
        try:
            with self.engine.begin() as connection:
                self.outbox.append(
                    connection,
                    recipient=self.membership.hub_id,
                    lane=envelope_pb2.LANE_BULK,
                    payload_type=PRODUCT_REQUEST,
                    schema_version=1,
                    purpose=wanted.purpose,
                    data_class=wanted.data_class,
                    period=wanted.period,
                    payload=payload,
                    agreement=wanted.agreement,
                )
        except ValueError as error:
            raise AgreementError(f"The request is malformed: {error}.") from error
        return request_id

    async def exchange(self, progress: ProgressReporter) -> Taken:
        """Renew what is due, send requests, collect what the hub holds, and verify it.

        Returns:
            What became of everything that was collected.

        Raises:
            HubUnreachableError: The line broke; what was stored stays.
            HubRefusedError: The hub refused.
            UntrustedEnvelopeError: The hub gave out something it did not seal.
            SuitePolicyError: No suite of the hub's policy is usable here.
        """
        await self._renew_what_is_due()
        try:
            sent = await self._send(progress)
        except SuitePolicyError:
            # The policy came with this very call; the renewal makes keys that it takes.
            self.membership = load(self.directory)
            if not await self._renew_what_is_due():
                raise
            sent = await self._send(progress)
        await collect(self.membership, self.engine, self.inbox, now=self.now, progress=progress)
        taken = await asyncio.to_thread(self.take)
        taken.sent = sent.sent + sent.resent
        held, now_ms = self.membership.revocations, to_ms(self.now())
        taken.revocation_list = tell_revocations(held, now_ms)
        taken.is_list_good = held is not None and not held.is_outdated(now_ms)
        return taken

    async def _renew_what_is_due(self) -> bool:
        due = renewal_due(self.membership, self.now())
        if due:
            self.membership = await renew(self.membership, now=self.now(), new_epoch=due.keys)
        return bool(due)

    async def _send(self, progress: ProgressReporter) -> UplinkReport:
        return await sync_up(
            self.membership, self.engine, self.outbox, now=self.now, progress=progress
        )

    def take(self) -> Taken:
        """Verify what was collected and write products; see ``products``."""
        return take_products(
            self.directory, self.membership, self.engine, self.inbox, now=self.now()
        )


def join_hub(directory: Path, token: str, *, suite: str, now: datetime) -> Membership:
    """Join the hub that a token invites to.

    Raises:
        TokenError: The token is damaged or expired.
        JoinRefusedError: The hub refused.
        JoinPendingError: An officer of the hub has to approve first; join again with the token.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with writer_lock(directory, LOCK_FILE):
        membership = asyncio.run(
            join(directory, token, kind=KIND, post_quantum=False, now=now, suite=suite)
        )
        if not (directory / VAULT_FILE).exists():
            Vault.create(directory / VAULT_FILE)
    return membership


@contextmanager
def opened(directory: Path, now: Callable[[], datetime]) -> Iterator[Department]:
    """Open a department that has joined; nobody else writes to it meanwhile.

    Raises:
        MembershipError: The directory holds no department.
        LockHeldError: Another process writes to it.
    """
    if not is_joined(directory):
        raise MembershipError(
            f"{directory} holds no department; join a hub first with "
            "`yixin department join --token …`"
        )
    with writer_lock(directory, LOCK_FILE):
        membership = load(directory)
        vault = Vault.load(directory / VAULT_FILE)
        engine = open_exchange(directory / DATABASE_FILE)
        try:
            yield Department(
                directory=directory,
                membership=membership,
                engine=engine,
                inbox=Inbox(vault),
                outbox=Outbox(vault),
                now=now,
            )
        finally:
            engine.dispose()


def words(text: Sequence[str]) -> tuple[str, ...]:
    """Options that were given several times or separated by commas.

    >>> words(["a,b", "c"])
    ('a', 'b', 'c')
    """
    return tuple(word for one in text for word in one.split(",") if word)
