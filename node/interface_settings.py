"""Settings of the national interface over HTTP: who listens where, with which bounds.

Rules:
- Plain HTTP is for the loopback; beyond it a certificate is needed, or `allow_plain = true`.
- Every bound is checked when the settings are made, whether anything listens or not.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from node.errors import ConfigurationError

__all__ = [
    "GatewaySettings",
    "InterfaceMode",
    "InterfaceSettings",
    "ListenSettings",
    "refuse_outside",
]


class InterfaceMode(StrEnum):
    """How the daemon answers the national interface."""

    STAND_ALONE = "stand-alone"
    """It is the only receiver: simulator, tests, and messages that nobody settles."""
    MIRROR = "mirror"
    """It receives copies of messages that the core platform answers."""


def refuse_outside(name: str, value: int, least: int, most: int) -> None:
    """Refuse a number out of its bounds.

    Raises:
        ConfigurationError: It is.
    """
    if not least <= value <= most:
        raise ConfigurationError(
            f"{name} is {value}, expected {least} to {most}; correct it in node.toml"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenSettings:
    """Where a server of the national interface listens."""

    host: str = "127.0.0.1"
    """Address or name to bind."""
    port: int = 0
    """TCP port, 0 for any free one."""
    certificate: str = ""
    """PEM file with the certificate chain; empty for plain HTTP."""
    key: str = ""
    """PEM file with the private key, mode 0600."""
    allow_plain: bool = False
    """Whether plain HTTP may leave the loopback."""
    max_connections: int = 512
    """Most connections at a time, 1 to 100000."""
    message_timeout_s: int = 30
    """Longest time for one message to arrive whole, 1 to 600 seconds."""

    def verify(self, table: str) -> None:
        """Check the bounds and that plain HTTP stays on the loopback.

        Args:
            table: Name of the table in `node.toml`.

        Raises:
            ConfigurationError: A value is out of bounds, or two of them disagree.
        """
        refuse_outside(f"{table}.port", self.port, 0, 65_535)
        refuse_outside(f"{table}.max_connections", self.max_connections, 1, 100_000)
        refuse_outside(f"{table}.message_timeout_s", self.message_timeout_s, 1, 600)
        if not self.host:
            raise ConfigurationError(f"{table}.host is empty; name an address, e.g. 127.0.0.1")
        if bool(self.certificate) != bool(self.key):
            raise ConfigurationError(
                f"{table}.certificate and {table}.key belong together: give both or none"
            )
        if not self.certificate and not self.allow_plain and not _is_loopback(self.host):
            raise ConfigurationError(
                f"{table}.host is {self.host} without a certificate: patients' data would cross "
                f"the network in clear. Set {table}.certificate and {table}.key, or "
                f"{table}.allow_plain = true on a network that is encrypted by other means"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceSettings(ListenSettings):
    """Table `[interface]`."""

    port: int = 9080
    """TCP port, 0 for any free one."""
    enabled: bool = False
    """Whether the daemon answers the national interface."""
    mode: InterfaceMode = InterfaceMode.STAND_ALONE
    """How it answers."""
    answer_timeout_s: int = 10
    """Longest wait for a commit before the sender is told to send again, 1 to 600 seconds."""
    max_inflight_mib: int = 64
    """Most bytes of messages in memory at a time, 8 to 4096 MiB."""
    signatures: Mapping[str, str] = field(default_factory=dict)
    """PEM file of the public key that must sign, by institution."""

    def __post_init__(self) -> None:
        self.verify("interface")
        refuse_outside("interface.answer_timeout_s", self.answer_timeout_s, 1, 600)
        refuse_outside("interface.max_inflight_mib", self.max_inflight_mib, 8, 4096)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings(ListenSettings):
    """Table `[gateway]`."""

    port: int = 9081
    """TCP port, 0 for any free one."""
    upstream: str = ""
    """Scheme and authority of the core platform; empty when there is no gateway."""
    upstream_ca: str = ""
    """PEM file of the platform's certificate authority; empty for the system's."""
    connect_timeout_s: int = 5
    """Longest time to reach the platform, 1 to 60 seconds."""
    answer_timeout_s: int = 120
    """Longest silence of the platform within a call, 1 to 3600 seconds."""
    answer_own: bool = False
    """Whether the daemon answers 3101 to 3103 instead of the platform."""
    spool_max_mib: int = 1024
    """Most bytes of copies that wait for the daemon, 1 to 1048576 MiB."""

    def __post_init__(self) -> None:
        self.verify("gateway")
        refuse_outside("gateway.connect_timeout_s", self.connect_timeout_s, 1, 60)
        refuse_outside("gateway.answer_timeout_s", self.answer_timeout_s, 1, 3600)
        refuse_outside("gateway.spool_max_mib", self.spool_max_mib, 1, 1_048_576)
        if self.upstream and not _is_origin(self.upstream):
            raise ConfigurationError(
                "gateway.upstream must be scheme and authority without a path, for example "
                '"https://10.72.3.127:20001"; the paths of the calls are kept as they come'
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and is_bare
