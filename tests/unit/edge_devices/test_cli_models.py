"""``yixin device models``: what is said, and with which exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from edge_devices.cli import app
from tests.support.faces import SHARED, embedding, liveness, needs_shared_faces

if TYPE_CHECKING:
    from pathlib import Path

REAL = {
    "face_detection_yunet_2023mar.onnx": ("face_detection_yunet_2023mar", "unrestricted"),
    "mobilefacenet_foamliu_128d.onnx": ("mobilefacenet_foamliu_128d", "unrestricted"),
    "AntiSpoofing_print-replay_1.5_128.onnx": ("antispoofing_print_replay_1.5_128", "research"),
}


def told(place: Path, *arguments: str) -> Result:
    command = ["models", *arguments, "--models", str(place / "models")]
    return CliRunner().invoke(app, command, env={"COLUMNS": "150"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A model's file with its manifest beside it."""
    for model in (embedding(), liveness()):
        (tmp_path / f"{model.name}.onnx").write_bytes(model.content)
        (tmp_path / f"{model.name}.yaml").write_text(model.text, encoding="utf-8")
    return tmp_path / f"{embedding().name}.onnx"


def test_an_own_model_is_installed_listed_and_verified(tmp_path: Path, file: Path) -> None:
    done = told(tmp_path, "install", str(file), "--manifest", str(file.with_suffix(".yaml")))
    assert done.exit_code == 0, done.output
    assert "embedding projection_128d installed in" in done.stdout
    assert "Licence: MIT (made for tests); no restriction is known." in done.stdout
    listed = json.loads(told(tmp_path, "list", "--json").stdout)["models"]
    assert listed == [
        {
            "id": "projection_128d",
            "kind": "embedding",
            "sha256": embedding().manifest.sha256,
            "bytes": len(embedding().content),
            "licence": "MIT",
            "licence_of": "made for tests",
            "use": "unrestricted",
            "own_manifest": True,
            "default_threshold_e4": 6_000,
            "verified": True,
        }
    ]
    assert embedding().manifest.sha256[:12] in told(tmp_path, "list").stdout
    assert told(tmp_path, "verify").stdout == "1 models verified.\n"


def test_a_model_for_research_says_so_when_it_is_installed(tmp_path: Path, file: Path) -> None:
    path = file.with_name("paper_is_red.onnx")
    done = told(tmp_path, "install", str(path), "--manifest", str(path.with_suffix(".yaml")))
    assert "for research: have its use in service allowed" in done.stdout


def test_a_damaged_file_of_the_store_is_exit_code_57(tmp_path: Path, file: Path) -> None:
    told(tmp_path, "install", str(file), "--manifest", str(file.with_suffix(".yaml")))
    kept = tmp_path / "models" / f"{embedding().manifest.sha256}.onnx"
    kept.write_bytes(kept.read_bytes()[:-1] + b"\x00")
    done = told(tmp_path, "verify")
    assert done.exit_code == 57
    assert "1 of the store's files are not sound" in done.stderr
    assert "NO" in told(tmp_path, "list").stdout
    assert json.loads(told(tmp_path, "list", "--json").stdout)["models"][0]["verified"] is False


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("absent.onnx", 57, "cannot be read: No such file"),
        ("http://files.example/m.onnx", 3, "an address that begins with https://"),
        ("projection_128d.yaml", 57, "found SHA-256"),
    ],
)
def test_what_cannot_be_installed(
    tmp_path: Path, file: Path, source: str, code: int, words: str
) -> None:
    done = told(tmp_path, "install", source if "://" in source else str(file.with_name(source)))
    assert done.exit_code == code, done.output
    assert words in done.stderr


def test_an_empty_store_is_listed_with_the_way_to_fill_it(tmp_path: Path) -> None:
    done = told(tmp_path, "list")
    assert done.exit_code == 0
    assert "Install one: yixin device models install FILE|URL" in done.stdout
    assert told(tmp_path, "verify").exit_code == 57


@pytest.mark.parametrize("named", [None, "elsewhere", "/absolute"])
def test_models_lie_where_the_settings_of_the_device_say(tmp_path: Path, named: str | None) -> None:
    if named is not None:
        (tmp_path / "device.toml").write_text(f'models = "{named}"\n')
    command = ["models", "list", "--json", "--dir", str(tmp_path)]
    done = CliRunner().invoke(app, command, env={"YIXIN_MODELS": None})
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["directory"] == str(tmp_path / (named or "models"))


@needs_shared_faces
def test_the_real_models_are_known_by_their_digests(tmp_path: Path) -> None:
    for name, (model, use) in REAL.items():
        done = told(tmp_path, "install", str(SHARED / name), "--json")
        assert done.exit_code == 0, done.output
        made = json.loads(done.stdout)
        assert (made["id"], made["use"], made["own_manifest"]) == (model, use, False)
        flipped = bytearray((SHARED / name).read_bytes())
        flipped[len(flipped) // 2] ^= 1
        (tmp_path / name).write_bytes(flipped)
        refused = told(tmp_path, "install", str(tmp_path / name))
        assert refused.exit_code == 57
        assert "found SHA-256" in refused.stderr
    assert json.loads(told(tmp_path, "verify", "--json").stdout)["verified"] == 3
