"""``yixin device evaluate`` on ORL with the real models: bounds, not equalities.

Models change with the versions of OpenCV and ONNX Runtime; what must not change is that all faces
are found, that a threshold is fitted and not 0.80, and that the three photos are judged right.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from edge_devices.cli import app
from edge_devices.models import ModelStore
from scoring_kernel.faces.manifest import ModelKind
from scoring_kernel.faces.manifest_files import shipped_manifests
from tests.support.faces import SHARED, needs_shared_faces, shared_model

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_shared_faces


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("models")
    for kind in ModelKind:
        ModelStore(place).install(shared_model(kind)[1], shipped_manifests())
    return place


@pytest.fixture(scope="module")
def told(models: Path) -> dict[str, Any]:
    """The evaluation as JSON, made once."""
    done = CliRunner().invoke(
        app,
        [
            *("evaluate", "--json", "--bootstrap", "200", "--models", str(models)),
            *("--data", str(SHARED / "orl"), "--liveness", str(SHARED / "liveness_samples")),
        ],
    )
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_face_is_found_enlarged_and_few_as_they_are(told: dict[str, Any]) -> None:
    assert (told["subjects"], told["pictures"], told["found"]) == (40, 400, 400)
    assert 0 < told["found_unscaled"] < 200
    assert told["gated"] == {}
    assert set(told["versions"]) == {"opencv", "onnx_runtime"}


def test_both_halves_are_told_apart_well(told: dict[str, Any]) -> None:
    for half in ("fit", "report"):
        assert (told[half]["genuine"], told[half]["impostor"]) == (900, 19_000)
        assert told[half]["area"] >= 0.99
        assert told[half]["equal_error_e6"] <= 70_000
    assert told["best_balanced"]["report"] >= 0.92


def test_thresholds_are_fitted_and_are_not_the_old_one(told: dict[str, Any]) -> None:
    percent, tenth = told["targets"]
    assert (percent["target_far_e6"], tenth["target_far_e6"]) == (10_000, 1_000)
    for one in told["targets"]:
        assert one["low_e4"] < one["threshold_e4"] < one["high_e4"] < 8_000
        assert one["at_point"]["fit"]["far"]["e6"] <= one["target_far_e6"]
        for half in ("fit", "report"):
            for rate in one["at_point"][half]["tar"], one["at_upper_end"][half]["far"]:
                assert rate["low_e6"] <= rate["e6"] <= rate["high_e6"]
    assert percent["at_point"]["report"]["tar"]["e6"] >= 900_000
    assert percent["at_point"]["report"]["far"]["e6"] <= 100_000
    assert tenth["at_point"]["report"]["tar"]["e6"] >= 800_000
    assert percent["at_point"]["report"]["balanced_accuracy"] >= 0.92


def test_the_fixed_score_of_older_rules_refuses_most_true_pairs(told: dict[str, Any]) -> None:
    assert told["genuine_at_0_80"]["e6"] <= 200_000
    assert told["impostor_at_0_80"]["count"] == 0


def test_the_spread_says_that_forty_subjects_are_few(told: dict[str, Any]) -> None:
    spread = told["targets"][0]["spread_far_e6"]
    assert spread["low"] < 10_000 < spread["high"]
    assert spread["high"] > 2 * 10_000


def test_the_three_photos_are_judged_right(told: dict[str, Any]) -> None:
    assert [(one["photo"], one["answer"], one["right"]) for one in told["liveness"]] == [
        ("image_F1.jpg", "spoof", True),
        ("image_F2.jpg", "spoof", True),
        ("image_T1.jpg", "live", True),
    ]


def test_a_site_is_calibrated_on_pictures_of_orl(models: Path, tmp_path: Path) -> None:
    (tmp_path / "orl").symlink_to(SHARED / "orl")
    names = [(subject, shot) for subject in range(1, 13) for shot in range(1, 5)]
    rows = [
        f"orl/s{one}/{first}.pgm,orl/s{other}/{second}.pgm,{int(one == other)},{one},{other}"
        for number, (one, first) in enumerate(names)
        for other, second in names[number + 1 :]
    ]
    table = tmp_path / "pairs.csv"
    table.write_text("\n".join(["left,right,same,left_subject,right_subject", *rows]) + "\n")
    command = [
        *("calibrate", str(table), "--site", "H33030200001", "--far", "0.01", "--json"),
        *("--models", str(models), "--bootstrap", "200", "--upscale", "4", "--gate", "size=off"),
    ]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)
    assert made["source"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert (made["genuine"], made["impostor"], made["subjects"]) == (72, 1056, 12)
    assert 2_000 < made["low_e4"] <= made["point_e4"] <= made["high_e4"] < 8_000
    assert made["threshold_e4"] == made["high_e4"]
