"""The demonstration does the main job with real parts, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.processes import command_line, environment
from scoring_kernel import load_catalog
from scoring_kernel.joining import JoinKind
from tests.e2e.conftest import processes_naming, yixin
from tests.support.faces import SHARED, installed_models, needs_shared_faces

pytestmark = pytest.mark.e2e

INSTITUTIONS = 60
_LONGEST_WAIT_S = 120.0
LAST_STAY = date(2026, 6, 27)
KEPT_DAYS = load_catalog().joining.retention_days[JoinKind.STAY] - 5


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    place = tmp_path_factory.mktemp("demo")
    path, kept = place / "out.json", place / "kept"
    out = yixin(
        *("demo", "--once", "--json", str(path), "--keep", str(kept)),
        *("--institutions", str(INSTITUTIONS)),
        *(("--models", str(installed_models(place / "models"))) if SHARED.is_dir() else ()),
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
    asked = 2  # The pre-check at the till (3101) and its feedback (3103).
    seen = (summary["faces"] or {"messages": 0})["messages"]
    assert summary["messages_in"] == summary["manifest"]["messages"] + asked + seen
    assert summary["manifest"]["detail_lines"] >= 45_000
    assert summary["records_stored"] > summary["manifest"]["detail_lines"]
    assert summary["quarantined"] == 0


def test_rules_find_every_injected_case_and_no_near_miss(summary: dict[str, Any]) -> None:
    found = summary["supervision"]
    assert found["cases_found"] == found["cases"] > 100
    assert found["near_misses_hit"] == 0
    assert found["rules_stopped"] == 0 < found["rules"]
    assert found["hits"] >= found["cases"]
    assert found["amount_fen"] > 0
    assert "跨机构重叠住院" in summary["printed"]


def test_the_city_sees_a_stay_across_two_nodes_as_long_as_join_records_are_kept(
    summary: dict[str, Any],
) -> None:
    found = summary["supervision"]
    today = datetime.now(tz=UTC).date()  # noqa: TID251 - real processes, real days
    if not LAST_STAY <= today <= LAST_STAY + timedelta(days=KEPT_DAYS):
        pytest.skip("the simulated stays are older than join records are kept")
    assert found["persons_asked"] > 0
    assert found["overlaps"] > 0
    assert found["overlap_across"].startswith("H33030200001 + ")
    assert found["overlap_hours"] == 96


def test_the_till_is_warned_and_tells_what_it_did(summary: dict[str, Any]) -> None:
    found = summary["supervision"]
    assert (found["warning"], found["feedback"]) == ("W03", "accepted")


def test_a_day_at_the_till_goes_through_the_gateway_and_nothing_of_it_is_lost(
    summary: dict[str, Any],
) -> None:
    intake = summary["intake"]
    assert intake["till_calls"] == intake["till_unchanged"] == intake["copies_taken"] > 5
    assert intake["copies_lost"] == 0
    assert intake["refused"] == intake["mended"] == 1
    assert "psn_setlway" in intake["refused_reason"]


def test_a_table_went_in_through_its_mapping_and_stock_became_records(
    summary: dict[str, Any],
) -> None:
    intake, manifest = summary["intake"], summary["manifest"]
    assert intake["table_rows"] == manifest["table"]["rows"] > 0
    assert intake["table_refused"] == 0
    bought = sum(period["packs_bought"] for period in manifest["periods"].values())
    assert intake["trace_codes"] > bought > 0
    assert intake["stock_movements"] > intake["table_rows"]
    assert intake["staff_members"] > 0


def test_a_backup_was_taken_and_read_back(summary: dict[str, Any]) -> None:
    assert summary["intake"]["backup_verified"] is True
    assert 0 < summary["intake"]["backup_records"] < summary["records_stored"]


@needs_shared_faces
def test_terminals_catch_an_impostor_and_an_empty_bed_and_let_the_right_face_pass(
    summary: dict[str, Any],
) -> None:
    faces = summary["faces"]
    assert (faces["mismatches"], faces["warning"], faces["impostor_hits"]) == (3, "W04", 1)
    assert faces["impostor_fen"] > 0
    assert faces["best_imposture_e4"] < faces["threshold_e4"] < faces["right_score_e4"]
    assert (faces["right_verdict"], faces["right_warnings"]) == ("match", 0)
    assert (faces["bed_absences"], faces["bed_hits"]) == (2, 1)
    assert "冒名就医" in summary["printed"]


def test_the_auditor_finds_both_hubs_evidence_valid(summary: dict[str, Any]) -> None:
    assert summary["audit"] == "valid"


def test_the_tables_show_grades_an_explanation_the_log_and_the_verdict(
    summary: dict[str, Any],
) -> None:
    for shown in (
        "优秀",
        "where it lost most",
        "leaves",
        "the auditor says valid",
        "医保医师",
        "映射导入",
    ):
        assert shown in summary["printed"]


def gateways_in(kept: Path) -> list[int]:
    """Gateways that run."""
    return [pid for pid in processes_naming(str(kept)) if pid in processes_naming("gateway")]


@pytest.mark.parametrize(
    ("number", "begun_with"),
    [
        (signal.SIGINT, lambda kept: len(processes_naming(str(kept))) >= 3),
        (signal.SIGTERM, lambda kept: len(processes_naming(str(kept))) >= 3),
        (signal.SIGINT, lambda kept: bool(gateways_in(kept))),
    ],
    ids=["sigint", "sigterm", "sigint-at-the-till"],
)
def test_an_interrupted_demonstration_leaves_no_process(
    tmp_path_factory: pytest.TempPathFactory,
    number: signal.Signals,
    begun_with: Callable[[Path], bool],
) -> None:
    kept = tmp_path_factory.mktemp("d") / "kept"  # Short: sockets are named in it.
    arguments = ("demo", "--keep", str(kept), "--institutions", "20", "--claims", "200")
    with subprocess.Popen(  # noqa: S603  # This program, fixed arguments.
        command_line(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as demo:
        begun = time.monotonic()
        while not begun_with(kept):  # Itself and at least two of its own, or the gateway.
            assert demo.poll() is None, demo.communicate()
            assert time.monotonic() - begun < _LONGEST_WAIT_S
        os.kill(demo.pid, number)
        out, said = demo.communicate(timeout=_LONGEST_WAIT_S)
    assert demo.returncode == 130, (out, said)
    assert b"Interrupted" in said
    assert processes_naming(str(kept)) == []
