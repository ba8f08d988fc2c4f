"""Settings of a terminal: ``device.toml`` in its directory, every key of which may be left out.

Unknown keys are refused, every bound is checked on load, and nothing else reads settings. Options
of a command come before the file. Paths in it are relative to the directory.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.sources.port import MAX_PACE, MAX_UPSCALE
from scoring_kernel.faces.quality import GateGroup, QualityGate

__all__ = [
    "DEFAULT_DIRECTORY",
    "DEVICE_KEY",
    "LOCK_FILE",
    "SETTINGS_FILE",
    "DeviceSettings",
    "load_settings",
]

DEFAULT_DIRECTORY: Final = Path("yixin-device")
SETTINGS_FILE: Final = "device.toml"
DEVICE_KEY: Final = "device.key"
"""Key that seals queue and cache, in the device's directory."""
LOCK_FILE: Final = "device.lock"
MAX_SETTINGS_BYTES: Final = 64 * 1024
MAX_ATTEMPTS: Final = 10
_MAX_TEXT: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """The keys of `device.toml`."""

    source: str = field(default="", repr=False)
    """Where pictures come from: camera:N, rtsp://HOST/PATH, video:FILE or folder:DIR."""
    pace: float = 0.0
    """Frames per second at which a video or folder plays, 0 to 60; 0: each frame when asked."""
    upscale: int = 1
    """How much larger pictures are made, 1 to 8; for old pictures of few pixels."""
    node: str = ""
    """host:port of the node's EdgeIntake; empty: as the node named it at enrolment."""
    models: str = ""
    """Directory of models; empty for ``models`` in the device's directory."""
    embedding: str = ""
    """Id of the embedding model; empty where one is installed."""
    gate_off: tuple[str, ...] = ()
    """Groups of the quality gate that are put off: size, dark, pose, occlusion."""
    attempts: int = 0
    """Frames that are compared at most, 0 to 10; 0: as the node says."""

    def __post_init__(self) -> None:
        _refuse_outside("pace", self.pace, 0, MAX_PACE)
        _refuse_outside("upscale", self.upscale, 1, MAX_UPSCALE)
        _refuse_outside("attempts", self.attempts, 0, MAX_ATTEMPTS)
        unknown = sorted(set(self.gate_off) - set(GateGroup))
        if unknown:
            raise DeviceConfigurationError(
                f"gate_off names {len(unknown)} groups that are none, expected some of "
                f"{', '.join(GateGroup)}"
            )
        host, colon, port = self.node.rpartition(":")
        if self.node and not (host and colon and port.isascii() and port.isdigit()):
            raise DeviceConfigurationError("node: expected HOST:PORT, for example 10.1.2.3:9443")

    @property
    def gate(self) -> QualityGate:
        """The quality gate, without what is put off."""
        return QualityGate().without(*self.gate_off)


def load_settings(directory: Path) -> DeviceSettings:
    """Read the settings of a terminal.

    Args:
        directory: Its directory.

    Returns:
        The settings; the defaults where there is no file.

    Raises:
        DeviceConfigurationError: The file cannot be read, or a key or value is wrong.
    """
    path = directory / SETTINGS_FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SETTINGS_BYTES + 1)
    except FileNotFoundError:
        return DeviceSettings()
    except OSError as error:
        raise DeviceConfigurationError(f"{path} cannot be read ({error.strerror})") from error
    if len(content) > MAX_SETTINGS_BYTES:
        raise DeviceConfigurationError(f"{path} is longer than {MAX_SETTINGS_BYTES} bytes")
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # The parser's message names line and column; it may not quote an address.
        raise DeviceConfigurationError(f"{path} is no TOML in UTF-8; correct it") from error
    settings = DeviceSettings(**_values(values, path))
    if not settings.models:
        return settings
    return replace(settings, models=str(directory / settings.models))


def _values(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    known = {one.name: one.default for one in fields(DeviceSettings)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise DeviceConfigurationError(
            f"{path}: unknown key {unknown[0][:40]!r}, expected some of {', '.join(known)}"
        )
    return {name: _typed(name, value, known[name], path) for name, value in values.items()}


def _typed(name: str, value: object, default: object, path: Path) -> object:
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if isinstance(default, tuple):
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise DeviceConfigurationError(f"{path}: {name}: expected a list of texts")
    if type(value) is not type(default) or (isinstance(value, str) and len(value) > _MAX_TEXT):
        raise DeviceConfigurationError(f"{path}: {name}: expected {type(default).__name__}")
    return value


def _refuse_outside(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise DeviceConfigurationError(f"{name} is {value}, expected {least} to {most}")
