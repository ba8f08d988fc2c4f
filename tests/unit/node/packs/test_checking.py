"""The golden vectors run in a process of their own, and the pack in force becomes a process'."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from node.packs.checking import check_apart
from node.packs.holding import holding_of
from security.packs.archive import write_archive
from security.packs.in_force import CURRENT, Current, Phase
from tests.support.hub_city import NOW
from tests.support.packs import broken_vector, edited_pack, pack, pack_file

if TYPE_CHECKING:
    from pathlib import Path


def kept(place: Path, content: bytes) -> Path:
    path = place / f"{hashlib.sha256(content).hexdigest()}.zip"
    path.write_bytes(content)
    return path


def test_a_sound_pack_passes_apart_and_a_broken_one_names_its_vector(tmp_path: Path) -> None:
    found = check_apart(kept(tmp_path, pack_file()))
    assert found.passed
    assert found.catalog == pack().catalog.digest.hex()
    assert (found.from_day, found.to_day, found.grace_days) == (20260101, 0, 30)
    found = check_apart(kept(tmp_path, broken_vector()))
    assert not found.passed
    assert set(found.failures) == {
        "scores-designated_retail_pharmacy numpy",
        "scores-designated_retail_pharmacy onnx",
    }


def test_what_is_no_pack_fails_apart(tmp_path: Path) -> None:
    for content in (b"", b"PK", write_archive({"pack.json": b"{}"})):
        found = check_apart(kept(tmp_path, content))
        assert not found.passed
        assert found.failures[0].startswith("open: pack:")
    path = kept(tmp_path, pack_file())
    path.write_bytes(b"changed")
    assert check_apart(path).failures == ("open: its file was changed",)


_CHILD = """
import sys
from pathlib import Path
from node.packs.holding import holding_of
from scoring_kernel.catalog_loader import load_catalog, read_changes
from scoring_kernel.packs import install_pack
from scoring_kernel.rules import load_rules
from security.errors import PackError
from security.packs.in_force import install_current
directory = Path(sys.argv[1])
if sys.argv[2] == "late":
    load_catalog()
try:
    for _ in range(2):
        install_current(holding_of(directory).directory, install_pack)
    print(load_catalog().digest.hex(), len(load_rules().rules), read_changes()[:6])
except PackError as error:
    print("refused:", error)
"""


def run(directory: Path, when: str) -> str:
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", _CHILD, str(directory), when],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_process_works_with_the_pack_in_force(tmp_path: Path) -> None:
    content, digest = edited_pack("models/supplier.yaml", b"# edited\n", b"edited")
    holding = holding_of(tmp_path)
    holding.files.mkdir(parents=True)
    path = kept(holding.files, content)
    current = Current(
        order=1,
        target="packs/2026.1.3.zip",
        digest=path.stem,
        catalog=digest,
        to_day=0,
        grace_days=30,
        since=NOW.isoformat(),
    )
    holding.switch(current)
    assert json.loads((holding.directory / CURRENT).read_bytes()) == asdict(current)
    assert run(tmp_path, "early").split()[0] == digest
    assert run(tmp_path, "early").split()[2] == "edited"
    assert "this process works with another catalogue" in run(tmp_path, "late")
    path.write_bytes(content[:-1] + b"x")
    assert "was changed after it was verified" in run(tmp_path, "early")
    assert holding.standing(NOW, "c0").phase is Phase.NOT_LOADED
