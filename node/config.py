"""Settings of a node: `node.toml` in its state directory.

Unknown keys are refused, every bound is checked on load, and nothing else reads settings.
"""

import os
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final

from node.errors import ConfigurationError

DIRECTORY_VARIABLE: Final = "YIXIN_NODE_DIR"
"""Environment variable with the node's state directory."""
DEFAULT_DIRECTORY: Final = Path("yixin-node")
CONTROL_SOCKET: Final = "control.sock"
"""Socket of the daemon, in the state directory."""
SETTINGS_FILE: Final = "node.toml"
LOCK_FILE: Final = "node.lock"
"""Writer lock, in the state directory."""
MAX_SETTINGS_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """Table `[sync]`."""

    interval_s: int = 300
    """Seconds between two synchronisations of the daemon, 5 to 86400."""

    def __post_init__(self) -> None:
        if not 5 <= self.interval_s <= 86_400:
            raise ConfigurationError(
                f"sync.interval_s is {self.interval_s}, expected 5 to 86400 seconds; "
                f"correct it in {SETTINGS_FILE}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """The whole of `node.toml`."""

    sync: SyncSettings = field(default_factory=SyncSettings)
    """Synchronisation with the hub."""


def node_directory(option: Path | None) -> Path:
    """State directory: the option, else `YIXIN_NODE_DIR`, else `./yixin-node`."""
    if option is not None:
        return option
    named = os.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else DEFAULT_DIRECTORY


def load_settings(directory: Path) -> NodeSettings:
    """Read `node.toml`; defaults where it is absent.

    Raises:
        ConfigurationError: The file is too large, not TOML, or holds an unknown table, an
            unknown key, or a value of the wrong type or out of bounds.
    """
    path = directory / SETTINGS_FILE
    if not path.exists():
        return NodeSettings()
    raw = path.read_bytes()
    if len(raw) > MAX_SETTINGS_BYTES:
        raise ConfigurationError(f"{path} has {len(raw)} bytes, at most {MAX_SETTINGS_BYTES}")
    try:
        document = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    _refuse_unknown(path, "", document, {item.name for item in fields(NodeSettings)})
    return NodeSettings(sync=_sync_settings(path, document.get("sync", {})))


def _sync_settings(path: Path, table: object) -> SyncSettings:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: [sync] must be a table")
    _refuse_unknown(path, "sync.", table, {item.name for item in fields(SyncSettings)})
    interval = table.get("interval_s", SyncSettings().interval_s)
    if isinstance(interval, bool) or not isinstance(interval, int):
        raise ConfigurationError(f"{path}: sync.interval_s must be a whole number of seconds")
    return SyncSettings(interval_s=interval)


def _refuse_unknown(path: Path, prefix: str, table: dict[str, object], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ConfigurationError(
            f"{path}: unknown key {prefix}{unknown[0]}; known are "
            + ", ".join(f"{prefix}{name}" for name in sorted(known))
        )
