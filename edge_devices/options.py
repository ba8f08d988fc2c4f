"""Options that many commands of a device share."""

from pathlib import Path
from typing import Annotated

import typer

from edge_devices.config import load_settings

__all__ = ["AsJson", "Directory", "Models", "models_directory"]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Directory = Annotated[
    Path,
    typer.Option("--dir", envvar="YIXIN_DEVICE_DIR", help="State directory of the device."),
]
Models = Annotated[
    Path | None,
    typer.Option(
        "--models",
        envvar="YIXIN_MODELS",
        help="Directory of models; else as device.toml says, else models/ in --dir.",
    ),
]


def models_directory(models: Path | None, directory: Path) -> Path:
    """Where models lie.

    Args:
        models: What ``--models`` or ``YIXIN_MODELS`` names.
        directory: State directory of the device; its ``device.toml`` may name another place.

    Raises:
        DeviceConfigurationError: ``device.toml`` is wrong.
    """
    if models is not None:
        return models
    return Path(load_settings(directory).models or directory / "models")
