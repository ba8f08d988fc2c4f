"""People with faces: folders of pictures, pairs to calibrate with, and drawn vectors."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import SourceError
from edge_devices.simulators.world import DrawnFaces, FaceFolders, write_pairs

if TYPE_CHECKING:
    from pathlib import Path


def people(directory: Path) -> FaceFolders:
    for name in ("s10", "s2"):
        (directory / name).mkdir()
        for shot in ("10.pgm", "2.PNG", "notes.txt"):
            (directory / name / shot).write_bytes(b"P5")
    (directory / "README").write_bytes(b"")
    (directory / "empty").mkdir()
    return FaceFolders.read(directory)


def test_people_are_folders_with_pictures_by_number(tmp_path: Path) -> None:
    found = people(tmp_path)
    assert found.persons == ("s2", "s10")
    assert [path.name for path in found.pictures["s2"]] == ["2.PNG", "10.pgm"]


def test_pairs_are_all_pictures_of_the_people_named(tmp_path: Path) -> None:
    found = people(tmp_path)
    assert write_pairs(found, found.persons, tmp_path / "pairs.csv") == 6
    with (tmp_path / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["same"] for row in rows] == ["1", "0", "0", "0", "0", "1"]
    assert {(row["left_subject"], row["right_subject"]) for row in rows if row["same"] == "0"} == {
        ("s2", "s10")
    }


@pytest.mark.parametrize("name", ["", "none"])
def test_a_directory_without_people_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r"no folder with pictures|cannot be read"):
        FaceFolders.read(tmp_path / name)


def test_drawn_faces_are_the_same_each_time_and_like_nobody_else() -> None:
    faces, again = DrawnFaces(20, 128, seed=3), DrawnFaces(20, 128, seed=3)
    shots = np.stack([faces.picture(person, 1) for person in range(20)])
    assert np.array_equal(shots, np.stack([again.picture(person, 1) for person in range(20)]))
    assert np.allclose(np.linalg.norm(shots, axis=1), 1, atol=1e-6)
    likeness = shots @ faces.enrolled.T
    assert likeness.diagonal().min() > 0.7
    assert likeness[~np.eye(20, dtype=bool)].max() < 0.5
