"""``yixin model pack|keys|root|publish|sign|release``, as their holders run them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from deploy.model.cli import app
from deploy.model.packing import make_pack
from scoring_kernel.catalog_loader import load_catalog, read_catalog_files
from security.progress import no_progress
from tests.support.packs import CARD_OF_TESTS, broken_vector, pack_file

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()
HOLDERS = {"ada": "root", "bo": "root", "cy": "root", "business": "targets"}
HOLDERS |= {"security": "targets", "desk": "online"}
PACK = 46


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk with all six keys and a root that two of three signed."""
    monkeypatch.chdir(tmp_path)
    for name, role in HOLDERS.items():
        run("keys", "new", "--role", role, name)
    run("root", "init", "repo", *public())
    run("root", "sign", "repo", "--key", "ada.key")
    assert run("root", "sign", "repo", "--key", "bo.key")["holds"]
    return tmp_path


def public() -> list[str]:
    found = []
    for name, role in HOLDERS.items():
        found += [f"--{role}", f"{name}.key.pub"]
    return found


def run(*arguments: str, exit_code: int = 0) -> dict[str, Any]:
    done = RUNNER.invoke(app, [*arguments, "--json"])
    assert done.exit_code == exit_code, done.output
    found = json.loads(done.stdout) if done.stdout.strip() else {}
    assert isinstance(found, dict)
    return found


def test_a_pack_is_released_by_three_people(desk: Path) -> None:
    (desk / "P.zip").write_bytes(pack_file())
    run("release", "repo", "--key", "desk.key", exit_code=PACK)
    published = run("publish", "P.zip", "--repository", "repo", "--key", "business.key")
    assert (published["signatures"], published["holds"], published["models"]) == (1, False, 9)
    run("sign", "repo", "--key", "business.key", exit_code=PACK)
    run("sign", "repo", "--key", "desk.key", exit_code=PACK)
    assert run("sign", "repo", "--key", "security.key")["packs"] == ["packs/2026.1.1.zip"]
    assert run("release", "repo", "--key", "desk.key") == {
        "snapshot": 1,
        "targets": 1,
        "timestamp": 1,
    }
    for option in (("--from", "2026-12-01"), ("--version", "2026.1.1"), ("--hub", ".")):
        run("release", "repo", "--key", "desk.key", *option, exit_code=PACK)
    run("root", "init", "repo", *public(), exit_code=PACK)
    assert run("root", "rotate", "repo", *public())["version"] == 2


def test_a_pack_that_computes_otherwise_is_not_published(desk: Path) -> None:
    (desk / "P.zip").write_bytes(broken_vector())
    run("publish", "P.zip", "--repository", "repo", "--key", "business.key", exit_code=PACK)
    (desk / "P.zip").write_bytes(b"no pack")
    run("publish", "P.zip", "--repository", "repo", "--key", "business.key", exit_code=PACK)
    assert not list((desk / "repo" / "staged").glob("*targets*"))


def test_what_cannot_be_is_refused_before_work(desk: Path) -> None:
    run("keys", "new", "--role", "king", "eve", exit_code=PACK)
    run("pack", "--out", "P.txt", exit_code=6)
    run("pack", "--out", "P.zip", "--from", "soon", exit_code=PACK)
    run("root", "sign", "nowhere", "--key", "ada.key", exit_code=PACK)
    twice = [text.replace("security.key.pub", "business.key.pub") for text in public()]
    run("root", "rotate", "repo", *twice, exit_code=PACK)
    assert not list((desk / "repo" / "staged").iterdir())


def test_a_pack_of_an_edited_catalogue(tmp_path: Path) -> None:
    folder = tmp_path / "catalog"
    for name, content in read_catalog_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    supplier = folder / "models" / "supplier.yaml"
    supplier.write_bytes(supplier.read_bytes() + b"# edited\n")
    told = make_pack(folder, CARD_OF_TESTS, tmp_path / "P.zip", no_progress)
    assert told["catalog"] != load_catalog().digest.hex()
    assert told["vectors"] == 34
