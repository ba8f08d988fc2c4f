"""The one command: it knows its rooms without importing them."""

import json
import subprocess
import sys
from importlib import import_module

import pytest
import typer
from typer.testing import CliRunner

from deploy import cli
from deploy.protos import REPOSITORY

HEAVY = ("grpc", "duckdb", "pyarrow", "sqlalchemy", "numpy", "node", "hub", "scoring_kernel")


def test_help_lists_every_room_and_imports_none() -> None:
    program = (
        "import json, sys\nfrom deploy.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"sys.stderr.write(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    done = subprocess.run(  # noqa: S603  # This interpreter, a fixed program.
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stderr) == []
    assert all(name in done.stdout for name in cli.MOUNTS)


@pytest.mark.parametrize("name", cli.MOUNTS)
def test_every_room_has_an_application_that_answers(name: str) -> None:
    assert isinstance(import_module(cli.MOUNTS[name].module).app, typer.Typer)
    done = CliRunner().invoke(cli.app, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage" in done.output


def test_an_unknown_room_is_a_usage_error() -> None:
    done = CliRunner().invoke(cli.app, ["nodes"])
    assert done.exit_code == 2
    assert "nodes" in done.output


def test_the_version_is_the_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"9.9-{name}")
    done = CliRunner().invoke(cli.app, ["--version"])
    assert done.exit_code == 0
    assert done.output.strip() == "yixin 9.9-yixin"
