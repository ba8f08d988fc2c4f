"""Admission of callers to Exchange: certificate, authorisation table, register; refusals logged."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn

import grpc.aio
from sqlalchemy import Engine

from hub.api.authorisation import EXCHANGE, authorise
from hub.api.errors import row_of
from hub.domain.members import MemberId, MemberKind, MemberStatus
from hub.errors import HubError, MemberRefusedError
from hub.store import members
from hub.store.engine import reading, writing
from hub.store.refusals import RefusedAttempt, add_refusal
from hub.store.revocations import TlsState, tls_state
from security.channels import peer_certificate
from security.errors import CertificateEndedError, RevokedError, SecurityError
from security.members import parse_member_id
from security.moments import to_ms
from security.tls import tls_digest, verify_member_certificate

ENDED_WORDING: Final = (
    "The TLS certificate of this member has ended. Renew it; if its signing key ended more than "
    "90 days ago as well, the hub's officer approves the renewal."
)
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

    async def admit(self, context: Context, method: str, service: str = EXCHANGE) -> Caller:
        """Admit a caller, or end the call; its certificate is asked for in the register too.

        Args:
            context: Context of the call.
            method: Name of the method.
            service: Service it belongs to.

        Returns:
            The caller.
        """
        member = ""
        try:
            # Read once: the context of a call that has ended must not be asked again.
            certificate = peer_certificate(context)
            member = verify_member_certificate(certificate, self.ca_certificate_pem, self.now())
            authorise(f"/{service}/{method}", MemberKind(parse_member_id(member).kind))
            digest = tls_digest(certificate)
            await asyncio.to_thread(self._check_register, member, digest)
        except (SecurityError, HubError) as error:
            await self.refuse(context, member, method, error)

        def verify(now: datetime) -> object:
            self._check_tls(member, digest)
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
        # Only who proved a certificate of this hub is told that it ended.
        ended = isinstance(error, CertificateEndedError)
        await context.abort(row.status, ENDED_WORDING if ended else row.wording)
        raise AssertionError("a call that was aborted goes on")  # pragma: no cover

    def _check_tls(self, member: str, digest: bytes) -> None:
        with reading(self.engine) as connection:
            state = tls_state(connection, member, digest)
        if state is TlsState.REVOKED:
            raise RevokedError(f"the TLS certificate {digest.hex()} of {member} is revoked")

    def _check_register(self, member: str, digest: bytes) -> None:
        with reading(self.engine) as connection:
            row = members.find_member(connection, member)
        if row is not None and row.status is MemberStatus.REVOKED:
            raise RevokedError(f"{member} is revoked")
        if row is None or row.status is not MemberStatus.ACTIVE:
            raise MemberRefusedError(f"{member} is not active")
        self._check_tls(member, digest)
        if row.confirmed_at_ms is None:
            self.confirm(member, to_ms(self.now()))

    def _store(self, attempt: RefusedAttempt) -> None:
        with writing(self.engine) as connection:
            add_refusal(connection, attempt)
