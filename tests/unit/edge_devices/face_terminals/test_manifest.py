"""The list of what the driver does is true, and what it does not do has a reason."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import edge_devices.face_terminals

MANIFEST = Path(edge_devices.face_terminals.__file__).with_name("manifest.toml")


def test_what_is_done_has_its_module_and_what_is_not_its_reason() -> None:
    told = tomllib.loads(MANIFEST.read_text("utf-8"))
    assert set(told) == {"owner", "model", "transport", "done", "exempt"}
    assert {"codec", "driver", "diagnostics"} <= set(told["done"])
    for module in told["done"].values():
        assert importlib.import_module(f"edge_devices.face_terminals.{module}").__all__
    assert all(len(reason) > 5 for reason in told["exempt"].values())
