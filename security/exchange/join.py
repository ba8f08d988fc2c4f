"""Join (入网): a member gets its identity from a hub, against a one-use token.

Steps, in order:
    0. The token is read; keys are made, or kept when an earlier try made them.
    1. The request is written down before it is sent, and sent again identically: a lost answer
       costs nothing, because the hub answers the same request in the same way. A request that
       waits for the hub's officer is asked about with the same request, also when the token has
       expired meanwhile.
    2. The TLS channel is verified against the root in the token before the secret is sent.
    3. The answer's anchor must be the pinned one; only then is anything of it read.
    4. Certificates must be for our keys, the TLS certificate by the pinned root.
    5. The answer is kept durably, with the address of the enrolment; the request, which holds the
       secret, is removed.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import grpc
import grpc.aio

from protos.yixin.v1 import enrolment_pb2, enrolment_pb2_grpc
from security.certificates import anchor_bytes, anchor_digest
from security.certificates.fingerprints import fingerprint, keys_digest
from security.channels import enrolment_channel
from security.encoding import parse_exactly
from security.errors import (
    HubRefusedError,
    JoinPendingError,
    JoinRefusedError,
    KeyFileError,
    SecurityError,
)
from security.exchange.custody import open_custody
from security.exchange.key_files import (
    MemberKeys,
    certificate_public_key,
    create_keys,
    tls_public_key,
)
from security.exchange.member_files import keep_certificates, save_address
from security.exchange.membership import (
    Membership,
    is_joined,
    load,
    make_membership,
    save_join,
)
from security.exchange.wire_errors import rpc_error
from security.moments import to_ms
from security.policy import open_policy
from security.private_files import read_private, write_private
from security.tls import certificate_pem, csr_der, verify_member_certificate
from security.tokens import JoinToken

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PAYLOAD_TYPE: Final = "yixin/join/v1"
REQUEST_FILE: Final = "join-request.pb"
FORMAT: Final = 1
MAX_REQUEST_BYTES: Final = 64 * 1024
CALL_TIMEOUT_S: Final = 60.0
MIN_RETRY_S: Final = 5
MAX_RETRY_S: Final = 3_600
"""Bounds of the wait that a hub may ask for, seconds."""


async def join(
    directory: Path,
    token_text: str,
    *,
    kind: str,
    post_quantum: bool,
    now: datetime,
    suite: str = "",
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> Membership:
    """Join the hub that a token invites to.

    Args:
        directory: The member's directory; its keys are made there.
        token_text: The token, one line of text.
        kind: Kind of member to become; the hub must name one of that kind.
        post_quantum: Whether the signing key has an ML-DSA-65 half; hubs do.
        now: Present moment, UTC-aware.
        suite: Suite of the keys; empty for that of the keys that are there, or the default.
        call_timeout_s: Longest wait for the hub, seconds.

    Returns:
        The membership, which is kept in the directory.

    Raises:
        TokenError: The token is damaged or expired.
        HubUnreachableError: The hub did not answer; the same token may be tried again.
        JoinPendingError: The hub's officer has not approved the request; ask again later.
        JoinRefusedError: The hub refused, or its answer is not the one the token pins.
        KeyFileError: A key file is damaged or open to others.
        UnknownSuiteError: No suite has that name, or its extra is not installed.
    """
    # 0.
    token = JoinToken.decode(token_text)
    keys = create_keys(directory, post_quantum=post_quantum, suite=suite)
    # 1.
    request = _request(directory, token, keys, to_ms(now))
    # 2.
    channel = enrolment_channel(token.enrolment_address, certificate_pem(token.ca_certificate_der))
    stub = enrolment_pb2_grpc.EnrolmentStub(channel)
    try:
        response = await stub.Join(request, timeout=call_timeout_s)
    except grpc.aio.AioRpcError as error:
        translated = rpc_error(error, token.hub)
        if isinstance(translated, HubRefusedError):
            raise JoinRefusedError(
                f"{token.hub} refused to take this member in ({translated.code}): "
                f"{translated.detail}"
            ) from error
        raise translated from error
    finally:
        await channel.close(None)
    if response.HasField("pending"):
        raise pending_error(token.hub, keys, response.pending)
    # 3. and 4.
    membership = verify_answer(directory, response, token, keys, kind=kind, now=now)
    _refuse_another(directory, membership)
    # 5.
    keep_certificates(
        directory, token.hub, [response.signing_certificate, response.encryption_certificate]
    )
    save_address(directory, token.enrolment_address)
    save_join(directory, response)
    (directory / REQUEST_FILE).unlink(missing_ok=True)
    return membership


def _refuse_another(directory: Path, membership: Membership) -> None:
    """A directory stays one member of one hub: its outbox and chains are that member's."""
    if not is_joined(directory):
        return
    before = load(directory)
    if (before.hub_id, before.member_id) != (membership.hub_id, membership.member_id):
        raise JoinRefusedError(
            f"{directory} is {before.member_id} of {before.hub_id}, the token makes it "
            f"{membership.member_id} of {membership.hub_id}. Nothing was changed here; join from "
            "a new directory, or ask the officer for a token of the same member"
        )
    if membership.joined.HasField("policy"):
        open_policy(
            membership.joined.policy,
            membership.anchor,
            member=membership.member_id,
            held=before.policy,
        )
    if membership.revocations_version < before.revocations_version:
        raise JoinRefusedError(
            f"the answer of {membership.hub_id} carries version {membership.revocations_version} "
            f"of its revocation list, version {before.revocations_version} was seen here before: "
            "an older list would bring revoked keys back. Nothing was changed; tell the officer"
        )


def pending_error(hub: str, keys: MemberKeys, pending: enrolment_pb2.Pending) -> JoinPendingError:
    """What to tell the operator of a request that waits for the hub's officer.

    The fingerprint is of the keys held here, never the one the hub states: that they are equal is
    what the officer finds out.
    """
    signing = keys.signing.verifying
    digest = keys_digest(
        signing.public_key,
        signing.pq_public_key,
        keys.encryption.public_bytes,
        tls_public_key(keys.tls_key_pem),
    )
    request = "".join(one for one in pending.request[:64] if one.isalnum() or one in "-_:/.")
    retry_s = min(max(pending.retry_after_s, MIN_RETRY_S), MAX_RETRY_S)
    return JoinPendingError(hub, request, fingerprint(digest), retry_s)


def verify_answer(
    directory: Path,
    response: enrolment_pb2.JoinResponse,
    token: JoinToken,
    keys: MemberKeys,
    *,
    kind: str,
    now: datetime,
) -> Membership:
    """Check the hub's answer against the token and our keys (steps 3 and 4).

    Args:
        directory: The member's directory.
        response: Answer as received.
        token: The token that was used.
        keys: Private keys of the member.
        kind: Kind of member that was asked for.
        now: Present moment, UTC-aware.

    Raises:
        JoinRefusedError: The answer is not the pinned hub's, or not for this member.
    """
    # 3.
    if anchor_digest(anchor_bytes(response.anchor)) != token.anchor_digest:
        raise JoinRefusedError(
            f"the answer of {token.enrolment_address} carries another anchor than the token pins: "
            "it is not the hub that issued the token. Nothing was kept; tell the hub's officer"
        )
    _verify_pack_root(response, token)
    try:
        # 4.
        membership = make_membership(directory, response, keys)
        named = verify_member_certificate(
            response.tls_certificate_der, token.ca_certificate_der, now
        )
        is_ours = certificate_public_key(response.tls_certificate_der) == tls_public_key(
            keys.tls_key_pem
        )
        if response.HasField("custody"):
            open_custody(
                response.custody,
                membership.keyring,
                hub=membership.hub_id,
                member=membership.member_id,
                at_ms=to_ms(now),
            )
    except SecurityError as error:
        raise JoinRefusedError(f"the answer of {token.hub} does not hold: {error}") from error
    faults = {
        f"it is of {membership.hub_id}": membership.hub_id != token.hub,
        f"its TLS certificate names {named}": named != membership.member_id,
        "its TLS certificate is for another key": not is_ours,
        "its anchor names another TLS root than the token": membership.anchor.ca_certificate_der
        != token.ca_certificate_der,
        f"it makes this member a {membership.kind}, asked for was a {kind}": membership.kind
        != kind,
    }
    for fault, found in faults.items():
        if found:
            raise JoinRefusedError(
                f"the answer of {token.hub} does not hold: {fault}. Nothing was kept; "
                "ask the hub's officer for another token"
            )
    return membership


def _verify_pack_root(response: enrolment_pb2.JoinResponse, token: JoinToken) -> None:
    """Keep the root of the model packs only where the token pins it, and only that one."""
    if not token.pack_root_digest:
        response.ClearField("pack_root")
        return
    if hashlib.sha256(response.pack_root).digest() != token.pack_root_digest:
        raise JoinRefusedError(
            f"the answer of {token.hub} carries another root of the model packs than the token "
            "pins. Nothing was kept; tell the hub's officer"
        )


def _request(
    directory: Path, token: JoinToken, keys: MemberKeys, at_ms: int
) -> enrolment_pb2.JoinRequest:
    """The request of an earlier try with this token and these keys, or a new one (step 1)."""
    path = directory / REQUEST_FILE
    if path.exists():
        earlier = _earlier(path, token, keys)
        if earlier is not None:
            return earlier
    token.verify_unexpired(at_ms)
    body = enrolment_pb2.JoinBody(
        format=FORMAT,
        token_secret=token.secret,
        tls_csr_der=csr_der(keys.tls_key_pem),
        suite=keys.encryption.suite.name,
        signing_public_key=keys.signing.verifying.public_key,
        signing_pq_public_key=keys.signing.verifying.pq_public_key,
        encryption_public_key=keys.encryption.public_bytes,
        at_ms=at_ms,
    ).SerializeToString(deterministic=True)
    signature = keys.signing.sign(PAYLOAD_TYPE, body)
    request = enrolment_pb2.JoinRequest(
        body=body, signature=signature.classical, pq_signature=signature.post_quantum
    )
    write_private(path, request.SerializeToString(deterministic=True), replace=True)
    return request


def _earlier(path: Path, token: JoinToken, keys: MemberKeys) -> enrolment_pb2.JoinRequest | None:
    try:
        request = parse_exactly(
            enrolment_pb2.JoinRequest, read_private(path, MAX_REQUEST_BYTES), MAX_REQUEST_BYTES
        )
        body = parse_exactly(enrolment_pb2.JoinBody, request.body, MAX_REQUEST_BYTES)
    except (ValueError, KeyFileError):
        return None
    is_same = (body.token_secret, body.signing_public_key, body.encryption_public_key) == (
        token.secret,
        keys.signing.verifying.public_key,
        keys.encryption.public_bytes,
    )
    return request if is_same else None
