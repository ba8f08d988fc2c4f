"""Enrolment (入网): one-use tokens, and the join that they allow.

Joining, in protocol order; each step below carries its number:

0. Sizes are bounded and the request parses exactly.
1. The token exists and was not used up by the member's first call.
2. The request is signed by the signing key it names, and its certificate request by the TLS key:
   proof of possession.
3. A token that was answered answers the same keys with the same response, and no others. A token
   that is new has not expired, and the request's moment is close to the hub's clock.
4. The suite is one that the policy takes.
5. An officer approved these keys, after comparing their fingerprint; or approved whoever holds the
   token, when issuing it; or ``[enrolment] approval`` leaves it to the token.
6. The hub revokes what it certified for the member before, certifies the three keys, activates the
   member and its custody rows, and stores the answer.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from hub.config import LifetimeSettings, Settings
from hub.domain.custody import Custody
from hub.domain.members import MemberId, MemberKind, MemberName
from hub.domain.requested_keys import RequestedKeys, prove_keys
from hub.errors import EnrolmentRefusedError
from hub.exchange import requests
from hub.store import custody, enrolment_requests, members, revocations, tokens
from hub.store.certifying import own_certificates
from hub.store.engine import writing
from hub.store.identity import HubIdentity
from hub.store.issuing import issue_certificates
from hub.store.policies import policy_of, signed_policy
from hub.store.revocation_lists import current_list, issue_list
from protos.yixin.v1 import enrolment_pb2, statement_pb2
from security.encoding import parse_exactly
from security.errors import UntrustedCertificateError
from security.exchange.custody import sign_custody
from security.keys import Signature
from security.moments import to_ms
from security.policy import check_suite
from security.tokens import JoinToken, secret_digest

PAYLOAD_TYPE: Final = "yixin/join/v1"
MAX_REQUEST_BYTES: Final = 16 * 1024
MAX_CLOCK_DIFFERENCE_MS: Final = 24 * 3600 * 1000
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Who may join, and what it will have custody of."""

    name: MemberName
    """The future member."""
    custody: tuple[Custody, ...]
    """Rows that count once it joined; empty for hubs and departments."""


def issue_token(
    engine: Engine,
    identity: HubIdentity,
    invitation: Invitation,
    *,
    enrolment_address: str,
    lifetime: LifetimeSettings,
    now: datetime,
    approved: bool = False,
) -> JoinToken:
    """Invite a member: enter it with its custody rows and make its one-use token.

    Tokens issued earlier for the same member and not yet used up stop working.

    Args:
        engine: The hub's database.
        identity: The hub.
        invitation: Who may join.
        enrolment_address: host:port of the Enrolment service.
        lifetime: Validity of tokens.
        now: Present moment, UTC-aware.
        approved: Whether an officer approves in advance whoever joins with the token.

    Returns:
        The token; the hub keeps only the digest of its secret.

    Raises:
        CustodyError: A row covers a slot of another member.
        HubStoreError: The database failed.
    """
    now_ms = to_ms(now)
    member = invitation.name.member_id
    token = JoinToken(
        hub=identity.hub,
        enrolment_address=enrolment_address,
        anchor_digest=identity.anchor_digest,
        ca_certificate_der=identity.ca_certificate_der,
        secret=secrets.token_bytes(32),
        expires_at_ms=now_ms + lifetime.token_s * 1000,
    )
    row = tokens.TokenRow(
        secret_digest=token.secret_digest,
        member=member,
        kind=MemberKind(invitation.name.kind),
        expires_at_ms=token.expires_at_ms,
        approved_at_ms=now_ms if approved else None,
    )
    with writing(engine) as connection:
        members.invite(connection, invitation.name)
        custody.propose(connection, member, invitation.custody)
        tokens.add_token(connection, row, now_ms)
        enrolment_requests.drop_joins(connection, member)
    return token


def join(
    engine: Engine,
    identity: HubIdentity,
    request: enrolment_pb2.JoinRequest,
    *,
    exchange_address: str,
    settings: Settings,
    now: datetime,
) -> enrolment_pb2.JoinResponse:
    """Answer a join request.

    Args:
        engine: The hub's database.
        identity: The hub.
        request: The request as received.
        exchange_address: host:port of the Exchange service.
        settings: Settings of the hub.
        now: Present moment, UTC-aware.

    Returns:
        Certificates, anchor, the hub's keys and the member's custody rows; or what to tell the
        officer, and nothing else, while the request waits.

    Raises:
        EnrolmentRefusedError: Any step fails; the wording is the same for all but a rejection.
        SuitePolicyError: The policy takes no keys of that suite.
        HubStoreError: The database failed; the same request may be sent again.
    """
    now_ms = to_ms(now)
    # 0. Bounds.
    body = _parse(request)
    with writing(engine) as connection:
        # 1. The token.
        token = tokens.find_token(connection, secret_digest(body.token_secret))
        if token is None:
            raise EnrolmentRefusedError("the token is unknown")
        if token.consumed_at_ms is not None:
            raise EnrolmentRefusedError(f"the token of {token.member} is used up")
        # 2. Proof of possession.
        keys = prove_keys(
            body,
            kind=token.kind,
            signature=Signature(classical=request.signature, post_quantum=request.pq_signature),
            payload_type=PAYLOAD_TYPE,
            signed=request.body,
        )
        # 3. The same keys get the same answer; new ones come in time.
        if token.keys_digest is None:
            _verify_in_time(token, body, now_ms)
        elif token.keys_digest != keys.digest:
            raise EnrolmentRefusedError(f"the token of {token.member} was used by other keys")
        if token.response is not None:
            return enrolment_pb2.JoinResponse.FromString(token.response)
        # 4. The suite.
        check_suite(policy_of(connection, identity.hub, token.member), keys.suite)
        # 5. Approval.
        approved = _approval(token, settings)
        if not approved:
            pending = requests.ask(
                connection,
                method="join",
                member=token.member,
                digest=hashlib.sha256(token.secret_digest + keys.digest).digest(),
                fingerprint=keys.fingerprint,
                now_ms=now_ms,
            )
            if pending is not None:
                tokens.bind_token(connection, token.secret_digest, keys.digest)
                return enrolment_pb2.JoinResponse(pending=pending)
        # 6. Certificates, register and answer.
        response = _certify_member(
            connection,
            identity,
            token.member,
            keys,
            lifetime=settings.lifetime,
            now=now,
            approved=approved or "officer",
        )
        response.exchange_address = exchange_address
        tokens.answer_token(
            connection,
            token.secret_digest,
            keys.digest,
            response.SerializeToString(deterministic=True),
        )
    return response


def confirm(engine: Engine, member_id: str, now_ms: int) -> None:
    """Note that a member spoke with its certificate: its token is used up from now on."""
    with writing(engine) as connection:
        members.confirm(connection, member_id, now_ms)
        tokens.consume_tokens(connection, member_id, now_ms)


def signed_custody(
    connection: Connection, identity: HubIdentity, member_id: MemberId
) -> statement_pb2.SignedCustody:
    """The custody rows of one member, signed by the hub."""
    register = statement_pb2.CustodyRegister(
        hub=identity.hub,
        version=custody.version(connection),
        rows=[_custody_row(row) for row in custody.rows_of(connection, member_id)],
    )
    return sign_custody(identity.signing, register)


def _parse(request: enrolment_pb2.JoinRequest) -> enrolment_pb2.JoinBody:
    try:
        raw = request.SerializeToString(deterministic=True)
        parse_exactly(enrolment_pb2.JoinRequest, raw, MAX_REQUEST_BYTES)
        body = parse_exactly(enrolment_pb2.JoinBody, request.body, MAX_REQUEST_BYTES)
    except ValueError as error:
        raise EnrolmentRefusedError(f"join: {error}") from error
    if body.format != _FORMAT:
        raise EnrolmentRefusedError(f"join of format {body.format}")
    return body


def _verify_in_time(token: tokens.TokenRow, body: enrolment_pb2.JoinBody, now_ms: int) -> None:
    if now_ms > token.expires_at_ms:
        raise EnrolmentRefusedError(f"the token of {token.member} has expired")
    if abs(body.at_ms - now_ms) > MAX_CLOCK_DIFFERENCE_MS:
        raise EnrolmentRefusedError(f"the clocks differ by {(body.at_ms - now_ms) // 1000} s")


def _approval(token: tokens.TokenRow, settings: Settings) -> str:
    """Who approved in advance, as a word of the log; empty when an officer must do so now."""
    if token.approved_at_ms is not None:
        return "advance"
    return "token" if settings.enrolment.approval == "token" else ""


def _certify_member(
    connection: Connection,
    identity: HubIdentity,
    member: MemberId,
    keys: RequestedKeys,
    *,
    lifetime: LifetimeSettings,
    now: datetime,
    approved: str,
) -> enrolment_pb2.JoinResponse:
    now_ms = to_ms(now)
    # Keys of an earlier join may be lost or stolen: from now on they prove nothing.
    if revocations.revoke_all(connection, member, now_ms):
        issue_list(connection, identity, now_ms)
    try:
        issued = issue_certificates(
            connection, identity, member, keys, lifetime=lifetime, now=now, approved=approved
        )
    except UntrustedCertificateError as error:
        raise EnrolmentRefusedError(error.cause) from error
    members.activate(connection, member, now_ms)
    custody.activate(connection, member)
    return enrolment_pb2.JoinResponse(
        member=member,
        tls_certificate_der=issued.tls,
        anchor=identity.anchor,
        signing_certificate=issued.signing,
        encryption_certificate=issued.encryption,
        hub_keys=own_certificates(connection, identity, now_ms, keys.suite),
        custody=signed_custody(connection, identity, member),
        policy=signed_policy(connection, identity, member),
        revocations=current_list(connection),
    )


def _custody_row(row: Custody) -> statement_pb2.CustodyRow:
    return statement_pb2.CustodyRow(
        institution=row.institution,
        measure_set=row.measure_set,
        member=row.member,
        from_month=row.from_month,
        to_month=row.to_month,
        name=row.name,
        level=row.level,
        type=row.type,
        division=row.division,
    )


__all__ = [
    "Invitation",
    "confirm",
    "issue_token",
    "join",
    "signed_custody",
]
