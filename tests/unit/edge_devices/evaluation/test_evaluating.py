"""An evaluation from its folders to what is told, with stand-in models and people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_devices.errors import DeviceConfigurationError
from edge_devices.evaluation import halves, known_faces
from edge_devices.evaluation.evaluating import Evaluated, Evaluating, run
from edge_devices.evaluation.halves import Spread, random_halves
from edge_devices.evaluation.known_faces import known_pictures, liveness_photos, read_picture
from edge_devices.evaluation.protocol import Plan
from edge_devices.evaluation.report import (
    evaluation_values,
    protocol_words,
    say_evaluation,
)
from scoring_kernel.errors import CalibrationError, FaceImageError, FaceModelError
from scoring_kernel.faces.pairs import PairLabels, Scores
from scoring_kernel.faces.quality import QualityGate
from security.operator import CommandOutput
from security.progress import no_progress
from tests.support.faces import picture, png
from tests.support.known_people import store_at, write_people

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(
    fit=tuple(range(1, 11)),
    report=tuple(range(11, 21)),
    targets_e6=(20_000, 10_000),
    upscale=1,
    rounds=200,
    confidence_e4=9_500,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People, photos and models, side by side."""
    made = tmp_path_factory.mktemp("evaluation")
    write_people(made / "people")
    (made / "people" / "notes.txt").write_text("no folder")
    (made / "people" / "s3" / "notes.txt").write_text("no picture")
    photos = made / "photos"
    photos.mkdir()
    (photos / "image_T1.png").write_bytes(png(picture(1)))
    (photos / "image_F1.png").write_bytes(png(picture(1, paper=True)))
    (photos / "F2.png").write_bytes(png(picture(2)))
    (photos / "other.png").write_bytes(png(np.zeros((320, 320, 3), np.uint8)))
    store_at(made / "models")
    return made


@pytest.fixture(scope="module")
def wanted(place: Path) -> Evaluating:
    return Evaluating(
        data=place / "people",
        liveness=place / "photos",
        models=place / "models",
        embedding=None,
        gate=QualityGate(),
        plan=PLAN,
        seed=1,
        det=place / "det.png",
    )


@pytest.fixture(scope="module")
def done(wanted: Evaluating) -> Evaluated:
    return run(wanted, progress=no_progress)


def test_every_picture_is_counted_and_no_pair_is_of_both_halves(done: Evaluated) -> None:
    found = done.found
    assert (found.subjects, found.pictures, found.found, found.found_unscaled) == (20, 60, 60, 60)
    for half in (found.fit, found.report):
        assert int(half.scores.labels.same.sum()) == 10 * 3
        assert len(half.scores.e4) == 30 * 29 // 2
        assert half.scores.labels.subjects == 10
    assert found.old.of == 60
    assert found.old.count == sum(
        int((half.scores.genuine >= 8_000).sum()) for half in (found.fit, found.report)
    )


def test_thresholds_are_fitted_on_one_half_and_tried_on_the_other(done: Evaluated) -> None:
    for one, target in zip(done.found.targets, PLAN.targets_e6, strict=True):
        point = one.fitted.point
        assert point.far.count * 1_000_000 <= target * point.far.of
        tried = one.tried[0]
        report = done.found.report.scores
        assert tried.threshold_e4 == point.threshold_e4
        assert tried.far.count == int((report.impostor >= point.threshold_e4).sum())
        assert tried.tar.count == int((report.genuine >= point.threshold_e4).sum())
        right = tried.tar.count + tried.far.of - tried.far.count
        assert one.accuracy[0] == right / len(report.e4)
        assert one.spread_far is not None
        assert 0 <= one.spread_far.low <= one.spread_far.median <= one.spread_far.high <= 1


def test_photos_are_judged_against_what_their_names_say(done: Evaluated) -> None:
    told = {one.name: (one.answer.value, one.is_right) for one in done.photos}
    assert told == {
        "F2.png": ("live", False),
        "image_F1.png": ("spoof", True),
        "image_T1.png": ("live", True),
        "other.png": ("not_checked", None),
    }


def test_json_holds_everything(done: Evaluated, place: Path) -> None:
    told = evaluation_values(done.found, done.photos, done.about)
    assert set(told) == {
        "versions",
        "models",
        "pipeline",
        "upscale",
        "seed",
        "protocol",
        "subjects",
        "pictures",
        "found",
        "found_unscaled",
        "gated",
        "fit",
        "report",
        "targets",
        "best_balanced",
        "genuine_at_0_80",
        "impostor_at_0_80",
        "liveness",
    }
    assert set(told["versions"]) == {"opencv", "onnx_runtime"}
    assert told["models"]["embedding"].startswith("projection_128d ")
    assert told["targets"][0]["at_point"]["report"]["far"]["of"] == 405
    assert told["liveness"][1]["right"] is True
    assert "subjects 1-10, tried on subjects 11-20" in told["protocol"]
    assert (place / "det.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_tells_the_same_whatever_else_was_asked_for(
    done: Evaluated, wanted: Evaluating
) -> None:
    alone = replace(wanted, det=None, plan=replace(PLAN, targets_e6=PLAN.targets_e6[1:]))
    again = run(alone, progress=no_progress)
    first = evaluation_values(done.found, done.photos, done.about)
    first["targets"] = first["targets"][1:]
    assert evaluation_values(again.found, again.photos, again.about) == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"report": (10, 11)}, "a subject is in both"),
        ({"report": (21,)}, "the data have subjects 1 to 20"),
        ({"targets_e6": (10_000, 10_000)}, "a rate is there twice"),
    ],
)
def test_halves_and_targets_that_make_no_sense(
    wanted: Evaluating, changes: dict[str, tuple[int, ...]], words: str
) -> None:
    plan = replace(PLAN, **changes)  # type: ignore[arg-type]  # tuples of numbers all
    with pytest.raises(DeviceConfigurationError, match=words):
        run(replace(wanted, plan=plan, liveness=None), progress=no_progress)


def test_too_few_pairs_or_faces_are_told(wanted: Evaluating, place: Path) -> None:
    alone = replace(wanted, det=None, liveness=None)
    with pytest.raises(CalibrationError, match="expected at least 30000"):
        run(replace(alone, plan=replace(PLAN, targets_e6=(100,))), progress=no_progress)
    blank = place / "blank"
    for subject in range(1, 21):
        folder = blank / str(subject)
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(png(np.zeros((320, 320, 3), np.uint8)))
    with pytest.raises(FaceModelError, match="of 10 pictures too few have a face"):
        run(replace(alone, data=blank), progress=no_progress)


def test_data_that_are_none_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceConfigurationError, match=r"--data .*: No such file"):
        known_pictures(tmp_path / "absent")
    with pytest.raises(DeviceConfigurationError, match=r"--liveness .*: No such file"):
        liveness_photos(tmp_path / "absent")
    with pytest.raises(DeviceConfigurationError, match="found no pictures"):
        known_pictures(tmp_path)
    (tmp_path / "s1").mkdir()
    for name in ("1.png", "2.png"):
        (tmp_path / "s1" / name).write_bytes(b"12345")
    monkeypatch.setattr(known_faces, "MAX_PICTURES", 1)
    with pytest.raises(DeviceConfigurationError, match="2 pictures, expected at most 1"):
        known_pictures(tmp_path)
    monkeypatch.setattr(known_faces, "MAX_BYTES", 4)
    with pytest.raises(FaceImageError, match="larger than 4 bytes"):
        read_picture(tmp_path / "s1" / "1.png")
    with pytest.raises(FaceImageError, match="cannot be read: No such file"):
        read_picture(tmp_path / "s1" / "3.png")


def test_subjects_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("s10", "s2", "s1"):
        (tmp_path / name).mkdir()
        for shot in ("10.pgm", "9.PGM"):
            (tmp_path / name / shot).write_bytes(b"x")
    found = [(one.subject, one.path.parent.name, one.path.name) for one in known_pictures(tmp_path)]
    assert found[:3] == [(1, "s1", "9.PGM"), (1, "s1", "10.pgm"), (2, "s2", "9.PGM")]
    assert found[-1] == (3, "s10", "10.pgm")


def test_random_halves_are_of_subjects_and_may_reach_nothing() -> None:
    rng = np.random.default_rng(1)  # noqa: TID251  # a seeded test
    same = np.array([True, True, False] * 4)
    left = np.repeat(np.arange(4), 3)
    right = np.where(same, left, (left + 1) % 4)
    labels = PairLabels(same=same, left=left, right=right, subjects=4)
    perfect = Scores(e4=np.full(12, 10_000), labels=labels)
    assert random_halves(perfect, (1_000,), rng=rng, progress=no_progress) == [(None, None)]
    with pytest.raises(TypeError, match="without subjects"):
        random_halves(
            Scores(e4=np.full(12, 0), labels=PairLabels(same=same)),
            (1_000,),
            rng=rng,
            progress=no_progress,
        )
    assert halves.HALVES == 200


def test_the_protocol_names_what_was_put_off() -> None:
    assert "quality gate without: size, pose." in protocol_words(PLAN, ["size", "pose"])
    assert "quality gate without: nothing." in protocol_words(PLAN, [])


def test_words_for_shares_that_do_not_hold_and_for_targets_out_of_reach(
    done: Evaluated, capsys: pytest.CaptureFixture[str]
) -> None:
    out = CommandOutput(as_json=False)
    wide = Spread(median=0.01, low=0.0, high=0.2)
    one = replace(done.found.targets[0], spread_far=wide, spread_tar=wide)
    tight = Spread(median=0.01, low=0.0, high=0.02)
    narrow = replace(one, spread_far=tight, spread_tar=tight)
    other = replace(one, spread_far=None, spread_tar=None)
    found = replace(done.found, targets=(one, other, narrow), gated={"dark": 2})
    about = {**done.about, "upscale": 4}
    say_evaluation(out, found, (), about)
    said = capsys.readouterr().out
    assert "FAR of the other 1.00% (90 % in 0.00% to 20.00%)" in said
    assert said.count("So 20 subjects are too few to hold this rate for others") == 1
    assert "No random half of the subjects reaches this rate." in said
    assert "Left out by the gate: dark 2." in said
    assert "Liveness" not in said
    told = evaluation_values(found, (), about)
    assert told["targets"][1]["spread_far_e6"] is None
