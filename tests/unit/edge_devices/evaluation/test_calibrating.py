"""From a table of pairs to a calibration, with stand-in models and people."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import DeviceConfigurationError
from edge_devices.evaluation import calibrating
from edge_devices.evaluation.calibrating import Calibrated, Fitting, calibrate_table
from edge_devices.evaluation.det_plot import draw_det, lines_of
from edge_devices.models import ModelStore, open_pipeline
from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces.calibration import Calibration
from scoring_kernel.faces.matching import score_e4
from scoring_kernel.faces.opencv import cv2
from scoring_kernel.faces.quality import QualityGate
from tests.support.faces import embedding, picture, png
from tests.support.known_people import PAIRED, pair_lines, store_at, write_people

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
FITTING = Fitting(
    site="H33030200001",
    far_e6=10_000,
    embedding=None,
    gate=QualityGate(),
    upscale=1,
    rounds=200,
    seed=1,
    confidence_e4=9_500,
    cautious=True,
)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("known") / "people", PAIRED).parent


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    return store_at(tmp_path_factory.mktemp("models"))


def calibrated(
    folder: Path, store: ModelStore, lines: list[str], fitting: Fitting = FITTING
) -> Calibrated:
    table = folder / "pairs.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told: list[tuple[str, int, int]] = []

    def progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        assert unit
        told.append((stage, done, total))

    made = calibrate_table(table, store, fitting, now=NOW, release="0.1.0", progress=progress)
    rounds = made.calibration.result.rounds
    assert told[-1:] == [("drawing subjects", 2 * rounds, 400)][: bool(rounds)] or not rounds
    assert (("examining", made.pictures, made.pictures) in told) == bool(made.pictures)
    return made


def test_a_table_of_pictures_gives_the_scores_of_the_pipeline(
    people: Path, store: ModelStore
) -> None:
    made = calibrated(people, store, pair_lines())
    calibration, joined = made.calibration, open_pipeline(store, gate=QualityGate())
    assert made.pictures == 33
    assert calibration.model.hex() == embedding().manifest.sha256
    assert calibration.pipeline == joined.digest
    assert calibration.source == hashlib.sha256((people / "pairs.csv").read_bytes()).digest()
    assert (calibration.gated, calibration.upscale) == ({}, 1)
    assert calibration.result.subjects == PAIRED
    vectors = [joined.examine(picture(1, shot, noise=200.0)).verify_face() for shot in (1, 2)]
    assert made.scores.e4[0] == score_e4(*vectors)
    assert Calibration.from_json(calibration.to_json()) == calibration
    again = calibrated(people, store, pair_lines())
    assert again.calibration.digest == calibration.digest


def test_pairs_with_unfit_pictures_are_left_out_and_counted(
    people: Path, store: ModelStore
) -> None:
    (people / "people" / "s1" / "black.png").write_bytes(png(np.zeros((320, 320, 3), np.uint8)))
    small = cv2.resize(picture(1), (80, 80))
    (people / "people" / "s1" / "small.png").write_bytes(png(np.asarray(small, np.uint8)))
    lines = [
        *pair_lines(),
        "people/s1/black.png,people/s1/1.png,1,p1,p1,",
        "people/s1/2.png,people/s1/black.png,1,p1,p1,",
        "people/s1/small.png,people/s2/1.png,0,p1,p2,",
    ]
    made = calibrated(people, store, lines)
    assert made.calibration.gated == {"no_face": 2, "too_small": 1}
    assert len(made.scores.e4) == len(pair_lines()) - 1


def test_too_few_pairs_because_of_the_gate_say_so(tmp_path: Path, store: ModelStore) -> None:
    people = write_people(tmp_path / "people", PAIRED)
    black = png(np.zeros((320, 320, 3), np.uint8))
    for subject in (1, 2):
        for shot in (1, 2):
            (people / f"s{subject}" / f"{shot}.png").write_bytes(black)
    words = r"found 27 usable pairs of one person.* Pairs left out by the gate: no_face [0-9]+$"
    with pytest.raises(CalibrationError, match=words):
        calibrated(tmp_path, store, pair_lines())


def test_scores_from_elsewhere_need_no_pictures(tmp_path: Path, store: ModelStore) -> None:
    lines = ["score,same", *(f"0.{number:03d},1" for number in range(600, 640))]
    lines += [f"0.{number:03d},0" for number in range(500)]
    made = calibrated(tmp_path, store, lines)
    assert made.calibration.pipeline is None
    assert (made.pictures, made.calibration.upscale) == (0, 1)
    assert made.calibration.result.point.threshold_e4 == 4_941
    assert made.manifest == embedding().manifest


def test_too_few_pairs_are_told_before_pictures_are_examined(
    people: Path, store: ModelStore
) -> None:
    with pytest.raises(CalibrationError, match=r"expected at least 30000 .* larger rate$"):
        calibrated(people, store, pair_lines(), replace(FITTING, far_e6=100))


def test_scores_that_no_threshold_parts_are_refused(tmp_path: Path, store: ModelStore) -> None:
    lines = ["score,same", *["0.5,1"] * 30, *["1,0"] * 300]
    with pytest.raises(CalibrationError, match=r"^no threshold reaches .* larger rate$"):
        calibrated(tmp_path, store, lines)


def test_the_point_may_be_in_force_and_pictures_enlarged(people: Path, store: ModelStore) -> None:
    fitting = replace(FITTING, cautious=False, upscale=2)
    made = calibrated(people, store, pair_lines(labelled=False), fitting)
    calibration = made.calibration
    assert calibration.threshold_e4 == calibration.result.point.threshold_e4
    assert (calibration.upscale, calibration.result.subjects) == (2, None)
    with pytest.raises(DeviceConfigurationError, match="found 9, expected 1 to 8"):
        calibrated(people, store, pair_lines(), replace(FITTING, upscale=9))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.png", None, "no such file"),
        ("a" * 300 + ".png", None, "cannot be read: File name too long"),
        ("junk.png", b"junk", "found no whole picture"),
        ("cut.png", png(picture(1))[:1000], "found no whole picture"),
        ("folder.png", ..., "no such file"),
    ],
)
def test_a_picture_that_cannot_be_read_names_the_line(
    people: Path, store: ModelStore, name: str, content: bytes | None, words: str
) -> None:
    path = people / "people" / "s2" / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is ...:
        path.mkdir(exist_ok=True)
    lines = pair_lines()
    lines.insert(5, f"people/s2/{name},people/s2/1.png,1,p2,p2,")
    with pytest.raises(CalibrationError, match=rf"^pairs.csv:6: a picture: .*{words}") as caught:
        calibrated(people, store, lines)
    assert "s2" not in str(caught.value)


def test_a_table_that_is_not_there_or_too_large_is_refused(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def progress(stage: str, done: int, total: int = 0, unit: str = "") -> None:
        assert (stage, done, total, unit) == ("reading", 0, 0, "pairs")

    table = tmp_path / "pairs.csv"
    with pytest.raises(CalibrationError, match=r"pairs\.csv: no such file"):
        calibrate_table(table, store, FITTING, now=NOW, release="1", progress=progress)
    table.write_bytes(b"left,right,same\n")
    monkeypatch.setattr(calibrating, "MAX_TABLE_BYTES", 3)
    with pytest.raises(CalibrationError, match=r"pairs\.csv: more than 3 bytes"):
        calibrate_table(table, store, FITTING, now=NOW, release="1", progress=progress)


def test_a_plot_draws_groups_by_name_or_place(people: Path, store: ModelStore) -> None:
    lines = pair_lines()
    header, rows = lines[0], lines[1:]
    named = [
        row if row.endswith("男") else row + ("$5_{" if number % 2 else "")
        for number, row in enumerate(rows)
    ]
    made = calibrated(people, store, [header, *named])
    groups = made.calibration.result.groups
    drawn = lines_of(made.scores, groups)
    assert [name.split(" (")[0] for name in drawn] == [
        "all pairs",
        r"group \$5_{",
        "group 2 of the table",
    ]
    content = draw_det(drawn, made.calibration.result, cautious=True, title="DET")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (1_200, 1_200, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 50
