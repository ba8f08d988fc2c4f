"""Renewal (续期): new certificates for a member that has some, through the enrolment port.

Rules:
    1. Certificates are renewed when half of their time is over. The TLS key stays, because others
       than the hub know members by it (link desks), until a person asks for a new one; signing
       and encryption keys are made anew when theirs are due.
    2. The request is signed by the signing key in force, whose certificate may have ended, and by
       the key it asks a certificate for. The TLS certificate plays no part: the enrolment port
       takes calls without one.
    3. New keys and the request for them are durable before it is sent, and it is sent again
       identically: a lost answer, a crash or a hub that waits for its officer costs nothing. A
       request that was refused is made anew, for the same keys.
    4. The answer counts only if the pinned anchor signed what it certifies; the membership is
       replaced whole or not at all, after its certificates were kept.
    5. Keys that are of no use any more go (``key_lives``).

An unrevoked key renews by itself until 90 days after its certificate's end; later the hub's officer
approves. The hub decides; this side only tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from protos.yixin.v1 import enrolment_pb2, enrolment_pb2_grpc
from security.certificates import Keyring, open_revocations
from security.channels import enrolment_channel
from security.encoding import parse_exactly
from security.errors import (
    HubRefusedError,
    JoinRefusedError,
    MembershipError,
    SecurityError,
)
from security.exchange.join import pending_error
from security.exchange.key_files import (
    KeyFile,
    MemberKeys,
    add_epoch,
    certificate_public_key,
    load_keys,
    tls_public_key,
)
from security.exchange.key_lives import key_lives, own_of, prune_keys
from security.exchange.member_files import (
    find_address,
    keep_certificates,
    save_address,
)
from security.exchange.membership import Membership, load, make_membership, save_join
from security.exchange.wire_errors import rpc_error
from security.moments import to_ms
from security.policy import open_policy, suite_for
from security.private_files import read_private, write_private
from security.tls import (
    csr_der,
    requested_public_key,
    validity,
    verify_member_certificate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from protos.yixin.v1 import identity_pb2
    from security.certificates import CertifiedKey

PAYLOAD_TYPE: Final = "yixin/renew/v1"
POSSESSION_TYPE: Final = "yixin/renew-possession/v1"
FORMAT: Final = 1
REQUEST_FILE: Final = "renew-request.pb"
MAX_REQUEST_BYTES: Final = 64 * 1024
CALL_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What of a member's certificates is past the half of its time."""

    tls: bool
    """The TLS certificate."""
    keys: bool
    """The certificate of the signing or encryption key, or its suite left the hub's policy."""

    def __bool__(self) -> bool:
        """Whether anything is."""
        return self.tls or self.keys


def renewal_due(membership: Membership, now: datetime) -> Due:
    """What is due for renewal (rule 1).

    Args:
        membership: Who may have to renew.
        now: Present moment, UTC-aware.
    """
    begins, ends = validity(membership.tls_certificate_pem)
    lives = key_lives(membership)
    # A key that was certified again for a longer time is not younger for that.
    return Due(
        tls=now >= begins + (ends - begins) / 2,
        keys=_suite(membership) != membership.keys.encryption.suite.name
        or any(
            to_ms(now) >= lives[key.key_id].begins_ms + (key.not_after_ms - key.not_before_ms) // 2
            for key in membership.certified
        ),
    )


async def renew(
    membership: Membership,
    *,
    now: datetime,
    new_epoch: bool,
    new_tls: bool = False,
    address: str | None = None,
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> Membership:
    """Ask the hub for new certificates.

    Args:
        membership: Who renews.
        now: Present moment, UTC-aware.
        new_epoch: Whether the signing and encryption keys are made anew.
        new_tls: Whether the TLS key is; the desks that know the member have to learn it.
        address: host:port of the hub's enrolment; by default where this member joined.
        call_timeout_s: Longest wait for the hub, seconds.

    Returns:
        The membership with its new certificates; it is kept in the directory.

    Raises:
        MembershipError: The address of the enrolment is not known.
        HubUnreachableError: The hub did not answer; run it again.
        JoinPendingError: The hub's officer has to approve first.
        JoinRefusedError: The hub refused, or its answer does not hold.
        KeyFileError: A key file is damaged or cannot be written.
        SuitePolicyError: No suite of the hub's policy is usable here.
    """
    directory = membership.directory
    where = address or find_address(directory)
    if where is None:
        raise MembershipError(
            f"{membership.member_id} joined by an earlier release, which did not keep the address "
            "of the hub's enrolment; name it once: yixin node renew --address HOST:PORT"
        )
    # 3.
    keys = _keys_to_certify(membership, new_epoch=new_epoch, new_tls=new_tls)
    # 2.
    request = _request(membership, keys, to_ms(now))
    channel = enrolment_channel(where, membership.ca_certificate_pem)
    try:
        response = await enrolment_pb2_grpc.EnrolmentStub(channel).Renew(
            request, timeout=call_timeout_s
        )
    except grpc.aio.AioRpcError as error:
        translated = rpc_error(error, membership.hub_id)
        if isinstance(translated, HubRefusedError):
            (directory / REQUEST_FILE).unlink(missing_ok=True)
            raise JoinRefusedError(
                f"{membership.hub_id} refused to renew the certificates of {membership.member_id} "
                f"({translated.code}): {translated.detail}"
            ) from error
        raise translated from error
    finally:
        await channel.close(None)
    if response.HasField("pending"):
        raise pending_error(membership.hub_id, keys, response.pending)
    # 4.
    joined = _verified(membership, response, keys, now)
    if address is not None:
        save_address(directory, address)
    keep_certificates(directory, membership.hub_id, own_of(membership.joined))
    keep_certificates(directory, membership.hub_id, own_of(joined))
    save_join(directory, joined)
    (directory / REQUEST_FILE).unlink(missing_ok=True)
    renewed = load(directory)
    # 5.
    prune_keys(renewed, to_ms(now))
    return renewed


def _keys_to_certify(membership: Membership, *, new_epoch: bool, new_tls: bool) -> MemberKeys:
    """The held keys, with new ones where they are due; those of an earlier try again (rule 3)."""
    directory, held = membership.directory, membership.keys
    newest = load_keys(directory)
    if new_tls and newest.tls_key_pem == held.tls_key_pem:
        add_epoch(directory, KeyFile.TLS)
    if new_epoch:
        suite = _suite(membership)
        if newest.signing.key_id == held.signing.key_id:
            add_epoch(
                directory, KeyFile.SIGNING, post_quantum=membership.kind == "hub", suite=suite
            )
        if newest.encryption.key_id == held.encryption.key_id:
            add_epoch(directory, KeyFile.ENCRYPTION, suite=suite)
    return load_keys(directory)


def _suite(membership: Membership) -> str:
    """Suite of a new encryption key: the held one's while the hub's policy takes it."""
    policy, held = membership.policy, membership.keys.encryption.suite.name
    return held if policy is None or held in policy.suites else suite_for(policy)


def _request(membership: Membership, keys: MemberKeys, at_ms: int) -> enrolment_pb2.RenewRequest:
    """The request of an earlier try for these keys, or a new one (rules 2 and 3)."""
    path = membership.directory / REQUEST_FILE
    earlier = _earlier(path, membership, keys) if path.exists() else None
    if earlier is not None:
        return earlier
    body = enrolment_pb2.RenewBody(
        format=FORMAT,
        member=membership.member_id,
        tls_csr_der=csr_der(keys.tls_key_pem),
        suite=keys.encryption.suite.name,
        signing_public_key=keys.signing.verifying.public_key,
        signing_pq_public_key=keys.signing.verifying.pq_public_key,
        encryption_public_key=keys.encryption.public_bytes,
        at_ms=at_ms,
    ).SerializeToString(deterministic=True)
    held = membership.signing_key.sign(PAYLOAD_TYPE, body)
    new = keys.signing.sign(POSSESSION_TYPE, body)
    request = enrolment_pb2.RenewRequest(
        body=body,
        key_id=membership.signing_key.key_id,
        signature=held.classical,
        pq_signature=held.post_quantum,
        new_signature=new.classical,
        new_pq_signature=new.post_quantum,
    )
    write_private(path, request.SerializeToString(deterministic=True), replace=True)
    return request


def _earlier(
    path: Path, membership: Membership, keys: MemberKeys
) -> enrolment_pb2.RenewRequest | None:
    try:
        raw = read_private(path, MAX_REQUEST_BYTES)
        request = parse_exactly(enrolment_pb2.RenewRequest, raw, MAX_REQUEST_BYTES)
        body = parse_exactly(enrolment_pb2.RenewBody, request.body, MAX_REQUEST_BYTES)
        is_same = (
            request.key_id,
            body.member,
            body.signing_public_key,
            body.encryption_public_key,
            requested_public_key(body.tls_csr_der),
        ) == (
            membership.signing_key.key_id,
            membership.member_id,
            keys.signing.verifying.public_key,
            keys.encryption.public_bytes,
            tls_public_key(keys.tls_key_pem),
        )
    except (ValueError, SecurityError):
        return None
    return request if is_same else None


def _verified(
    membership: Membership,
    response: enrolment_pb2.RenewResponse,
    keys: MemberKeys,
    now: datetime,
) -> enrolment_pb2.JoinResponse:
    """The answer of the join, renewed; everything in it is verified (rule 4)."""
    try:
        named = verify_member_certificate(
            response.tls_certificate_der, membership.ca_certificate_pem, now
        )
        joined = enrolment_pb2.JoinResponse()
        joined.CopyFrom(membership.joined)
        joined.tls_certificate_der = response.tls_certificate_der
        certified = _own(membership, response.certificates)
        for certificate, key in certified:
            if key.key_id == keys.signing.key_id:
                joined.signing_certificate.CopyFrom(certificate)
            elif key.key_id == keys.encryption.key_id:
                joined.encryption_certificate.CopyFrom(certificate)
        known = {bytes(one.body) for one in joined.hub_keys}
        if response.HasField("policy"):
            open_policy(
                response.policy,
                membership.anchor,
                member=membership.member_id,
                held=membership.policy,
            )
            joined.policy.CopyFrom(response.policy)
        joined.hub_keys.extend(one for one in response.hub_keys if bytes(one.body) not in known)
        if response.HasField("revocations"):
            open_revocations(
                response.revocations,
                membership.anchor,
                held_version=membership.revocations_version,
            )
            joined.revocations.CopyFrom(response.revocations)
        is_ours = certificate_public_key(response.tls_certificate_der) == tls_public_key(
            keys.tls_key_pem
        )
        made = make_membership(membership.directory, joined, keys)
    except SecurityError as error:
        raise JoinRefusedError(
            f"the answer of {membership.hub_id} does not hold: {error}. Nothing was changed here"
        ) from error
    if not is_ours or named != made.member_id:
        raise JoinRefusedError(
            f"the answer of {membership.hub_id} does not hold: its TLS certificate names {named}, "
            f"{'this' if is_ours else 'another'} key. Nothing was changed here"
        )
    return joined


def _own(
    membership: Membership, certificates: Iterable[identity_pb2.KeyCertificate]
) -> list[tuple[identity_pb2.KeyCertificate, CertifiedKey]]:
    """Certificates of an answer with their keys; the one that lasts longest comes last."""
    ring = Keyring([membership.anchor])
    found = [(one, ring.add(one)) for one in certificates]
    return sorted(found, key=lambda pair: (pair[1].not_after_ms, pair[1].serial))
