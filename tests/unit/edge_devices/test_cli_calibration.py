"""``yixin device calibrate`` and ``evaluate``: what they print, write and refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from edge_devices.cli import app
from edge_devices.evaluation import known_faces
from scoring_kernel.faces.calibration import Calibration
from tests.support.faces import embedding
from tests.support.known_people import pair_lines, store_at, write_people

if TYPE_CHECKING:
    from pathlib import Path

SITE = ("--site", "H33030200001")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People, a table of their pairs, and models."""
    made = tmp_path_factory.mktemp("place")
    write_people(made / "people")
    (made / "pairs.csv").write_text("\n".join(pair_lines()) + "\n", encoding="utf-8")
    store_at(made / "device" / "models")
    return made


def told(place: Path, *arguments: str, columns: str = "100") -> Result:
    command = [*arguments, "--dir", str(place / "device")]
    return CliRunner().invoke(app, command, env={"COLUMNS": columns, "YIXIN_MODELS": None})


def calibrate(place: Path, *options: str) -> Result:
    arguments = ("--far", "0.01", "--bootstrap", "200", *SITE, *options)
    return told(place, "calibrate", str(place / "pairs.csv"), *arguments)


def test_a_calibration_is_said_written_and_drawn(place: Path) -> None:
    out, det = place / "calibration.json", place / "det.png"
    done = calibrate(place, "--out", str(out), "--det", str(det), "--point")
    assert done.exit_code == 0, done.output
    made = Calibration.from_json(out.read_bytes())
    assert (made.site, made.result.target_far_e6, made.cautious) == (SITE[1], 10_000, False)
    assert made.model.hex() == embedding().manifest.sha256
    assert det.read_bytes().startswith(b"\x89PNG")
    for words in (
        "33 pairs of one person and 495 of two, of 33 pictures; left out by the gate: none.",
        "Threshold for a false-accept rate of 1 %: 0.",
        "By group at the upper end, pairs taken as independent",
        "11 subjects are few for a false-accept rate: take 200 or more",
        f"In force once imported: {made.threshold_e4 / 10_000:.4f} (point).",
        f"Calibration {made.digest.hex()}",
        f"yixin node faces calibration import {out}",
    ):
        assert words in done.stdout


def test_json_is_the_calibration_with_its_digest(place: Path) -> None:
    done = calibrate(place, "--json", "--gate", "size=off", "--gate", "size=on")
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values.pop("embedding") == "projection_128d"
    digest = values.pop("digest")
    content = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    assert Calibration.from_json(content).digest.hex() == digest


def test_unnamed_subjects_are_said_to_be_taken_as_independent(place: Path, tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    rows = [f"0.{number:03d},{int(number >= 500)}" for number in range(100, 560)]
    table.write_text("score,same\n" + "\n".join(rows) + "\n", encoding="utf-8")
    done = told(place, "calibrate", str(table), "--far", "0.01", *SITE)
    assert done.exit_code == 0, done.output
    assert "pairs are taken as independent" in done.stdout
    assert "subjects are few" not in done.stdout


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--site", "H1"), 3, "--site: expected H or P"),
        (("--far", "0"), 3, "--far: expected a share"),
        (("--far", "1e-3"), 3, "--far: expected a share"),
        (("--far", "0.00000001"), 3, "--far: expected a share"),
        (("--far", "0.6"), 60, "target false-accept rate"),
        (("--far", "0.0001"), 60, "expected at least 30000"),
        (("--confidence", "0.99999"), 3, "--confidence"),
        (("--confidence", "0.4"), 60, "confidence"),
        (("--gate", "size"), 3, "--gate size: expected NAME=off"),
        (("--gate", "light=off"), 3, "NAME one of size, dark, pose, occlusion"),
        (("--embedding", "arcface"), 57, "no embedding model arcface"),
        (("--det", "det.jpg"), 3, "expected a name that ends in .png"),
        (("--out", "/nowhere/at/all.json"), 3, "its directory is not there"),
        (("--bootstrap", "10"), 2, "200"),
    ],
)
def test_wrong_options_are_refused_before_work_begins(
    place: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    done = calibrate(place, *options)
    assert done.exit_code == code, done.output
    assert words in " ".join(done.output.split())


def test_results_never_take_the_place_of_the_table_or_of_a_folder(place: Path) -> None:
    table = place / "table.json"
    table.write_text("left,right,same\n")
    done = told(place, "calibrate", str(table), *SITE, "--out", str(table))
    assert (done.exit_code, "this is an input" in done.stderr) == (3, True)
    (place / "folder.png").mkdir()
    done = calibrate(place, "--det", str(place / "folder.png"))
    assert (done.exit_code, "not a file that could be replaced" in done.stderr) == (3, True)


def test_a_malformed_table_names_its_line_with_exit_code_60(place: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("left,right,same\na.png,b.png,1\na.png,c.png,perhaps\n", encoding="utf-8")
    done = told(place, "calibrate", str(table), *SITE, "--json")
    assert done.exit_code == 60
    message = json.loads(done.stdout)
    assert message["error"] == "calibration"
    assert message["message"].startswith("pairs.csv:3: same: expected 1 or 0")


def test_without_models_the_way_to_them_is_told(place: Path, tmp_path: Path) -> None:
    for command in (
        ["calibrate", str(place / "pairs.csv"), "--far", "0.01", *SITE],
        ["evaluate", "--data", str(place / "people")],
    ):
        done = CliRunner().invoke(app, [*command, "--models", str(tmp_path / "none")])
        assert done.exit_code == 57, done.output
        assert "yixin device models install FILE|URL" in done.stderr


EVALUATE = ("--upscale", "1", "--fit", "1-10", "--report", "11-20", "--bootstrap", "200")


def test_an_evaluation_says_all_that_it_rests_on(place: Path) -> None:
    done = told(
        place,
        *("evaluate", "--data", str(place / "people"), "--far", "0.01", *EVALUATE),
        *("--liveness", str(place / "people" / "s1")),
    )
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    for words in (
        "opencv",
        "onnx runtime",
        "Faces found: 60 of 60 enlarged 1 times, 60 of 60 as they are.",
        "Left out by the gate: none.",
        "False-accept rate 1 %: threshold 0.",
        "95 % interval [0.",
        "On subjects 11-20 at the point: accuracy",
        "Over 200 random halves, at the point of one half: FAR of the other",
        "equal errors",
        "Balanced accuracy at 0.",
        "Pairs of one person that reach 0.8000:",
        "unknown",
        "Protocol: Pictures enlarged 1 times (cubic); quality gate without: size.",
    ):
        assert words in text


def test_an_evaluation_as_json(place: Path) -> None:
    done = told(
        place,
        *("evaluate", "--data", str(place / "people"), "--far", "0.02,0.01", *EVALUATE),
        *("--liveness", str(place / "people" / "s1"), "--json", "--gate", "size=on"),
    )
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert [one["target_far_e6"] for one in values["targets"]] == [20_000, 10_000]
    assert "quality gate without: nothing." in values["protocol"]
    assert len(values["liveness"]) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--data", "/nowhere"), "--data /nowhere: No such file"),
        (("--fit", "20-1"), "--fit: expected numbers such as 1-20"),
        (("--fit", "1-15"), "a subject is in both"),
        (("--report", "11-21"), "the data have subjects 1 to 20"),
        (("--far", "0.01,0.01"), "a rate is there twice"),
        (("--far", ""), "--far: expected a share"),
        (("--det", "x.pdf"), "expected a name that ends in .png"),
    ],
)
def test_wrong_options_of_an_evaluation(place: Path, options: tuple[str, ...], words: str) -> None:
    done = told(place, "evaluate", "--data", str(place / "people"), *EVALUATE, *options)
    assert done.exit_code == 3, done.output
    assert words in done.stderr


def test_too_many_pictures_are_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_faces, "MAX_PICTURES", 59)
    done = told(place, "evaluate", "--data", str(place / "people"), *EVALUATE)
    assert done.exit_code == 3
    assert "60 pictures, expected at most 59" in done.stderr
