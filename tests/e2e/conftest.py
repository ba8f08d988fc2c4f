"""What the end-to-end tests share: real commands in processes of their own."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.processes import command_line, environment
from deploy.protos import REPOSITORY

SHARED = REPOSITORY.parent / "shared"


def yixin(*arguments: str, accepted: tuple[int, ...] = (0,)) -> str:
    """Run one command to its end; returns its standard output."""
    done = subprocess.run(  # noqa: S603  # This program, the test's own arguments.
        command_line(*arguments), capture_output=True, text=True, check=False, env=environment()
    )
    assert done.returncode in accepted, (
        f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def ask(*arguments: str, accepted: tuple[int, ...] = (0,)) -> dict[str, Any]:
    """Run one command with --json; returns the object it printed."""
    answer = json.loads(yixin(*arguments, "--json", accepted=accepted))
    assert isinstance(answer, dict)
    return answer


def processes_naming(text: str) -> list[int]:
    """Ids of the processes, other than this one, whose command line names a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:  # It ended meanwhile.
                continue
            if text.encode() in line:
                found.append(int(entry.name))
    return found


@pytest.fixture
def shared() -> Path:
    """The directory of facts and data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here: its data is not part of the project")
    return SHARED


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """State directory of a node that has not joined a hub."""
    directory = tmp_path / "node"
    yield directory
    assert processes_naming(str(directory)) == []
