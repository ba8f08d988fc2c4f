"""Golden vectors: a pack that computes otherwise than it says is found, whatever is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scoring_kernel.errors import PackFileError
from scoring_kernel.golden import TinyRelation, run_golden
from scoring_kernel.golden_engine import measure
from scoring_kernel.packs import open_pack
from tests.support.packs import changed, pack, pack_contents, spelled

if TYPE_CHECKING:
    from collections.abc import Callable

PHARMACY = "golden/scores-designated_retail_pharmacy.json"
SETTLEMENT = "golden/measures-settlement.json"


def failures(files: dict[str, bytes | None]) -> tuple[str, ...]:
    report = run_golden(open_pack(changed(files)), measure)
    assert not report.passed
    return report.failures


def edited(name: str, edit: Callable[[dict[str, Any]], None]) -> dict[str, bytes | None]:
    document = json.loads(pack_contents()[name])
    edit(document)
    return {name: spelled(document)}


def test_every_vector_of_a_sound_pack_comes_out_as_it_says() -> None:
    report = run_golden(pack(), measure)
    assert report.passed
    assert report.failures == ()
    models, sets = len(pack().catalog.models), len(pack().catalog.measure_sets)
    assert report.vectors == 3 * models + sets + 2


def test_vectors_tell_grades_and_rows_apart() -> None:
    found = {
        grade
        for name, content in pack_contents().items()
        if name.startswith("golden/scores-")
        for grade in json.loads(content)["alone"]["grades"]
    }
    assert len(found) >= 4
    for name, content in pack_contents().items():
        if name.startswith("golden/measures-"):
            assert json.loads(content)["expect"], name


def test_changed_results_are_found_by_every_engine() -> None:
    def one_point(document: dict[str, Any]) -> None:
        document["alone"]["total_centi"][0] += 1

    def one_count(document: dict[str, Any]) -> None:
        document["expect"][0][3] += 1

    assert set(failures(edited(PHARMACY, one_point) | edited(SETTLEMENT, one_count))) == {
        "scores-designated_retail_pharmacy numpy",
        "scores-designated_retail_pharmacy onnx",
        "measures-settlement",
    }


def test_a_vector_that_is_missing_strange_or_unreadable_fails() -> None:
    def huge(document: dict[str, Any]) -> None:
        document["levels"] = document["levels"] * 1000

    found = failures(
        {
            PHARMACY: None,
            SETTLEMENT: b"{",
            "golden/more.json": b"{}",
            **edited("golden/scores-supplier.json", huge),
        }
    )
    assert set(found) == {
        *(f"scores-designated_retail_pharmacy {how}" for how in ("numpy", "peers", "onnx")),
        *(f"scores-supplier {how}" for how in ("numpy", "peers", "onnx")),
        "measures-settlement",
        "more.json",
    }


def test_a_compiled_model_of_another_model_fails() -> None:
    content = pack_contents()["models/supplier.onnx"]
    found = failures({"models/employer.onnx": content, "models/supplier.onnx": None})
    assert set(found) == {"scores-employer onnx", "scores-supplier onnx"}


def test_the_engine_refuses_what_it_cannot_run() -> None:
    relation = TinyRelation(schema=(("a", "int64"),), rows=[[2], [1]])
    assert measure("SELECT a, a, a FROM t", {"t": relation}) == [[1, 1, 1], [2, 2, 2]]
    with pytest.raises(PackFileError, match="cannot be run"):
        measure("SELECT * FROM read_csv('/etc/passwd')", {})
    with pytest.raises(PackFileError, match="cannot be run"):
        measure("SELECT 1", {"t": TinyRelation(schema=(("a", "blob"),), rows=[])})
