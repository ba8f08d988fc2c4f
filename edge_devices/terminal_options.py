"""Options of the commands that look at people: which source, which node, which models."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edge_devices.errors import DeviceConfigurationError

__all__ = ["Embedding", "Gate", "Node", "Source", "Upscale", "given_settings"]

Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        metavar="SOURCE",
        help="camera, camera:N, rtsp://HOST/PATH, video:FILE or folder:DIR; else device.toml.",
    ),
]
Node = Annotated[
    str | None,
    typer.Option("--node", metavar="HOST:PORT", help="The node, where not as it named itself."),
]
Upscale = Annotated[
    int | None, typer.Option("--upscale", help="Pictures are made so many times larger, 1 to 8.")
]
Gate = Annotated[
    list[str] | None,
    typer.Option("--gate", metavar="NAME=off", help="Put off size, dark, pose or occlusion."),
]
Embedding = Annotated[
    str | None, typer.Option("--embedding", help="Id of the embedding model, where several are.")
]


def given_settings(  # noqa: PLR0917 - the options, in their order
    source: str | None,
    node: str | None,
    models: Path | None,
    embedding: str | None,
    gate: list[str] | None,
    upscale: int | None,
) -> dict[str, Any]:
    """Settings that a command was given; None: not given.

    Raises:
        DeviceConfigurationError: A source with a password, or a gate that there is not.
    """
    from edge_devices.calibration_options import gate_of  # noqa: PLC0415  # keeps `--help` fast

    if source and "@" in source and source.lower().startswith("rtsp"):
        raise DeviceConfigurationError(
            "--source: found an address with user and password, which everybody on this machine "
            "reads in the list of processes; write it into device.toml, mode 0600, as source"
        )
    return {
        "source": source,
        "node": node,
        "models": models and str(models),
        "embedding": embedding,
        "gate_off": tuple(sorted(gate_of(gate).off)) if gate else None,
        "upscale": upscale,
    }
