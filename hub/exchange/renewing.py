"""Renewal (续期): new certificates for a member that holds a certified signing key.

Renewing, in protocol order; each step below carries its number:

0. Sizes are bounded and the request parses exactly.
1. It is signed by a signing key that this hub certified for the member it names. From here on the
   member has proved who it is, and is told which rule it breaks.
2. Neither the key nor the member is revoked.
3. A request that was answered gets the same answer.
4. Its moment is close to the hub's clock, unless it waits for the officer already.
5. The requested keys are proved, and of a suite that the policy takes.
6. The key is valid, or ended at most 90 days ago and is the newest of the member. Any other waits
   for an officer, as a join does.
7. TLS, signing and encryption key are certified. What was certified before stays until its end:
   epochs overlap, and only a revocation or a new join ends one early.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine

from hub.config import Settings
from hub.domain.members import MemberId, MemberKind, MemberStatus
from hub.domain.requested_keys import RequestedKeys, prove_keys
from hub.errors import EnrolmentRefusedError
from hub.exchange import requests
from hub.store import enrolment_requests, members, renewals
from hub.store.certifying import own_certificates
from hub.store.engine import writing
from hub.store.identity import HubIdentity
from hub.store.issuing import issue_certificates
from hub.store.members import StoredCertificate
from hub.store.policies import policy_of, signed_policy
from hub.store.revocation_lists import current_list
from protos.yixin.v1 import enrolment_pb2, identity_pb2
from security.certificates import SIGNING, verify_key_certificate
from security.encoding import parse_exactly
from security.errors import BadSignatureError, RevokedError, UntrustedCertificateError
from security.keys import Signature
from security.members import is_member_id, parse_member_id
from security.moments import to_ms
from security.policy import check_suite

PAYLOAD_TYPE: Final = "yixin/renew/v1"
POSSESSION_TYPE: Final = "yixin/renew-possession/v1"
MAX_REQUEST_BYTES: Final = 32 * 1024
MAX_CLOCK_DIFFERENCE_MS: Final = 24 * 3600 * 1000
GRACE_MS: Final = 90 * 86_400_000
"""How long after its end a key still renews by itself, milliseconds."""
_FORMAT: Final = 1
_KEYS = (
    "The renewal is refused: the requested keys are malformed, or the request does not prove that "
    "the member holds them. Update the program and ask again."
)
_CLOCK = (
    "The renewal is refused: the moment of the request is more than a day from the hub's clock. "
    "Set this member's clock and ask again."
)


def renew(
    engine: Engine,
    identity: HubIdentity,
    request: enrolment_pb2.RenewRequest,
    *,
    settings: Settings,
    now: datetime,
) -> enrolment_pb2.RenewResponse:
    """Answer a renewal.

    Args:
        engine: The hub's database.
        identity: The hub.
        request: The request as received.
        settings: Settings of the hub.
        now: Present moment, UTC-aware.

    Returns:
        Certificates, the hub's keys, policy and revocations; or what to tell the officer.

    Raises:
        EnrolmentRefusedError: Malformed, not signed by a certified key, not proved, at a wrong
            moment, or rejected by the officer.
        RevokedError: The key or the member is revoked.
        SuitePolicyError: The policy takes no keys of that suite.
        HubStoreError: The database failed; the same request may be sent again.
    """
    now_ms = to_ms(now)
    # 0. Bounds.
    body = _parse(request)
    member, kind = MemberId(body.member), MemberKind(parse_member_id(body.member).kind)
    with writing(engine) as connection:
        # 1. Who asks.
        held = members.certificates(connection, member_id=member)
        named = [row for row in held if (row.key_id, row.use) == (request.key_id, SIGNING)]
        _verify_signature(identity, request, named, member)
        # 2. Revoked.
        valid = [row for row in named if row.revoked_at_ms is None]
        row = members.find_member(connection, member)
        if not valid or row is None or row.status is not MemberStatus.ACTIVE:
            raise RevokedError(f"a renewal by a revoked key or member: {member}")
        # 3. The same answer.
        digest = hashlib.sha256(request.body).digest()
        answered = renewals.find_answer(connection, digest)
        if answered is not None:
            return enrolment_pb2.RenewResponse.FromString(answered)
        # 5. The keys.
        keys = _proved(request, body, kind)
        check_suite(policy_of(connection, identity.hub, member), keys.suite)
        waiting = _waiting_digest(member, keys)
        # 4. The moment.
        is_known = enrolment_requests.find_request(connection, waiting, now_ms) is not None
        if not is_known and abs(body.at_ms - now_ms) > MAX_CLOCK_DIFFERENCE_MS:
            raise EnrolmentRefusedError(
                f"the clock of {member} differs by {(body.at_ms - now_ms) // 1000} s", _CLOCK
            )
        # 6. Approval.
        automatic = _renews_by_itself(held, valid, now_ms)
        if not automatic:
            pending = requests.ask(
                connection,
                method="renew",
                member=member,
                digest=waiting,
                fingerprint=keys.fingerprint,
                now_ms=now_ms,
            )
            if pending is not None:
                return enrolment_pb2.RenewResponse(pending=pending)
        # 7. Certificates and answer.
        response = _certify(
            connection,
            identity,
            member,
            keys,
            settings=settings,
            now=now,
            approved="renewal" if automatic else "officer",
        )
        renewals.keep_answer(
            connection, member, digest, response.SerializeToString(deterministic=True), now_ms
        )
    return response


def _parse(request: enrolment_pb2.RenewRequest) -> enrolment_pb2.RenewBody:
    try:
        raw = request.SerializeToString(deterministic=True)
        parse_exactly(enrolment_pb2.RenewRequest, raw, MAX_REQUEST_BYTES)
        body = parse_exactly(enrolment_pb2.RenewBody, request.body, MAX_REQUEST_BYTES)
    except ValueError as error:
        raise EnrolmentRefusedError(f"renewal: {error}") from error
    if body.format != _FORMAT or not is_member_id(body.member):
        raise EnrolmentRefusedError(f"renewal of format {body.format} by {body.member[:96]!r}")
    return body


def _verify_signature(
    identity: HubIdentity,
    request: enrolment_pb2.RenewRequest,
    named: Sequence[StoredCertificate],
    member: str,
) -> None:
    if not named:
        raise EnrolmentRefusedError(f"no key {request.key_id[:40]!r} of {member} was certified")
    certificate = identity_pb2.KeyCertificate.FromString(named[-1].certificate)
    signature = Signature(classical=request.signature, post_quantum=request.pq_signature)
    try:
        key = verify_key_certificate(certificate, identity.anchor).verifying
        key.verify(signature, PAYLOAD_TYPE, request.body)
    except (BadSignatureError, UntrustedCertificateError) as error:
        raise EnrolmentRefusedError(f"renewal of {member}: {error}") from error


def _proved(
    request: enrolment_pb2.RenewRequest, body: enrolment_pb2.RenewBody, kind: MemberKind
) -> RequestedKeys:
    try:
        return prove_keys(
            body,
            kind=kind,
            signature=Signature(
                classical=request.new_signature, post_quantum=request.new_pq_signature
            ),
            payload_type=POSSESSION_TYPE,
            signed=request.body,
        )
    except EnrolmentRefusedError as error:
        raise EnrolmentRefusedError(f"renewal of {body.member}: {error.cause}", _KEYS) from error


def _waiting_digest(member: str, keys: RequestedKeys) -> bytes:
    """What makes two renewals the same to the officer: the member and the keys it asks for."""
    return hashlib.sha256(b"renew\n" + member.encode() + b"\n" + keys.digest).digest()


def _renews_by_itself(
    held: Sequence[StoredCertificate], valid: Sequence[StoredCertificate], now_ms: int
) -> bool:
    end = max(row.not_after_ms for row in valid)
    if now_ms <= end:
        return True
    newest = max(
        row.not_after_ms for row in held if row.use == SIGNING and row.revoked_at_ms is None
    )
    return newest == end and now_ms <= end + GRACE_MS


def _certify(
    connection: Connection,
    identity: HubIdentity,
    member: MemberId,
    keys: RequestedKeys,
    *,
    settings: Settings,
    now: datetime,
    approved: str,
) -> enrolment_pb2.RenewResponse:
    try:
        issued = issue_certificates(
            connection,
            identity,
            member,
            keys,
            lifetime=settings.lifetime,
            now=now,
            approved=approved,
        )
    except UntrustedCertificateError as error:
        raise EnrolmentRefusedError(f"renewal of {member}: {error.cause}", _KEYS) from error
    return enrolment_pb2.RenewResponse(
        tls_certificate_der=issued.tls,
        certificates=[issued.signing, issued.encryption],
        hub_keys=own_certificates(connection, identity, to_ms(now), keys.suite),
        policy=signed_policy(connection, identity, member),
        revocations=current_list(connection),
    )
