"""Settings of a node: `node.toml` in its state directory.

Unknown keys are refused, every bound is checked on load, and nothing else reads settings.
Paths in the file are relative to the state directory.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from node.domain.institutions import CODE_PATTERN
from node.edge_settings import EdgeSettings, FaceSettings
from node.errors import ConfigurationError
from node.interface_settings import (
    GatewaySettings,
    InterfaceMode,
    InterfaceSettings,
    refuse_outside,
)
from node.supervision_settings import SupervisionSettings

DIRECTORY_VARIABLE: Final = "YIXIN_NODE_DIR"
"""Environment variable with the node's state directory."""
DEFAULT_DIRECTORY: Final = Path("yixin-node")
CONTROL_SOCKET: Final = "control.sock"
"""Socket of the daemon, in the state directory."""
GATEWAY_SOCKET: Final = "gateway.sock"
"""Socket where the daemon answers the gateway's calls of 3101 to 3103, in the state directory."""
SETTINGS_FILE: Final = "node.toml"
NODE_KEY: Final = "node.key"
"""Key that seals what the node holds, in the state directory."""
LOCK_FILE: Final = "node.lock"
"""Writer lock, in the state directory."""
MAX_SETTINGS_BYTES: Final = 64 * 1024
MAX_SIGNERS: Final = 10_000

_SETTINGS_TEXT: Final = """\
# Settings of this node. Every key may be left out; these are the defaults.
# Paths are relative to the directory of this file.

[sync]
interval_s = {sync.interval_s}  # seconds between two synchronisations of the daemon

[interface]  # the national interface over HTTP, answered by `yixin node serve`
enabled = {interface.enabled}
mode = {interface.mode}  # "stand-alone", or "mirror" for copies of what the platform answers
host = {interface.host}
port = {interface.port}  # 0 for any free port
certificate = {interface.certificate}  # PEM with the chain; empty for plain HTTP
key = {interface.key}  # PEM of the private key, mode 0600
allow_plain = {interface.allow_plain}  # plain HTTP on more than the loopback
max_connections = {interface.max_connections}
message_timeout_s = {interface.message_timeout_s}  # for one message to arrive whole
answer_timeout_s = {interface.answer_timeout_s}  # after it the answer is "send it again"
max_inflight_mib = {interface.max_inflight_mib}  # messages in memory at one time

[interface.signatures]  # institution = PEM of the public key that signs its messages

[gateway]  # proxy before the core platform: `yixin node gateway`
upstream = {gateway.upstream}  # for example "https://10.72.3.127:20001"
upstream_ca = {gateway.upstream_ca}  # PEM of the platform's authority; empty for the system's
host = {gateway.host}
port = {gateway.port}  # 0 for any free port
certificate = {gateway.certificate}
key = {gateway.key}
allow_plain = {gateway.allow_plain}
max_connections = {gateway.max_connections}
message_timeout_s = {gateway.message_timeout_s}
connect_timeout_s = {gateway.connect_timeout_s}
answer_timeout_s = {gateway.answer_timeout_s}  # silence of the platform that ends a call
answer_own = {gateway.answer_own}  # the daemon answers 3101 to 3103, not the platform
spool_max_mib = {gateway.spool_max_mib}  # copies that wait for the daemon

[edge]  # face terminals, served by `yixin node serve`
enabled = {edge.enabled}
host = {edge.host}
port = {edge.port}  # events and templates, mutual TLS; 0 for any free port
enrolment_port = {edge.enrolment_port}  # new devices with their token
address = {edge.address}  # how devices reach this machine; empty for the host above
certificate_days = {edge.certificate_days}  # of a device, renewed at half of it
max_devices = {edge.max_devices}
max_event_age_days = {edge.max_event_age_days}  # older events are refused

[faces]
uncalibrated = {faces.uncalibrated}  # "refuse", or "manifest" for the model's own threshold
liveness_required = {faces.liveness_required}  # else a face without a liveness check may pass
retries = {faces.retries}  # attempts beyond the first one
timeout_s = {faces.timeout_s}  # after so long nobody has come
cache_hours = {faces.cache_hours}  # of templates in a terminal; 0 for none
cache_templates = {faces.cache_templates}
crop_days = {faces.crop_days}  # pictures of mismatches are kept so long; 0 for no pictures
template_days = {faces.template_days}  # templates are deleted so long after enrolment
identify = {faces.identify}  # one-to-many search
identify_max = {faces.identify_max}  # most candidates of a search
child_age = {faces.child_age}  # younger children pass with the reason code "child"
duty_every_h = {faces.duty_every_h}  # ask for the pharmacist every so many hours; 0 for never

[supervision]  # answers to 3101 and 3102; all rules and topics every night
live = {supervision.live}  # judge them; otherwise they are answered "not judged"
budget_ms = {supervision.budget_ms}  # longest judging of one call
identity_closed = {supervision.identity_closed}  # block whoever is not verified (W04); no emergency
nightly = {supervision.nightly}  # HH:MM in Asia/Shanghai; empty for never
nightly_catch_up_s = {supervision.nightly_catch_up_s}  # a missed night, so long after the start
nightly_max_memory_mib = {supervision.nightly_max_memory_mib}  # of the rules' engine

[supervision.answers]  # by warning or rule of W08: W02 = "warn", M01 = "block", M03 = "off"
"""

_Table = TypeVar("_Table")


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """Table `[sync]`."""

    interval_s: int = 300
    """Seconds between two synchronisations of the daemon, 5 to 86400."""

    def __post_init__(self) -> None:
        refuse_outside("sync.interval_s", self.interval_s, 5, 86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """The whole of `node.toml`."""

    sync: SyncSettings = field(default_factory=SyncSettings)
    """Synchronisation with the hub."""
    interface: InterfaceSettings = field(default_factory=InterfaceSettings)
    """The national interface over HTTP."""
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    """The proxy before the core platform."""
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    """Where devices reach this node."""
    faces: FaceSettings = field(default_factory=FaceSettings)
    """What is done with faces."""
    supervision: SupervisionSettings = field(default_factory=SupervisionSettings)
    """What is judged before and during the fact, and at night."""

    @property
    def judges_live(self) -> bool:
        """Whether 3101 and 3102 are judged: who answers none needs no live state."""
        return self.supervision.live and (self.interface.enabled or self.gateway.answer_own)


def node_directory(option: Path | None) -> Path:
    """State directory: the option, else `YIXIN_NODE_DIR`, else `./yixin-node`."""
    if option is not None:
        return option
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else DEFAULT_DIRECTORY


def settings_text(settings: NodeSettings) -> str:
    """Write settings as `node.toml` with a comment on each; signers and answers are left out."""
    shown = {table.name: _Shown(getattr(settings, table.name)) for table in fields(NodeSettings)}
    return _SETTINGS_TEXT.format(**shown)


class _Shown:
    """Gives the values of a table as TOML writes them."""

    def __init__(self, table: object) -> None:
        self._table = table

    def __getattr__(self, name: str) -> str:
        value = getattr(self._table, name)
        if isinstance(value, bool):
            return str(value).lower()
        return f'"{value}"' if isinstance(value, str) else str(value)


def load_settings(directory: Path) -> NodeSettings:
    """Read `node.toml`; defaults where it is absent.

    Raises:
        ConfigurationError: The file is too large, not TOML, or holds an unknown table, an
            unknown key, or a value of the wrong type or out of bounds.
    """
    path = directory / SETTINGS_FILE
    if not path.exists():
        return NodeSettings()
    with path.open("rb") as file:
        raw = file.read(MAX_SETTINGS_BYTES + 1)
    if len(raw) > MAX_SETTINGS_BYTES:
        raise ConfigurationError(
            f"{path} is longer than settings are, expected at most {MAX_SETTINGS_BYTES} bytes"
        )
    try:
        document = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, RecursionError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    _refuse_unknown(path, "", document, {item.name for item in fields(NodeSettings)})
    interface = dict(_table(path, "interface", document.get("interface", {})))
    signatures = _signatures(path, interface.pop("signatures", {}))
    supervision = dict(_table(path, "supervision", document.get("supervision", {})))
    answers = _answers(path, supervision.pop("answers", {}))
    return NodeSettings(
        supervision=_read(
            path, "supervision", supervision, SupervisionSettings(), {"answers": answers}
        ),
        sync=_read(path, "sync", document.get("sync", {}), SyncSettings()),
        interface=_read(
            path, "interface", interface, InterfaceSettings(), {"signatures": signatures}
        ),
        edge=_read(path, "edge", document.get("edge", {}), EdgeSettings()),
        faces=_read(path, "faces", document.get("faces", {}), FaceSettings()),
        gateway=_read(path, "gateway", document.get("gateway", {}), GatewaySettings()),
    )


def _table(path: Path, name: str, table: object) -> Mapping[str, object]:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: [{name}] must be a table")
    return table


def _read(
    path: Path,
    name: str,
    table: object,
    defaults: _Table,
    ready: Mapping[str, object] | None = None,
) -> _Table:
    """Read one table: every value must be of the type of its default."""
    values: dict[str, Any] = dict(ready or {})
    known = {item.name: getattr(defaults, item.name) for item in fields(defaults)}  # type: ignore[arg-type]  # a dataclass
    given = _table(path, name, table)
    _refuse_unknown(path, f"{name}.", given, set(known))
    for key, value in given.items():
        default = known[key]
        if isinstance(default, InterfaceMode):
            values[key] = _mode(path, f"{name}.{key}", value)
        elif type(value) is not type(default):
            words = {bool: "true or false", int: "a whole number", str: "a text"}
            raise ConfigurationError(f"{path}: {name}.{key} must be {words[type(default)]}")
        else:
            values[key] = value
    return type(defaults)(**values)


def _mode(path: Path, name: str, value: object) -> InterfaceMode:
    try:
        return InterfaceMode(str(value))
    except ValueError as error:
        raise ConfigurationError(
            f"{path}: {name} must be {InterfaceMode.STAND_ALONE} or {InterfaceMode.MIRROR}; "
            'for a proxy see [gateway] and "yixin node gateway"'
        ) from error


def _signatures(path: Path, table: object) -> Mapping[str, str]:
    name = "interface.signatures"
    signatures: dict[str, str] = {}
    for institution, value in _table(path, name, table).items():
        if not CODE_PATTERN.fullmatch(institution):
            raise ConfigurationError(
                f"{path}: {name} has {institution[:40]!r}, expected institution codes of H or P "
                "and eleven digits"
            )
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"{path}: {name}.{institution} must name a PEM file")
        signatures[institution] = value
    if len(signatures) > MAX_SIGNERS:
        raise ConfigurationError(f"{path}: {name} has more than {MAX_SIGNERS} institutions")
    return signatures


def _answers(path: Path, table: object) -> Mapping[str, str]:
    name = "supervision.answers"
    answers: dict[str, str] = {}
    for warning, value in _table(path, name, table).items():
        if not isinstance(value, str):
            raise ConfigurationError(f"{path}: {name}.{warning[:20]} must be a text")
        answers[warning] = value
    return answers


def _refuse_unknown(path: Path, prefix: str, table: Mapping[str, object], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigurationError(
            f"{path}: unknown key {prefix}{unknown[0]}; known are "
            + ", ".join(f"{prefix}{name}" for name in sorted(known))
        )
