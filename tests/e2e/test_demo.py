"""The demonstration does the main job with real parts, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.processes import command_line, environment
from scoring_kernel import load_catalog
from tests.e2e.conftest import processes_naming, yixin

pytestmark = pytest.mark.e2e

INSTITUTIONS = 60
_LONGEST_WAIT_S = 120.0


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("demo")
    path, kept = place / "out.json", place / "kept"
    out = yixin(
        *("demo", "--once", "--json", str(path), "--keep", str(kept)),
        *("--institutions", str(INSTITUTIONS)),
    )
    assert processes_naming(str(kept)) == []
    manifest = json.loads((kept / "city/manifest.json").read_bytes())
    loaded: dict[str, Any] = json.loads(path.read_bytes())
    return {**loaded, "printed": out, "manifest": manifest}


def test_every_prescore_of_institutions_and_pharmacies_equals_the_final_points(
    summary: dict[str, Any],
) -> None:
    pharmacies = len(load_catalog().models["designated_retail_pharmacy"].indicators)
    expected = INSTITUTIONS * 36 + summary["manifest"]["pharmacies"] * pharmacies
    assert summary["prescore_equal"] == summary["prescore_compared"] == expected


def test_every_envelope_has_its_receipt(summary: dict[str, Any]) -> None:
    assert summary["receipts"] == summary["envelopes_sent"] > 0


def test_everyone_is_graded_in_at_least_four_grades_and_pushed(summary: dict[str, Any]) -> None:
    grades = {grade: n for grade, n in summary["grade_distribution"].items() if n}
    assert summary["institutions"] == summary["subjects_graded"] == INSTITUTIONS
    assert sum(grades.values()) == INSTITUTIONS
    assert len(grades.keys() & {"excellent", "good", "medium", "poor", "bad"}) >= 4
    assert "not_rated" not in grades
    assert summary["pushed"] == INSTITUTIONS


def test_every_class_is_graded_in_at_least_three_grades(summary: dict[str, Any]) -> None:
    classes = summary["classes"]
    assert set(classes) == set(load_catalog().models)
    for name, one in classes.items():
        assert one["graded"] + one["not_rated"] == one["subjects"] > 0
        assert sum(count > 0 for count in one["grade_distribution"].values()) >= 3, name
        assert one["pushed"] == (0 if name == "insured_person" else one["subjects"])


@pytest.mark.parametrize("name", ["designated_medical_institution", "physician", "supplier"])
def test_overrides_lower_grades(summary: dict[str, Any], name: str) -> None:
    assert summary["classes"][name]["capped"] > 0


def test_every_message_was_taken_in_and_none_quarantined(summary: dict[str, Any]) -> None:
    assert summary["messages_in"] == summary["manifest"]["messages"]
    assert summary["manifest"]["detail_lines"] >= 100_000
    assert summary["records_stored"] > summary["manifest"]["detail_lines"]
    assert summary["quarantined"] == 0


def test_the_auditor_finds_both_hubs_evidence_valid(summary: dict[str, Any]) -> None:
    assert summary["audit"] == "valid"


def test_the_tables_show_grades_an_explanation_the_log_and_the_verdict(
    summary: dict[str, Any],
) -> None:
    for shown in ("优秀", "where it lost most", "leaves", "the auditor says valid", "医保医师"):
        assert shown in summary["printed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_no_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    kept = tmp_path / "kept"
    arguments = ("demo", "--keep", str(kept), "--institutions", "3", "--claims", "90")
    with subprocess.Popen(  # noqa: S603  # This program, fixed arguments.
        command_line(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        begun = time.monotonic()
        while len(processes_naming(str(kept))) < 3:  # Itself and at least two of its own.
            assert demo.poll() is None
            assert time.monotonic() - begun < _LONGEST_WAIT_S
        os.kill(demo.pid, number)
        out, said = demo.communicate(timeout=_LONGEST_WAIT_S)
    assert demo.returncode == 130, (out, said)
    assert b"Interrupted" in said
    assert processes_naming(str(kept)) == []
