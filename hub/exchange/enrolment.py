"""Enrolment (入网): one-use tokens, and the join that they allow.

Joining, in protocol order; each step below carries its number:

0. Sizes are bounded, the request parses, and its moment is close to the hub's clock.
1. The token exists, has not expired and was not used up by the member's first call.
2. The request is signed by the signing key it names: proof of possession.
3. A token that was answered answers the same keys with the same response, and no others.
4. The hub certifies the TLS key (the request proves possession itself), the signing key and the
   encryption key, activates the member and its custody rows, and stores the answer.

Left out: an officer's approval between request and certificate. Here the officer approves by
issuing the token for one member id with its institutions.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from google.protobuf.message import DecodeError
from sqlalchemy import Connection, Engine

from hub.config import LifetimeSettings
from hub.domain.custody import Custody
from hub.domain.members import MemberId, MemberKind, MemberName
from hub.errors import EnrolmentRefusedError
from hub.store import custody, members, revocations, tokens
from hub.store.certifying import certify, own_certificates
from hub.store.engine import writing
from hub.store.epochs import SUITE
from hub.store.identity import HubIdentity
from hub.store.revocation_lists import current_list, issue_list
from protos.yixin.v1 import enrolment_pb2, identity_pb2, statement_pb2
from security.certificates import keys_digest
from security.errors import BadSignatureError, UntrustedCertificateError
from security.exchange.custody import sign_custody
from security.keys import Signature, VerifyingKey
from security.tls import issue_member_certificate
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

    Returns:
        The token; the hub keeps only the digest of its secret.

    Raises:
        CustodyError: A row covers a slot of another member.
        HubStoreError: The database failed.
    """
    now_ms = int(now.timestamp() * 1000)
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
    )
    with writing(engine) as connection:
        members.invite(connection, invitation.name)
        custody.propose(connection, member, invitation.custody)
        tokens.add_token(connection, row, now_ms)
    return token


def join(
    engine: Engine,
    identity: HubIdentity,
    request: enrolment_pb2.JoinRequest,
    *,
    exchange_address: str,
    lifetime: LifetimeSettings,
    now: datetime,
) -> enrolment_pb2.JoinResponse:
    """Answer a join request.

    Args:
        engine: The hub's database.
        identity: The hub.
        request: The request as received.
        exchange_address: host:port of the Exchange service.
        lifetime: Validity of what is issued.
        now: Present moment, UTC-aware.

    Returns:
        Certificates, anchor, the hub's keys and the member's custody rows.

    Raises:
        EnrolmentRefusedError: Any step fails; the wording is the same for all.
        HubStoreError: The database failed; the same request may be sent again.
    """
    now_ms = int(now.timestamp() * 1000)
    # 0. Bounds and moment.
    body = _parse(request, now_ms)
    with writing(engine) as connection:
        # 1. The token.
        token = tokens.find_token(connection, secret_digest(body.token_secret))
        if token is None:
            raise EnrolmentRefusedError("the token is unknown")
        if token.consumed_at_ms is not None:
            raise EnrolmentRefusedError(f"the token of {token.member} is used up")
        if now_ms > token.expires_at_ms:
            raise EnrolmentRefusedError(f"the token of {token.member} has expired")
        # 2. Proof of possession.
        signing = _proved_key(request, body, token.kind)
        # 3. The same keys get the same answer.
        digest = keys_digest(
            signing.public_key,
            signing.pq_public_key,
            body.encryption_public_key,
            _tls_public_key(body.tls_csr_der),
        )
        if token.response is not None:
            if token.keys_digest != digest:
                raise EnrolmentRefusedError(f"the token of {token.member} was used by other keys")
            return enrolment_pb2.JoinResponse.FromString(token.response)
        # 4. Certificates, register and answer.
        response = _certify_member(
            connection, identity, body, member=token.member, lifetime=lifetime, now=now
        )
        response.exchange_address = exchange_address
        tokens.answer_token(
            connection, token.secret_digest, digest, response.SerializeToString(deterministic=True)
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


def _parse(request: enrolment_pb2.JoinRequest, now_ms: int) -> enrolment_pb2.JoinBody:
    if request.ByteSize() > MAX_REQUEST_BYTES:
        raise EnrolmentRefusedError(f"a request of {request.ByteSize()} bytes")
    try:
        body = enrolment_pb2.JoinBody.FromString(request.body)
    except DecodeError as error:
        raise EnrolmentRefusedError("the body does not parse") from error
    if body.format != _FORMAT or body.suite != SUITE:
        raise EnrolmentRefusedError(f"format {body.format}, suite {body.suite[:40]!r}")
    if abs(body.at_ms - now_ms) > MAX_CLOCK_DIFFERENCE_MS:
        raise EnrolmentRefusedError(f"the clocks differ by {(body.at_ms - now_ms) // 1000} s")
    return body


def _proved_key(
    request: enrolment_pb2.JoinRequest, body: enrolment_pb2.JoinBody, kind: MemberKind
) -> VerifyingKey:
    if (kind is MemberKind.HUB) != bool(body.signing_pq_public_key):
        raise EnrolmentRefusedError(f"a {kind} with a post-quantum half that does not fit")
    try:
        key = VerifyingKey(
            public_key=body.signing_public_key, pq_public_key=body.signing_pq_public_key
        )
        key.verify(
            Signature(classical=request.signature, post_quantum=request.pq_signature),
            PAYLOAD_TYPE,
            request.body,
        )
    except (ValueError, BadSignatureError) as error:
        raise EnrolmentRefusedError(f"proof of possession: {error}") from error
    return key


def _tls_public_key(request_der: bytes) -> bytes:
    try:
        key = x509.load_der_x509_csr(request_der).public_key()
        return key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    except ValueError as error:
        raise EnrolmentRefusedError("the certificate request does not parse") from error


def _certify_member(
    connection: Connection,
    identity: HubIdentity,
    body: enrolment_pb2.JoinBody,
    *,
    member: MemberId,
    lifetime: LifetimeSettings,
    now: datetime,
) -> enrolment_pb2.JoinResponse:
    now_ms = int(now.timestamp() * 1000)
    uses = (
        (identity_pb2.KEY_USE_SIGNING, body.signing_public_key, body.signing_pq_public_key),
        (identity_pb2.KEY_USE_ENCRYPTION, body.encryption_public_key, b""),
    )
    # Keys of an earlier join may be lost or stolen: from now on they prove nothing.
    if revocations.revoke_all(connection, member, now_ms):
        issue_list(connection, identity, now_ms)
    try:
        tls_certificate = issue_member_certificate(
            identity.ca_key_pem,
            identity.ca_certificate_pem,
            body.tls_csr_der,
            member,
            now,
            days=lifetime.tls_days,
        )
        signing, encryption = (
            certify(
                connection,
                identity,
                member=member,
                use=use,
                suite=body.suite,
                public_key=public_key,
                pq_public_key=pq_public_key,
                now_ms=now_ms,
                days=lifetime.key_days,
            )
            for use, public_key, pq_public_key in uses
        )
    except UntrustedCertificateError as error:
        raise EnrolmentRefusedError(error.cause) from error
    revocations.add_tls(connection, member, tls_certificate)
    members.activate(connection, member, now_ms)
    custody.activate(connection, member)
    return enrolment_pb2.JoinResponse(
        member=member,
        tls_certificate_der=tls_certificate,
        anchor=identity.anchor,
        signing_certificate=signing,
        encryption_certificate=encryption,
        hub_keys=own_certificates(connection, identity, now_ms),
        custody=signed_custody(connection, identity, member),
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
