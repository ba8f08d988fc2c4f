"""Commands of a terminal, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from deploy.cli import app

if TYPE_CHECKING:
    from pathlib import Path

PERSON_OPTIONS = ("--person", "P1", "--consent", "C1", "--operator", "wang")


@pytest.mark.parametrize(
    "command",
    [("face-terminal",), ("enrol-person", *PERSON_OPTIONS), ("identify", "--purpose", "test")],
)
@pytest.mark.parametrize(
    "address", ["rtsp://u:s3cret@h/x", "rtsp:rtsp://u:s3cret@h/x", "RTSPS://u@h"]
)
def test_a_password_is_not_taken_from_the_command_line(
    tmp_path: Path, command: tuple[str, ...], address: str
) -> None:
    done = CliRunner().invoke(
        app, ["device", *command, "--source", address, "--dir", str(tmp_path)]
    )
    assert done.exit_code == 3, done.output
    assert "device.toml" in done.output
    assert "s3cret" not in done.output
