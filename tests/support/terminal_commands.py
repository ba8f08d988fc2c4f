"""Commands of a terminal as its user runs them, with stand-in models and folders of pictures."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

from edge_devices.models import ModelStore
from tests.support.faces import png, stand_ins

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scoring_kernel.faces.arrays import Frame


async def yixin(*words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    """Run a command of a device: exit code, lines of JSON, what was said beside them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.cli",
        "device",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    lines = [json.loads(line) for line in out.splitlines()]
    return process.returncode or 0, lines, said.decode()


def install_stand_ins(directory: Path) -> Path:
    """A store with the stand-in models."""
    store = ModelStore(directory)
    for one in stand_ins():
        store.install(one.content, {one.manifest.sha256: one.manifest}, one.text)
    return directory


def folder(directory: Path, frames: Iterable[Frame]) -> Path:
    """A folder of pictures, in their order."""
    directory.mkdir()
    for number, frame in enumerate(frames):
        (directory / f"{number}.png").write_bytes(png(frame))
    return directory
