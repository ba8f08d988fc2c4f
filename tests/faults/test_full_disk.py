"""A disk that fills up: a clear refusal, nothing lost, and the same command goes on afterwards."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy.demo.processes import command_line, environment
from deploy.simulation.simulate import Order, simulate
from node.store import NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault
from tests.e2e.conftest import ask, yixin

SIZE: Final = 24 * 1024 * 1024
STORE_EXIT: Final = 8


def _quiet(_what: str, _done: int, _total: int) -> None:
    """Report no progress."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    directory = tmp_path / "disk"
    directory.mkdir()
    if mount is None or umount is None or os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root and mount(8)")
    done = subprocess.run(  # noqa: S603  # Fixed program, fixed arguments.
        [mount, "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run([umount, str(directory)], check=True)  # noqa: S603  # As above.


def _digest(home: Path) -> str:
    with NodeStore(home, Vault.load(home / "node.key"), catalog=load_catalog()) as store:
        return store.digest()


def test_a_full_disk_loses_nothing_and_the_ingest_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    simulate(Order(institutions=4, claims=800, seed=5), tmp_path / "city", _quiet)
    messages = sorted((tmp_path / "city").glob("messages/*/*.jsonl"))
    whole = tmp_path / "all.jsonl"
    whole.write_bytes(b"".join(path.read_bytes() for path in messages))
    with (tmp_path / "city" / "institutions.csv").open(encoding="utf-8") as register:
        codes = [line.split(",")[0] for line in register.readlines()[1:]]
    named = [part for code in codes for part in ("--institution", code)]
    homes = [tmp_path / "roomy", small_disk / "node"]
    for home in homes:
        yixin("node", "init", "--dir", str(home), *named)
    wanted = ask("node", "ingest", str(whole), "--dir", str(homes[0]))
    assert wanted["quarantined"] == 0

    ballast = small_disk / "ballast"
    refused = 0
    for left_kib in (64, 512, 3072):
        free = shutil.disk_usage(small_disk).free
        ballast.write_bytes(bytes(max(0, free - left_kib * 1024)))
        done = subprocess.run(  # noqa: S603  # This program, the test's own arguments.
            command_line("node", "ingest", str(whole), "--dir", str(homes[1])),
            capture_output=True,
            text=True,
            check=False,
            env=environment(),
        )
        ballast.unlink()
        if done.returncode:
            refused += 1
            assert done.returncode == STORE_EXIT, done.stderr
            assert "disk" in done.stderr
            assert "Traceback" not in done.stderr
    assert refused >= 2
    taken = ask("node", "ingest", str(whole), "--dir", str(homes[1]))
    assert taken["messages_in"] == wanted["messages_in"]
    assert taken["quarantined"] == 0
    assert _digest(homes[1]) == _digest(homes[0])
