"""Enrolment of devices (终端入网): one-use tokens, the join that they allow, and renewals.

The node's steps are numbered in ``security.devices.joining``; each block below carries its number.
Whoever asks and is refused learns from the caller one wording for every cause.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from node.edge_settings import EdgeSettings
from node.errors import ConfigurationError, DeviceRefusedError
from node.store import NodeStore
from node.store.device_rows import DeviceKind, DeviceRow, DeviceState, TokenRow
from node.store.operator_log import LogEntry
from protos.yixin.v1 import edge_pb2
from security.devices import DeviceAuthority, DeviceName, DeviceToken, parse_device_id
from security.devices.joining import (
    RENEW_DAYS,
    JoinAsked,
    open_join,
    open_renewal,
    verify_clock,
)
from security.moments import to_ms

__all__ = ["PORTS_SETTING", "DeviceEnrolment", "edge_address", "edge_hosts", "issue_token"]

PORTS_SETTING: Final = "edge_ports"
"""Setting of the store with both ports of the last run: intake and enrolment."""
_EVERYWHERE: Final = ("0.0.0.0", "::", "[::]")  # noqa: S104 - told apart, not bound


def edge_hosts(settings: EdgeSettings) -> tuple[str, ...]:
    """Names and addresses that the node's server certificate has beside the loopback ones."""
    named = (settings.address, settings.host)
    return tuple(host.strip("[]") for host in named if host and host not in _EVERYWHERE)


def edge_address(settings: EdgeSettings, port: int) -> str:
    """host:port by which devices reach a port of this node.

    Raises:
        ConfigurationError: The node listens everywhere and says nowhere how it is reached.
    """
    host = settings.address or settings.host
    if host in _EVERYWHERE:
        raise ConfigurationError(
            f"edge.host is {host}, which is no address to go to; name this machine in node.toml: "
            '[edge] address = "node.hospital.example"'
        )
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"


def issue_token(
    store: NodeStore,
    settings: EdgeSettings,
    name: DeviceName,
    *,
    kind: DeviceKind,
    minutes: int,
    operator: str,
    now: datetime,
) -> DeviceToken:
    """Expect a device, and make its one-use token; earlier ones of the device stop working.

    Args:
        store: The node's store.
        settings: Where devices reach this node.
        name: The future device.
        kind: What it is.
        minutes: Life of the token.
        operator: Who makes it.
        now: Present moment, UTC-aware.

    Raises:
        ConfigurationError: The ports are not known, or the institution is not this node's.
        DeviceRefusedError: There are as many devices as may be.
        StoreError: The disk failed.
    """
    own = {one.code for one in store.institutions() if not one.foreign}
    if name.institution not in own:
        raise ConfigurationError(
            f"{name.institution} is no institution of this node; it has {len(own)}, see: "
            "yixin node status"
        )
    port = settings.enrolment_port or _enrolment_port(store)
    authority = store.edge.devices.authority(now, edge_hosts(settings))
    token = DeviceToken(
        device=name.device_id,
        enrolment_address=edge_address(settings, port),
        ca_certificate_der=authority.certificate_der,
        secret=secrets.token_bytes(32),
        expires_at_ms=to_ms(now + timedelta(minutes=minutes)),
    )
    row = TokenRow(
        secret_digest=token.secret_digest, device=name, expires_at_ms=token.expires_at_ms
    )
    entry = LogEntry(
        at=now.isoformat(timespec="seconds"),
        operator=operator,
        action="device_token",
        subject=name.device_id,
        detail=f"{kind}, {minutes} minutes",
    )
    store.edge.devices.expect(row, kind, now, entry, most=settings.max_devices)
    return token


def _enrolment_port(store: NodeStore) -> int:
    ports = store.setting(PORTS_SETTING)
    if ports is None:
        raise ConfigurationError(
            "the ports for devices are not known yet; set edge.enrolment_port in node.toml, or "
            "run `yixin node serve` once with [edge] enabled = true"
        )
    return int(ports.split()[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEnrolment:
    """Answers devices that join or renew."""

    store: NodeStore
    authority: DeviceAuthority
    intake_address: str
    """host:port of EdgeIntake."""
    certificate_days: int

    def join(
        self, request: edge_pb2.DeviceJoinRequest, now: datetime
    ) -> edge_pb2.DeviceCertificate:
        """Answer a join.

        Raises:
            DeviceRefusedError: The token is unknown, used or expired, or the keys were revoked.
            SecurityError: The request is malformed, or does not prove its keys.
            StoreError: The disk failed; the same request may be sent again.
        """
        # 0. and 1.
        asked = open_join(request)
        devices = self.store.edge.devices
        with self.store.taking():
            # 2.
            token = devices.find_token(asked.secret_digest)
            if token is None:
                raise DeviceRefusedError("the device token is unknown")
            device = token.device.device_id
            if token.is_consumed:
                raise DeviceRefusedError(f"the token of {device} is used up")
            if token.keys_digest not in (b"", asked.keys_digest):
                raise DeviceRefusedError(f"the token of {device} was used by other keys")
            # 3.
            if token.response:
                return edge_pb2.DeviceCertificate.FromString(token.response)
            if to_ms(now) > token.expires_at_ms:
                raise DeviceRefusedError(f"the token of {device} has expired")
            verify_clock(asked.at_ms, to_ms(now))
            row = self._joining(token, asked)
            answer = self._certificate(token.device, asked.csr_der, now)
            entry = LogEntry(
                at=now.isoformat(timespec="seconds"),
                operator=device,
                action="device_join",
                subject=device,
                detail=f"signing key {asked.signing_key.hex()}",
            )
            answered = replace(
                token,
                keys_digest=asked.keys_digest,
                response=answer.SerializeToString(deterministic=True),
            )
            devices.activate(answered, replace(row, certified_until=self._until(now)), entry)
        return answer

    def renew(
        self, request: edge_pb2.DeviceRenewRequest, now: datetime
    ) -> edge_pb2.DeviceCertificate:
        """Answer a renewal, also of a certificate that ended not long ago.

        Raises:
            DeviceRefusedError: The device is not active, its key is another one, or it waited too
                long.
            SecurityError: The request is malformed, or not signed by the device.
            StoreError: The disk failed; the same request may be sent again.
        """
        asked = open_renewal(request)
        devices = self.store.edge.devices
        with self.store.taking():
            row = devices.admit(asked.tls_digest, parse_device_id(asked.device))
            asked.verify(row.signing_key)
            verify_clock(asked.at_ms, to_ms(now))
            ended = datetime.fromisoformat(row.certified_until)
            if now > ended + timedelta(days=RENEW_DAYS):
                raise DeviceRefusedError(
                    f"the certificate of {row.id} ended on {ended:%Y-%m-%d}, more than "
                    f"{RENEW_DAYS} days ago; it needs a new token"
                )
            answer = self._certificate(parse_device_id(row.id), asked.csr_der, now)
            devices.certify(row.id, self._until(now))
        return answer

    def _joining(self, token: TokenRow, asked: JoinAsked) -> DeviceRow:
        row = self.store.edge.devices.find(token.device.device_id)
        if row is None:
            raise DeviceRefusedError(f"{token.device.device_id} is not in the register")
        is_known = asked.signing_key == row.signing_key or asked.tls_digest == row.tls_digest
        if row.state is DeviceState.REVOKED and is_known:
            raise DeviceRefusedError(
                f"{row.id} was revoked, and joins with the keys of that time; enrol it in a new "
                "directory"
            )
        return replace(row, signing_key=asked.signing_key, tls_digest=asked.tls_digest)

    def _certificate(
        self, name: DeviceName, csr_der: bytes, now: datetime
    ) -> edge_pb2.DeviceCertificate:
        issued = self.authority.issue(csr_der, name, now, days=self.certificate_days)
        return edge_pb2.DeviceCertificate(
            device=name.device_id,
            tls_certificate_der=issued,
            ca_certificate_der=self.authority.certificate_der,
            intake_address=self.intake_address,
        )

    def _until(self, now: datetime) -> str:
        return (now + timedelta(days=self.certificate_days)).isoformat(timespec="seconds")
