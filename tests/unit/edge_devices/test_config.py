"""Settings of a terminal: the example, the bounds, and that nothing of an address is quoted."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from edge_devices.config import DeviceSettings, load_settings
from edge_devices.errors import DeviceConfigurationError

EXAMPLE = Path(__file__).parents[3] / "deploy" / "examples" / "device.example.toml"


def written(directory: Path, text: str) -> DeviceSettings:
    (directory / "device.toml").write_text(text)
    return load_settings(directory)


def test_the_example_names_every_key_with_its_default(tmp_path: Path) -> None:
    values = tomllib.loads(EXAMPLE.read_text())
    values["gate_off"] = tuple(values["gate_off"])
    assert values == asdict(DeviceSettings())
    assert written(tmp_path, EXAMPLE.read_text()) == DeviceSettings()
    assert load_settings(tmp_path / "gone") == DeviceSettings()


def test_values_are_taken(tmp_path: Path) -> None:
    found = written(
        tmp_path, 'source = "camera:1"\npace = 5\ngate_off = ["size"]\nnode = "n.example:9443"'
    )
    assert (found.source, found.pace, found.node) == ("camera:1", 5.0, "n.example:9443")
    assert found.gate.off == {"size"}


@pytest.mark.parametrize(
    "text",
    [
        "sauce = 1",
        "source = 1",
        'source = "' + "x" * 2000 + '"',
        "pace = 61",
        "pace = true",
        "upscale = 0",
        "upscale = 1.5",
        "attempts = 11",
        'gate_off = "size"',
        'gate_off = ["shape"]',
        "gate_off = [1]",
        'node = "n.example"',
        'node = ":9443"',
        'node = "n:x"',
        'source = "rtsp://u:s3cret@h/"\nbroken',
        "x" * 70_000,
    ],
)
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DeviceConfigurationError) as caught:
        written(tmp_path, text)
    assert "s3cret" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "device.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DeviceConfigurationError, match="UTF-8"):
        load_settings(tmp_path)
    (tmp_path / "device.toml").unlink()
    (tmp_path / "device.toml").mkdir()
    with pytest.raises(DeviceConfigurationError, match="cannot be read"):
        load_settings(tmp_path)


def test_a_stream_is_not_shown_by_the_settings(tmp_path: Path) -> None:
    assert "s3cret" not in repr(written(tmp_path, 'source = "rtsp://u:s3cret@h/"'))
