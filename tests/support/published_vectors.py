"""Published vectors that lie beside this repository; nothing of them is copied into it."""

from __future__ import annotations

from pathlib import Path

import pytest

DIRECTORY = "shared/data/crypto"


def published(name: str) -> Path:
    """A file of published vectors; the test is skipped where it is absent."""
    beside = (parent / DIRECTORY / name for parent in Path(__file__).resolve().parents)
    path = next((path for path in beside if path.is_file()), None)
    if path is None:
        pytest.skip(f"{DIRECTORY}/{name} is not beside this repository")
    return path
