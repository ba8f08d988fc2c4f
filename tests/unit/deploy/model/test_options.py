"""What the commands refuse before they work, and what they say about a model."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from deploy.model import scoring
from deploy.model.choosing import choose_model
from deploy.model.cli import app
from deploy.model.input_files import read_inputs
from deploy.model.table_files import read_table
from deploy.model.targets import write_table
from scoring_kernel.catalog_loader import load_catalog, read_catalog_files
from scoring_kernel.reference import Reference, build_reference

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

RUNNER: Final = CliRunner()
CATALOG: Final = load_catalog()
EMPLOYER: Final = CATALOG.models["employer"]
STARS: Final = "cms_hospital_stars_2021"
ROWS: Final = 40


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)  # noqa: TID251 - the seed is the argument
    capping = {column for one in EMPLOYER.overrides for column in one.columns}
    columns = {
        name: pa.array((rng.integers(20, 40, ROWS) * (name not in capping)).tolist(), pa.int64())
        for name in EMPLOYER.input_columns
    }
    path = tmp_path / "inputs.csv"
    keys = {
        "subject": [f"S{row:05d}" for row in range(ROWS)],
        "level": rng.choice(EMPLOYER.levels, ROWS).tolist(),
        "type": rng.choice(EMPLOYER.types, ROWS).tolist(),
    }
    write_table(pa.table({**keys, **columns}), path)
    return path


def run(*arguments: object, columns: int = 200) -> Result:
    texts = [str(one) for one in arguments]
    return RUNNER.invoke(app, texts, env={"COLUMNS": str(columns)})


def refused(result: Result, code: int, words: str) -> None:
    assert result.exit_code == code, result.stderr
    assert words in result.stderr


@pytest.mark.parametrize("option", ["--inputs", "--reference"])
def test_scores_never_replace_what_they_were_made_from(inputs: Path, option: str) -> None:
    content = inputs.read_bytes()
    link = inputs.with_name("out.csv")
    link.symlink_to(inputs)
    others = [] if option == "--inputs" else ["--inputs", inputs.with_name("other.csv")]
    refused(run("score", "employer", option, inputs, *others, "--out", link), 2, "would be lost")
    assert inputs.read_bytes() == content


def test_explanations_never_replace_what_they_were_made_from(inputs: Path) -> None:
    figures = inputs.rename(inputs.with_name("scores.explained.csv"))
    out = figures.with_name("scores.csv")
    refused(
        run("score", "employer", "--inputs", figures, "--out", out, "--explain"), 2, "would be lost"
    )
    assert run("score", "employer", "--inputs", figures, "--out", out).exit_code == 0


def test_too_many_explanations_are_refused_before_scoring(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "MAX_EXPLAINED", ROWS - 1)
    monkeypatch.setattr(scoring, "score", None)
    out = inputs.with_name("scores.csv")
    result = run("score", "employer", "--inputs", inputs, "--out", out, "--explain")
    refused(result, 6, "40 subjects, expected at most 39")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["compile", "employer", "--out", "a.bin"], 6, "expected a name ending in .onnx"),
        (["compile", STARS, "--out", "a.onnx"], 2, "only points models are compiled"),
        (["simulate", STARS, "--inputs", "a.csv"], 2, "only points models are compared"),
        (["simulate", "a.yaml", "--inputs", "a.csv", "--png", "a.jpg"], 6, "ending in .png"),
        (["score", STARS, "--inputs", "a.csv", "--out", "b.csv", "--day", "2026H1"], 2, "--day"),
        (["score", STARS, "--inputs", "a.csv", "--out", "b.csv", "--explain"], 2, "--explain"),
        (["score", STARS, "--inputs", "a.csv", "--out", "b.csv", "--reference", "r.json"], 2,
         "--reference does not apply"),
        (["score", "employer", "--inputs", "a.csv", "--out", "b.csv", "--measures", "m.csv"], 2,
         "--measures does not apply to employer"),
        (["score", "employer", "--inputs", "a.csv", "--out", "b.csv", "--subject-column", "x"], 2,
         "--subject-column does not apply"),
        (["explain", "employer", "--subject", "A", "--measures", "m.csv"], 2, "does not apply"),
        (["explain", STARS, "--subject", "A", "--day", "2026H1"], 2, "--day does not apply"),
        (["explain", STARS, "--subject", "A"], 2, "with --inputs"),
        (["explain", STARS, "--subject", "A", "--inputs", "a.csv"], 2, "with --measures"),
        (["score", "employer", "--inputs", "a.csv", "--out", "absent/b.csv"], 2, "make it first"),
        (["list", STARS], 2, "its inputs are the measures"),
        (["list", "--template", "t.csv"], 2, "--template needs a model"),
        (["list", "employer", "--template", "t.parquet"], 6, "ending in .csv"),
    ],
)  # fmt: skip
def test_what_does_not_apply_is_refused_with_a_word(
    arguments: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run(*arguments), code, words)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "day", ["20260630", "2026-W27-2", "2026-6-30", "2026H3", "2026h1", "0001H1", "x"]
)
def test_a_day_has_one_form(inputs: Path, day: str) -> None:
    result = run(
        "score", "employer", "--inputs", inputs, "--out", inputs.with_name("o.csv"), "--day", day
    )
    refused(result, 2, "expected a day such as 2026-06-30 or a period such as 2026H1")


def _reference(inputs: Path, name: str = "reference.json", **changes: object) -> Path:
    choice = choose_model("employer")
    table = read_inputs(inputs, choice.model, choice.catalog)
    found = build_reference(choice.model, table, date(2026, 6, 30))
    path = inputs.with_name(name)
    path.write_bytes(dataclasses.replace(found, **changes).to_json())  # type: ignore[arg-type]
    return path


def test_a_reference_gives_its_day_and_refuses_another(inputs: Path) -> None:
    reference = _reference(inputs)
    out = inputs.with_name("o.parquet")
    arguments = ["score", "employer", "--inputs", inputs, "--out", out, "--reference", reference]
    refused(run(*arguments, "--day", "2025H2"), 2, "the reference of 2026-06-30, asked for 2025-12")
    assert not out.exists()
    summary = orjson.loads(run(*arguments, "--json").stdout)
    assert (summary["day"], summary["reference_day"]) == ("2026-06-30", "2026-06-30")
    assert summary["reference_digest"] == Reference.from_json(reference.read_bytes()).digest.hex()
    compiled = ["compile", "employer", "--out", out.with_suffix(".onnx"), "--reference", reference]
    refused(run(*compiled, "--day", "2026-07-01"), 2, "asked for 2026-07-01")
    assert orjson.loads(run(*compiled, "--json").stdout)["day"] == "2026-06-30"
    told = ["explain", "employer", "--subject", "S00001", "--inputs", inputs, "--json"]
    assert orjson.loads(run(*told, "--reference", reference).stdout)["day"] == "2026-06-30"


def test_a_reference_of_another_model_or_of_strange_indicators_is_refused(inputs: Path) -> None:
    arguments = ["score", "employer", "--inputs", inputs, "--out", inputs.with_name("o.csv")]
    other = _reference(inputs, "other.json", model_digest=bytes(32))
    refused(run(*arguments, "--reference", other), 6, "the reference of the model with digest 00")
    strange = _reference(inputs, "strange.json", entries={("no_such", "p50", "all"): 1})
    refused(run(*arguments, "--reference", strange), 6, "names the indicator 'no_such'")
    damaged = inputs.with_name("damaged.json")
    damaged.write_bytes(b"{}")
    refused(run(*arguments, "--reference", damaged), 6, "damaged.json: reference: not the JSON")


def test_an_empty_reference_is_warned_of_and_counted(inputs: Path) -> None:
    empty = _reference(inputs, entries={})
    out = inputs.with_name("o.parquet")
    arguments = ["score", "employer", "--inputs", inputs, "--out", out, "--reference", empty]
    result = run(*arguments, "--json")
    assert "Warning: the peer reference is empty" in result.stderr
    summary = orjson.loads(result.stdout)
    scores = read_table(out)
    for name in ("provisional", "out_of_range", "missing"):
        flags = [f"{name}.{one.id}" for one in EMPLOYER.indicators]
        found = sum(sum(scores.column(flag).to_pylist()) for flag in flags)
        assert summary[f"{name}_values"] == found
    assert summary["peer_statistics"] == 0


def test_a_model_tells_its_inputs(tmp_path: Path) -> None:
    template = tmp_path / "inputs.csv"
    described = orjson.loads(run("list", "employer", "--json", "--template", template).stdout)
    assert [one["column"] for one in described["inputs"]] == list(EMPLOYER.input_columns)
    assert all(one["unit_zh"] and one["meaning_en"] for one in described["inputs"])
    assert described["levels"] == list(EMPLOYER.levels)
    assert [one["id"] for one in described["grades"]] == [band.id for band in EMPLOYER.bands]
    header = next(csv.reader(io.StringIO(template.read_text("utf-8-sig"))))
    assert header == ["subject", "level", "type", *EMPLOYER.input_columns]
    row = ["S1", EMPLOYER.levels[0], EMPLOYER.types[0], *["30"] * len(EMPLOYER.input_columns)]
    template.write_text(template.read_text("utf-8") + ",".join(row) + "\n", encoding="utf-8")
    scored = run("score", "employer", "--inputs", template, "--out", tmp_path / "o.csv")
    assert scored.exit_code == 0, scored.stderr


@pytest.mark.parametrize("model", sorted(CATALOG.models))
def test_every_model_says_what_its_columns_mean(model: str) -> None:
    shown = run("list", model, columns=80)
    assert shown.exit_code == 0, shown.stderr
    lines = shown.stdout.splitlines()
    for column in CATALOG.models[model].input_columns:
        assert any(line.startswith(f"{column}  [") for line in lines)
    assert CATALOG.models[model].digest.hex() in shown.stdout


def test_composites_are_listed_and_checked() -> None:
    digest = CATALOG.composites[STARS].digest.hex()
    assert orjson.loads(run("list", "--json").stdout)["composites"] == {STARS: "proposal"}
    shown = run("list").stdout
    assert STARS in shown
    assert digest in shown


def test_an_explanation_fits_eighty_columns(inputs: Path) -> None:
    result = run("explain", "employer", "--subject", "S00003", "--inputs", inputs, columns=80)
    assert result.exit_code == 0, result.stderr
    found = orjson.loads(
        run("explain", "employer", "--subject", "S00003", "--inputs", inputs, "--json").stdout
    )
    flat = "".join(result.stdout.split())
    lost = [one for one in found["indicators"] if one["lost_centi"]]
    kept = [one for one in found["indicators"] if not one["lost_centi"]]
    assert lost
    assert kept
    for one in lost:
        assert "".join(one["reason_zh"].split()) in flat
        assert "".join(one["reason_en"].split()) in flat
    folded = next(line for line in result.stdout.splitlines() if line.startswith("Without loss"))
    assert f"(未失分) {len(kept)}:" in folded
    assert found["model_digest"] in flat
    assert found["reference_digest"] in flat
    assert "…" not in result.stdout


def test_an_edited_file_is_blamed_for_the_name_it_shares(tmp_path: Path) -> None:
    text = read_catalog_files()["models/supplier.yaml"].decode()
    edited = tmp_path / "edited.yaml"
    for old, new in (("id: supplier", "id: aaa"), ("alias: supplier", "alias: nurse")):
        assert old in text
        text = text.replace(old, new, 1)
    edited.write_text(text.replace("class: supplier", "class: landlord", 1), encoding="utf-8")
    refused(run("check", edited), 18, "edited.yaml:")
    refused(run("check", edited), 18, "alias: models nurse and aaa share a name")


def test_published_shares_are_those_of_medical_institutions(tmp_path: Path) -> None:
    for name, expected in (
        ("designated_medical_institution", [1015, 6245, 2340, 400, 0]),
        ("designated_retail_pharmacy", None),
    ):
        model = CATALOG.models[name]
        edited = tmp_path / f"{name}.yaml"
        edited.write_bytes(read_catalog_files()[f"models/{name}.yaml"])
        cells = {column: pa.array([1, 2, 3], pa.int64()) for column in model.input_columns}
        keys = {
            "subject": ["A", "B", "C"],
            "level": [model.levels[0]] * 3,
            "type": [model.types[0]] * 3,
        }
        figures = tmp_path / f"{name}.csv"
        write_table(pa.table({**keys, **cells}), figures)
        result = run("simulate", edited, "--inputs", figures, "--day", "2026H1", "--json")
        assert orjson.loads(result.stdout)["published_bp"] == expected
