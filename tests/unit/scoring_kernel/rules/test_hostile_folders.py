"""A folder of rules that somebody names may hold anything: it is refused, bounded, and told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from scoring_kernel.catalog_loader import MAX_FILES, load_catalog
from scoring_kernel.errors import CatalogError
from scoring_kernel.rules import load_rules
from scoring_kernel.strict_yaml import MAX_BYTES

TABLE: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "cases" / "malformed_rules.yaml").read_text(encoding="utf-8")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one sound book."""
    for name, text in TABLE["bases"].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def refused(folder: Path) -> CatalogError:
    with pytest.raises(CatalogError) as caught:
        load_rules(load_catalog(), folder)
    return caught.value


def test_the_folder_is_sound(folder: Path) -> None:
    assert sorted(load_rules(load_catalog(), folder).rules) == ["M01", "W01"]


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "rules" / "M02.yaml")
    error = refused(folder)
    assert (error.file, error.problem) == (
        "rules/M02.yaml",
        "found neither a file nor a folder: remove it",
    )


def test_a_device_is_not_read(folder: Path) -> None:
    (folder / "rules" / "M02.yaml").symlink_to("/dev/zero")
    assert "neither a file nor a folder" in refused(folder).problem


def test_a_link_to_nothing_is_told(folder: Path) -> None:
    (folder / "rules" / "M02.yaml").symlink_to(folder / "nowhere")
    assert refused(folder).file == "rules/M02.yaml"


def test_a_link_upwards_ends(folder: Path) -> None:
    (folder / "rules" / "up").symlink_to("..")
    assert "folders within each other" in refused(folder).problem


@pytest.mark.parametrize("name", ["rules/M02.yaml", "knowledge/k_hours.csv", "else.bin"])
def test_a_file_without_end_is_not_read_to_it(folder: Path, name: str) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(1 << 40)
    error = refused(folder)
    assert (error.file, error.line) == (name, 0)
    assert f"more than {MAX_BYTES} bytes" in error.problem


def test_very_many_files_are_not_read(folder: Path) -> None:
    for number in range(MAX_FILES):
        (folder / "rules" / f"x{number}.yaml").touch()
    assert f"at most {MAX_FILES}" in refused(folder).problem


@pytest.mark.parametrize("name", [b"rules/M\xff.yaml", b"knowledge/k_\xff.csv"])
def test_a_name_that_is_no_text_is_refused(folder: Path, name: bytes) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"x\n")
    assert "\\udcff" in ascii(refused(folder).file)
    str(refused(folder)).encode("ascii", "backslashreplace")


def test_a_password_file_in_the_place_of_a_rule_is_not_shown(folder: Path) -> None:
    (folder / "rules" / "M02.yaml").symlink_to("/etc/passwd")
    assert "root" not in str(refused(folder))
