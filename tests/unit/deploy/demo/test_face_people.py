"""Models and people of the face demonstration are found, or one line says how to get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from deploy.demo import face_people
from deploy.demo.face_people import Faced, find_faces, link_pictures, write_empty_bed
from edge_devices.models import ModelStore
from edge_devices.simulators.world import FaceFolders
from tests.support.faces import stand_ins

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = 16


@pytest.fixture
def models(tmp_path: Path) -> Path:
    store = ModelStore(tmp_path / "models")
    for one in stand_ins():
        store.install(one.content, {one.manifest.sha256: one.manifest}, one.text)
    return tmp_path / "models"


def people(directory: Path, count: int = PEOPLE, side: int = 40) -> Path:
    for number in range(1, count + 1):
        (directory / f"s{number}").mkdir(parents=True)
        for shot in (1, 2, 3):
            picture = Image.fromarray(np.full((side, side), 10 * shot, np.uint8))
            picture.save(directory / f"s{number}" / f"{shot}.png")
    return directory


def test_with_models_and_people_everybody_has_a_part(models: Path, tmp_path: Path) -> None:
    faced = find_faces(models, people(tmp_path / "people"))
    assert isinstance(faced, Faced)
    assert faced.upscale == 4
    assert faced.fitted == tuple(f"s{number}" for number in range(1, 9))
    assert faced.who == ("s9", "s10", "s11")
    assert faced.impostor == "s16"
    shots = [[path.name for path in part("s9")] for part in (faced.enrolled, faced.shown)]
    assert shots == [["1.png"], ["2.png", "3.png"]]


def test_large_pictures_are_taken_as_they_are(models: Path, tmp_path: Path) -> None:
    faced = find_faces(models, people(tmp_path / "people", side=128))
    assert isinstance(faced, Faced)
    assert faced.upscale == 1


def test_without_models_or_people_one_line_says_how_to_get_them(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(face_people, "DEFAULT_FACES", tmp_path / "none")
    few = people(tmp_path / "few", count=5)
    spoilt = people(tmp_path / "spoilt")
    (spoilt / "s1" / "1.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    told = {
        find_faces(None, few): "`yixin device models install FILE --models DIR`, then `yixin demo",
        find_faces(tmp_path / "empty", few): "no detector model in",
        find_faces(models, None): "`yixin demo --faces DIR`, one folder of pictures a person",
        find_faces(models, tmp_path / "nowhere"): "cannot be read",
        find_faces(models, few): "holds 5 people, expected at least 14",
        find_faces(models, spoilt): "pictures that cannot be read",
    }
    for line, words in told.items():
        assert isinstance(line, str)
        assert line.startswith("faces: ")
        assert "\n" not in line
        assert words in line


def test_pictures_are_linked_and_an_empty_bed_is_a_scene(tmp_path: Path) -> None:
    folders = FaceFolders.read(people(tmp_path / "people", count=1))
    linked = link_pictures(folders.pictures["s1"], tmp_path / "linked")
    assert [path.name for path in sorted(linked.iterdir())] == ["0.png", "1.png", "2.png"]
    assert (linked / "0.png").read_bytes() == folders.pictures["s1"][0].read_bytes()
    for path in write_empty_bed(tmp_path / "bed").iterdir():
        with Image.open(path) as picture:
            grey = np.asarray(picture)
        assert grey.shape == (240, 320)
        assert grey.std() > 20
