"""A device's identity: it joins a node against a one-use token, and renews its certificate.

The steps of both are numbered in ``security.devices.joining``. What the device keeps, all 0600:
``signing.key``, ``tls.key``, and ``identity.pb``, the node's last answer with the address of its
enrolment; while a join is on its way, ``join-request.pb``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import grpc.aio

from edge_devices.errors import (
    DeviceConfigurationError,
    NodeUnreachableError,
)
from edge_devices.wire_errors import rpc_error
from protos.yixin.v1 import edge_pb2, edge_pb2_grpc
from security.channels import enrolment_channel
from security.devices import DeviceId, DeviceToken, parse_device_id
from security.devices.joining import (
    MAX_REQUEST_BYTES,
    DeviceKeys,
    join_request,
    open_join,
    renewal_request,
    verify_answer,
)
from security.encoding import parse_exactly
from security.errors import JoinRefusedError, SecurityError, UntrustedCertificateError
from security.keys import SigningKey
from security.moments import to_ms
from security.private_files import read_private, write_private
from security.tls import (
    certificate_der,
    certificate_pem,
    load_tls_key,
    new_tls_key,
    not_after,
    save_tls_key,
    validity,
)

__all__ = ["DeviceIdentity", "enrol", "is_enrolled", "load_identity", "renew", "renewal_due"]

SIGNING_KEY_FILE: Final = "signing.key"
TLS_KEY_FILE: Final = "tls.key"
IDENTITY_FILE: Final = "identity.pb"
ADDRESS_FILE: Final = "enrolment-address"
REQUEST_FILE: Final = "join-request.pb"
CALL_TIMEOUT_S: Final = 30.0
_MAX_ADDRESS_BYTES: Final = 300
Stub: TypeAlias = "edge_pb2_grpc.EdgeEnrolmentAsyncStub"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """Who a device is, towards its node."""

    directory: Path
    """The device's directory."""
    device: DeviceId
    """Its id."""
    keys: DeviceKeys = field(repr=False)
    """Its private keys."""
    certificate_pem: bytes
    """Its TLS certificate."""
    ca_certificate_pem: bytes
    """The node's authority, as the token pinned it."""
    intake_address: str
    """host:port of EdgeIntake."""
    enrolment_address: str
    """host:port of EdgeEnrolment."""

    @property
    def certificate_ends(self) -> datetime:
        """Last moment of the certificate, UTC-aware."""
        return not_after(self.certificate_pem)


async def enrol(
    directory: Path, token_text: str, now: datetime, *, call_timeout_s: float = CALL_TIMEOUT_S
) -> DeviceIdentity:
    """Join the node that a token invites to.

    Args:
        directory: The device's directory; made where it is not there.
        token_text: The token, one line of text.
        now: Present moment, UTC-aware.
        call_timeout_s: Longest wait for the node, seconds.

    Returns:
        The identity, which is kept in the directory.

    Raises:
        TokenError: The token is damaged or expired.
        DeviceConfigurationError: The directory is another device's.
        NodeUnreachableError: The node did not answer; the same token may be tried again.
        JoinRefusedError: The node refused, or its answer is not the one that the token pins.
        KeyFileError: A key file is damaged or open to others.
    """
    # 1.
    token = DeviceToken.decode(token_text)
    keys = _keys(directory, token)
    # 2.
    request = _request(directory, token, keys, to_ms(now))
    # 3.
    pinned = certificate_pem(token.ca_certificate_der)

    async def join(stub: Stub) -> edge_pb2.DeviceCertificate:
        return await stub.Join(request, timeout=call_timeout_s)

    answer = await _ask(token.enrolment_address, pinned, join)
    # 4.
    verify_answer(answer, device=token.device, keys=keys, ca_certificate=pinned, now=now)
    # 5.
    answer.ca_certificate_der = token.ca_certificate_der
    write_private(directory / ADDRESS_FILE, token.enrolment_address.encode("ascii"), replace=True)
    _keep(directory, answer)
    (directory / REQUEST_FILE).unlink(missing_ok=True)
    return load_identity(directory)


async def renew(
    identity: DeviceIdentity, now: datetime, *, call_timeout_s: float = CALL_TIMEOUT_S
) -> DeviceIdentity:
    """Ask the node for a new certificate; also after the old one has ended.

    Args:
        identity: Who asks.
        now: Present moment, UTC-aware.
        call_timeout_s: Longest wait for the node, seconds.

    Returns:
        The identity with its new certificate, which is kept in the directory.

    Raises:
        NodeUnreachableError: The node did not answer; run it again.
        JoinRefusedError: The node refused, or its answer does not hold.
        KeyFileError: The certificate cannot be written.
    """
    request = renewal_request(identity.device, identity.keys, to_ms(now))

    async def ask(stub: Stub) -> edge_pb2.DeviceCertificate:
        return await stub.Renew(request, timeout=call_timeout_s)

    answer = await _ask(identity.enrolment_address, identity.ca_certificate_pem, ask)
    verify_answer(
        answer,
        device=identity.device,
        keys=identity.keys,
        ca_certificate=identity.ca_certificate_pem,
        now=now,
    )
    answer.ca_certificate_der = certificate_der(identity.ca_certificate_pem)
    _keep(identity.directory, answer)
    return replace(
        identity,
        certificate_pem=certificate_pem(answer.tls_certificate_der),
        intake_address=answer.intake_address,
    )


def renewal_due(identity: DeviceIdentity, now: datetime) -> bool:
    """Whether half of the certificate's time is over."""
    begins, ends = validity(identity.certificate_pem)
    return now >= begins + (ends - begins) / 2


def is_enrolled(directory: Path) -> bool:
    """Whether the directory holds a device's identity."""
    return (directory / IDENTITY_FILE).exists()


def load_identity(directory: Path) -> DeviceIdentity:
    """Load a device's identity.

    Raises:
        DeviceConfigurationError: The directory holds none, or it is damaged.
        KeyFileError: A key file is missing, damaged or open to others.
    """
    if not is_enrolled(directory):
        raise DeviceConfigurationError(
            f"{directory} holds no device; make a token at the node with `yixin node device token` "
            f"and run: yixin device enrol --token TOKEN --dir {directory}"
        )
    raw = read_private(directory / IDENTITY_FILE, MAX_REQUEST_BYTES)
    address = read_private(directory / ADDRESS_FILE, _MAX_ADDRESS_BYTES)
    keys = DeviceKeys(
        signing=SigningKey.load(directory / SIGNING_KEY_FILE),
        tls_key_pem=load_tls_key(directory / TLS_KEY_FILE),
    )
    try:
        kept = parse_exactly(edge_pb2.DeviceCertificate, raw, MAX_REQUEST_BYTES)
        name = parse_device_id(kept.device)
        return DeviceIdentity(
            directory=directory,
            device=name.device_id,
            keys=keys,
            certificate_pem=certificate_pem(kept.tls_certificate_der),
            ca_certificate_pem=certificate_pem(kept.ca_certificate_der),
            intake_address=kept.intake_address,
            enrolment_address=address.decode("ascii"),
        )
    except (ValueError, UntrustedCertificateError) as error:
        raise DeviceConfigurationError(
            f"{directory / IDENTITY_FILE} is damaged: {error}. Enrol the device again with a new "
            "token; what waits in its queue stays"
        ) from error


async def _ask(
    address: str,
    ca_certificate_pem: bytes,
    call: Callable[[Stub], Awaitable[edge_pb2.DeviceCertificate]],
) -> edge_pb2.DeviceCertificate:
    channel = enrolment_channel(address, ca_certificate_pem)
    try:
        return await call(edge_pb2_grpc.EdgeEnrolmentStub(channel))
    except grpc.aio.AioRpcError as error:
        translated = rpc_error(error, address)
        if isinstance(translated, NodeUnreachableError):
            raise translated from error
        raise JoinRefusedError(str(translated)) from error
    finally:
        await channel.close(None)


def _keep(directory: Path, answer: edge_pb2.DeviceCertificate) -> None:
    content = answer.SerializeToString(deterministic=True)
    write_private(directory / IDENTITY_FILE, content, replace=True)


def _keys(directory: Path, token: DeviceToken) -> DeviceKeys:
    """The keys of the directory, made where they are not there (step 1)."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_enrolled(directory) and (held := load_identity(directory)).device != token.device:
        raise DeviceConfigurationError(
            f"{directory} is {held.device}, the token makes it {token.device}. Nothing was "
            "changed; enrol in a new directory, or ask for a token of the same device"
        )
    signing, tls = directory / SIGNING_KEY_FILE, directory / TLS_KEY_FILE
    if not signing.exists():
        SigningKey.generate(post_quantum=False).save(signing)
    if not tls.exists():
        save_tls_key(tls, new_tls_key())
    return DeviceKeys(signing=SigningKey.load(signing), tls_key_pem=load_tls_key(tls))


def _request(
    directory: Path, token: DeviceToken, keys: DeviceKeys, at_ms: int
) -> edge_pb2.DeviceJoinRequest:
    """The request of an earlier try with this token and these keys, or a new one."""
    path = directory / REQUEST_FILE
    earlier = _earlier(path, token, keys) if path.exists() else None
    if earlier is not None:
        return earlier
    token.verify_unexpired(at_ms)
    request = join_request(token, keys, at_ms)
    write_private(path, request.SerializeToString(deterministic=True), replace=True)
    return request


def _earlier(path: Path, token: DeviceToken, keys: DeviceKeys) -> edge_pb2.DeviceJoinRequest | None:
    try:
        raw = read_private(path, MAX_REQUEST_BYTES)
        request = parse_exactly(edge_pb2.DeviceJoinRequest, raw, MAX_REQUEST_BYTES)
        asked = open_join(request)
    except (ValueError, SecurityError):
        return None
    is_same = (asked.secret_digest, asked.signing_key) == (
        token.secret_digest,
        keys.signing.verifying.public_key,
    )
    return request if is_same else None
