"""Admission of callers to Exchange: certificate, authorisation table, register; refusals logged."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

import grpc.aio
from sqlalchemy import Engine

from hub.api.authorisation import EXCHANGE, authorise
from hub.api.errors import row_of
from hub.domain.members import MemberId, MemberKind, MemberStatus
from hub.errors import HubError, MemberRefusedError
from hub.store import members
from hub.store.engine import reading, writing
from hub.store.refusals import RefusedAttempt, add_refusal
from security.channels import peer_certificate
from security.errors import SecurityError
from security.members import parse_member_id
from security.moments import to_ms
from security.tls import verify_member_certificate

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An admitted member."""

    member: MemberId
    """Member id."""
    verify: Callable[[datetime], object] = field(repr=False)
    """Judges the certificate again at a later moment; raises when it is no longer valid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Says who calls, and keeps a record of who was refused."""

    engine: Engine = field(repr=False)
    """The hub's database."""
    ca_certificate_pem: bytes = field(repr=False)
    """Root of the members' TLS certificates."""
    confirm: Callable[[str, int], None] = field(repr=False)
    """Notes the first call of a member."""
    now: Callable[[], datetime] = field(repr=False)
    """Tells the present moment, UTC-aware."""

    async def admit(self, context: Context, method: str) -> Caller:
        """Admit a caller, or end the call.

        Args:
            context: Context of the call.
            method: Name of the method of Exchange.

        Returns:
            The caller.
        """
        member = ""
        try:
            # Read once: the context of a call that has ended must not be asked again.
            certificate = peer_certificate(context)
            member = verify_member_certificate(certificate, self.ca_certificate_pem, self.now())
            authorise(f"/{EXCHANGE}/{method}", MemberKind(parse_member_id(member).kind))
            await asyncio.to_thread(self._check_register, member)
        except (SecurityError, HubError) as error:
            await self.refuse(context, member, method, error)

        def verify(now: datetime) -> object:
            return verify_member_certificate(certificate, self.ca_certificate_pem, now)

        return Caller(member=MemberId(member), verify=verify)

    async def refuse(
        self, context: Context, member: str, method: str, error: Exception
    ) -> NoReturn:
        """Log a refused call and end it with the public wording of its error."""
        row = row_of(error)
        attempt = RefusedAttempt(
            at_ms=to_ms(self.now()),
            peer=member or context.peer(),
            method=method,
            code=type(error).__name__,
            cause=str(getattr(error, "cause", error)),
        )
        await asyncio.to_thread(self._store, attempt)
        await context.abort(row.status, row.wording)
        raise AssertionError("a call that was aborted goes on")  # pragma: no cover

    def _check_register(self, member: str) -> None:
        with reading(self.engine) as connection:
            row = members.find_member(connection, member)
        if row is None or row.status is not MemberStatus.ACTIVE:
            raise MemberRefusedError(f"{member} is not active")
        if row.confirmed_at_ms is None:
            self.confirm(member, to_ms(self.now()))

    def _store(self, attempt: RefusedAttempt) -> None:
        with writing(self.engine) as connection:
            add_refusal(connection, attempt)
