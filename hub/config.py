"""Settings of a hub: ``hub.toml`` in its state directory.

Unknown keys are refused, every bound is checked on load, and nothing else reads settings or the
environment. Default bind is loopback.
"""

import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Final, TypeVar

from hub.domain.members import HubLevel, MemberId
from hub.errors import ConfigurationError, NotInitialisedError
from security.members import MemberKind, parse_member_id
from security.private_files import write_private

DIRECTORY_VARIABLE: Final = "YIXIN_HUB_DIR"
"""Environment variable with the hub's state directory."""
DEFAULT_DIRECTORY: Final = Path("yixin-hub")
SETTINGS_FILE: Final = "hub.toml"
LOCK_FILE: Final = "hub.lock"
"""Writer lock, in the state directory."""
CONTROL_SOCKET: Final = "control.sock"
"""Socket on which the daemon takes commands, in the state directory."""
MAX_SETTINGS_BYTES: Final = 64 * 1024

SettingsT = TypeVar(
    "SettingsT",
    "HubSettings",
    "DatabaseSettings",
    "NetworkSettings",
    "IntakeSettings",
    "LifetimeSettings",
    "LogSettings",
    "EnrolmentSettings",
    "SuiteSettings",
    "PackSettings",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSettings:
    """Table ``[hub]``: who this hub is. Fixed by ``yixin hub init``."""

    member: str
    """Member id, ``yixin://<division>/hub/<city or province>``."""
    level: str
    """``city`` or ``province``."""
    name: str
    """Name for screens and documents, 1 to 200 characters."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        try:
            kind = parse_member_id(self.member).kind
        except ValueError as error:
            raise ConfigurationError(f"hub.member: {error}") from error
        _expect(kind is MemberKind.HUB, "hub.member", self.member, "the member id of a hub")
        _expect(self.level in set(HubLevel), "hub.level", self.level, "city or province")
        _expect(1 <= len(self.name) <= 200, "hub.name", self.name[:40], "1 to 200 characters")

    @property
    def member_id(self) -> MemberId:
        """The hub's member id."""
        return MemberId(self.member)

    @property
    def division(self) -> str:
        """Division code (GB/T 2260), six digits."""
        return parse_member_id(self.member).division


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Table ``[database]``."""

    url: str = ""
    """SQLAlchemy URL; empty for SQLite in the hub's directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Table ``[network]``."""

    bind: str = "127.0.0.1"
    """Address to listen on."""
    advertised_host: str = "localhost"
    """Host name that members are told; it is in the hub's TLS certificate."""
    exchange_port: int = 0
    """Port of the exchange (mutual TLS), 0 to 65535; 0 chooses a free one and keeps to it."""
    enrolment_port: int = 0
    """Port of the enrolment (server TLS), 0 to 65535; 0 chooses a free one and keeps to it."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for name in ("exchange_port", "enrolment_port"):
            port = getattr(self, name)
            _expect(0 <= port <= 65_535, f"network.{name}", port, "0 to 65535")
        for name in ("bind", "advertised_host"):
            host = getattr(self, name)
            _expect(1 <= len(host) <= 253, f"network.{name}", host[:40], "a host or address")


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeSettings:
    """Table ``[intake]``."""

    group_max: int = 256
    """Most envelopes of one commit group, 1 to 4096."""
    queue_mib: int = 64
    """Most envelope bytes waiting in memory, MiB, 4 to 4096."""
    threads: int = 2
    """Threads that verify and open envelopes, 1 to 64."""
    flush_mib: int = 32
    """Staged rows after which a segment is written, MiB, 1 to 1024."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for name, low, high in (
            ("group_max", 1, 4096),
            ("queue_mib", 4, 4096),
            ("threads", 1, 64),
            ("flush_mib", 1, 1024),
        ):
            value = getattr(self, name)
            _expect(low <= value <= high, f"intake.{name}", value, f"{low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeSettings:
    """Table ``[lifetime]``."""

    token_s: int = 600
    """Validity of a join token, seconds, 60 to 86400."""
    tls_days: int = 30
    """Validity of a member's TLS certificate, days, 1 to 90."""
    key_days: int = 365
    """Validity of a member's signing and encryption keys, days, 1 to 400."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for name, low, high in (
            ("token_s", 60, 86_400),
            ("tls_days", 1, 90),
            ("key_days", 1, 400),
        ):
            value = getattr(self, name)
            _expect(low <= value <= high, f"lifetime.{name}", value, f"{low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Table ``[log]``: the transparency log (透明日志) on disk and its witnesses."""

    tiles: str = ""
    """Where tiles and checkpoints are published: a directory or an fsspec URL; empty: ``log``."""
    publish_ms: int = 1000
    """Longest time between a leaf and the checkpoint that covers it, milliseconds, 50 to 60000."""
    quorum: int = 0
    """Witnesses that must confirm the log before this hub appends after a start, 0 to 16."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for name, low, high in (("publish_ms", 50, 60_000), ("quorum", 0, 16)):
            value = getattr(self, name)
            _expect(low <= value <= high, f"log.{name}", value, f"{low} to {high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentSettings:
    """Table ``[enrolment]``."""

    approval: str = "officer"
    """``officer``: a join waits until an officer compared the fingerprint; ``token``: the token
    alone is enough."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        known = self.approval in {"officer", "token"}
        _expect(known, "enrolment.approval", self.approval[:40], "officer or token")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSettings:
    """Table ``[suites]``."""

    allowed: str = "INTL-PQ,INTL"
    """Suites this hub takes, separated by commas, the preferred one first."""

    @property
    def names(self) -> tuple[str, ...]:
        """The suites, in order of preference."""
        return tuple(name.strip() for name in self.allowed.split(","))

    def __post_init__(self) -> None:
        """Check the bounds."""
        known = {"INTL-PQ", "INTL", "GM"}
        sound = set(self.names) <= known and len(set(self.names)) == len(self.names)
        _expect(sound, "suites.allowed", self.allowed[:80], "names of INTL-PQ, INTL and GM")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackSettings:
    """Table ``[packs]``: model packs (模型包)."""

    repository: str = ""
    """Directory with the packs' repository, for a hub that releases; empty: mirror the parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole of ``hub.toml``."""

    hub: HubSettings
    """Who this hub is."""
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    """Where it keeps its tables."""
    network: NetworkSettings = field(default_factory=NetworkSettings)
    """Where it listens."""
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    """How it takes envelopes in."""
    lifetime: LifetimeSettings = field(default_factory=LifetimeSettings)
    """How long what it issues lasts."""
    log: LogSettings = field(default_factory=LogSettings)
    """Where its log is published, and who witnesses it."""
    enrolment: EnrolmentSettings = field(default_factory=EnrolmentSettings)
    """Who lets a member in."""
    suites: SuiteSettings = field(default_factory=SuiteSettings)
    """How members may seal."""
    packs: PackSettings = field(default_factory=PackSettings)
    """Where models come from."""


def hub_directory(option: Path | None) -> Path:
    """State directory: the option, else ``YIXIN_HUB_DIR``, else ``./yixin-hub``."""
    if option is not None:
        return option
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else DEFAULT_DIRECTORY


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Tell what the system refuses about a path as an operator can act on it.

    Args:
        path: What is used; the path of the system's own message goes first.

    Raises:
        ConfigurationError: The system refused.
    """
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or path} cannot be used: {error.strerror or type(error).__name__}. "
            "Choose another place, or mend it and its rights."
        ) from error


def load_settings(directory: Path) -> Settings:
    """Read ``hub.toml``.

    Raises:
        NotInitialisedError: The directory holds no hub.
        ConfigurationError: The file is too large, not TOML, or holds an unknown table, an unknown
            key, or a value of the wrong type or out of bounds.
    """
    path = directory / SETTINGS_FILE
    with usable(path):
        is_file = path.is_file()
    if not is_file:
        raise NotInitialisedError(
            f"Found no {path}; make a hub with `yixin hub init {directory} --level city "
            "--division 330300 --name …`, or name its directory with --dir."
        )
    with usable(path), path.open("rb") as file:
        raw = file.read(MAX_SETTINGS_BYTES + 1)
    if len(raw) > MAX_SETTINGS_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_SETTINGS_BYTES} bytes; shorten it.")
    try:
        document = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}; correct the line.") from error
    _refuse_unknown(path, "", document, {item.name for item in fields(Settings)})
    return Settings(
        hub=_table(path, "hub", document, HubSettings),
        database=_table(path, "database", document, DatabaseSettings),
        network=_table(path, "network", document, NetworkSettings),
        intake=_table(path, "intake", document, IntakeSettings),
        lifetime=_table(path, "lifetime", document, LifetimeSettings),
        log=_table(path, "log", document, LogSettings),
        enrolment=_table(path, "enrolment", document, EnrolmentSettings),
        suites=_table(path, "suites", document, SuiteSettings),
        packs=_table(path, "packs", document, PackSettings),
    )


def write_settings(directory: Path, settings: HubSettings) -> None:
    """Write the ``hub.toml`` of a new hub: its identity, everything else by default.

    Raises:
        KeyFileError: The file is already there.
    """
    lines = ["[hub]"]
    lines += [
        f"{item.name} = {json.dumps(getattr(settings, item.name), ensure_ascii=False)}"
        for item in fields(HubSettings)
    ]
    write_private(directory / SETTINGS_FILE, ("\n".join(lines) + "\n").encode())


def _table(
    path: Path, name: str, document: dict[str, object], of_type: type[SettingsT]
) -> SettingsT:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: [{name}] must be a table.")
    known = {item.name: item for item in fields(of_type)}
    _refuse_unknown(path, f"{name}.", table, set(known))
    for key, value in table.items():
        expected = int if known[key].type in {"int", int} else str
        if isinstance(value, bool) or not isinstance(value, expected):
            raise ConfigurationError(
                f"{path}: {name}.{key} must be a {'whole number' if expected is int else 'text'}."
            )
    lacking = [key for key, item in known.items() if _is_required(item) and key not in table]
    if lacking:
        raise ConfigurationError(
            f"{path}: [{name}] lacks {', '.join(lacking)}; `yixin hub init` wrote it, "
            "restore the file."
        )
    return of_type(**table)


def _is_required(item: Field[object]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _refuse_unknown(path: Path, prefix: str, table: dict[str, object], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigurationError(
            f"{path}: unknown key {prefix}{unknown[0]}; known are "
            + ", ".join(f"{prefix}{name}" for name in sorted(known))
            + "."
        )


def _expect(ok: bool, key: str, found: object, expected: str) -> None:  # noqa: FBT001 - one use
    if not ok:
        raise ConfigurationError(
            f"{key} is {found!r}, expected {expected}; correct it in {SETTINGS_FILE}."
        )
