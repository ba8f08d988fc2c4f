"""The commands of ``yixin model`` on tables of inputs, as a user runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from deploy.model.cli import app
from deploy.model.table_files import read_table
from deploy.model.targets import write_table
from scoring_kernel.catalog_loader import load_catalog, read_catalog_files

if TYPE_CHECKING:
    from pathlib import Path

    from scoring_kernel.model import RatingModel

RUNNER = CliRunner()
SUBJECTS = 40


def _values(model: RatingModel, rows: int, seed: int) -> dict[str, object]:
    """Inputs as departments could state them: some missing, few events, nobody capped."""
    rng = np.random.default_rng(seed)  # noqa: TID251 - the seed is the argument
    capping = {column for one in model.overrides for column in one.columns}
    found: dict[str, object] = {}
    for column in model.input_columns:
        numbers = rng.integers(20, 40, rows)
        if column in capping:
            numbers[:] = 0
        elif column.startswith("item.e03") or "gap" in column:
            numbers = (rng.random(rows) < 0.1).astype(np.int64)
        elif column.startswith("item.e04"):
            numbers = rng.integers(50_000, 100_000, rows)
        gone = rng.random(rows) < 0.03
        cells = [None if no else one for one, no in zip(numbers.tolist(), gone, strict=True)]
        found[column] = pa.array(cells, pa.int64())
    return found


def _inputs(tmp_path: Path, name: str, *, seed: int = 1, file: str = "inputs.csv") -> Path:
    model = load_catalog().models[name]
    rng = np.random.default_rng(seed)  # noqa: TID251 - the seed is the argument
    table = pa.table(
        {
            "subject": [f"S{row:05d}" for row in range(SUBJECTS)],
            "level": rng.choice(model.levels, SUBJECTS).tolist(),
            "type": rng.choice(model.types, SUBJECTS).tolist(),
            **_values(model, SUBJECTS, seed),
        }
    )
    path = tmp_path / file
    write_table(table, path)
    return path


def _edited(tmp_path: Path, old: str, new: str) -> Path:
    text = read_catalog_files()["models/employer.yaml"].decode()
    assert old in text
    path = tmp_path / "edited.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", sorted(load_catalog().models))
def test_every_model_scores_a_file_and_the_points_add_up(tmp_path: Path, name: str) -> None:
    inputs, out = _inputs(tmp_path, name), tmp_path / "scores.parquet"
    result = RUNNER.invoke(
        app,
        ["score", name, "--inputs", str(inputs), "--out", str(out), "--day", "2026H1", "--json"],
    )
    assert result.exit_code == 0, result.stderr
    summary = orjson.loads(result.stdout)
    scores = read_table(out)
    model = load_catalog().models[name]
    points = sum(
        scores.column(f"points_centi.{one.id}").to_numpy().astype(np.int64)
        for one in model.indicators
    )
    assert np.array_equal(points, scores.column("total_centi").to_numpy())
    assert summary["subjects"] == SUBJECTS
    assert sum(summary["grades"].values()) == SUBJECTS
    assert summary["basis"] == "proposal"
    letters = {band.id for band in model.band_sets["letters"].bands} | {"not_rated"}
    assert {*scores.column("grade.letters").to_pylist()} <= letters


def test_an_explained_file_accounts_for_every_point(tmp_path: Path) -> None:
    inputs, out = _inputs(tmp_path, "employer"), tmp_path / "scores.arrow"
    arguments = ["score", "employer", "--inputs", str(inputs), "--out", str(out), "--explain"]
    result = RUNNER.invoke(app, [*arguments, "--day", "2026-06-30"])
    assert result.exit_code == 0, result.stderr
    scores, explained = read_table(out), read_table(tmp_path / "scores.explained.arrow")
    totals = dict(
        zip(
            scores.column("subject").to_pylist(),
            scores.column("total_centi").to_pylist(),
            strict=True,
        )
    )
    found: dict[str, int] = dict.fromkeys(totals, 0)
    for subject, points, weight, lost in zip(
        *(
            explained.column(name).to_pylist()
            for name in ("subject", "points_centi", "weight_centi", "lost_centi")
        ),
        strict=True,
    ):
        assert weight - points == lost
        found[subject] += points
    assert found == totals
    assert all(explained.column("reason_zh").to_pylist())
    assert all(explained.column("legal_basis").to_pylist())


def test_a_day_before_the_model_is_a_named_error(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, "employer")
    result = RUNNER.invoke(
        app,
        ["score", "employer", "--inputs", str(inputs), "--out", str(tmp_path / "o.csv"),
         "--day", "2019H1"],
    )  # fmt: skip
    assert result.exit_code == 18
    assert "2019-06-30" in result.stderr
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["score", "hospital", "--inputs", "i.csv", "--out", "o.csv"], 2, "no model 'hospital'"),
        (["score", "employer", "--inputs", "i.csv", "--out", "o.csv"], 6, "there is no such file"),
        (["score", "employer", "--inputs", "i.csv", "--out", "o.xlsx"], 6, "a name ending in"),
        (["score", "absent.yaml", "--inputs", "i.csv", "--out", "o.csv"], 2, "no such file"),
        (["explain", "employer", "--subject", "X", "--inputs", "i.csv"], 6, "no such file"),
        (["check", "absent.yaml"], 2, "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_exit_code(
    arguments: list[str], code: int, words: str
) -> None:
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == code
    assert words in result.stderr


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, "employer")
    result = RUNNER.invoke(
        app,
        ["score", "employer", "--inputs", str(inputs), "--out", str(tmp_path / "o.csv"),
         "--day", "2026-02-30"],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "expected a day such as" in result.stderr


def test_an_explanation_adds_up_to_the_grade_and_its_advice_reaches_the_next(
    tmp_path: Path,
) -> None:
    inputs = _inputs(tmp_path, "employer")
    for subject in ("S00000", "S00007", "S00021"):
        result = RUNNER.invoke(
            app,
            ["explain", "employer", "--subject", subject, "--inputs", str(inputs),
             "--day", "2026H1", "--json"],
        )  # fmt: skip
        assert result.exit_code == 0, result.stderr
        found = orjson.loads(result.stdout)
        assert sum(one["points_centi"] for one in found["indicators"]) == found["total_centi"]
        losses = [one["lost_centi"] for one in found["indicators"]]
        assert losses == sorted(losses, reverse=True)
        advice = found["advice"]
        assert advice["text_zh"]
        gains = sum(one["gain_centi"] for one in advice["changes"])
        assert advice["total_centi"] == found["total_centi"] + gains
        assert gains == 0 or gains >= advice["need_centi"]


def test_a_subject_that_is_not_in_the_file_is_named(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, "employer")
    result = RUNNER.invoke(app, ["explain", "employer", "--subject", "X", "--inputs", str(inputs)])
    assert result.exit_code == 6
    assert "'X': not among the 40 subjects" in result.stderr


def test_check_accepts_an_edited_model_and_refuses_a_broken_one(tmp_path: Path) -> None:
    edited = _edited(tmp_path, "min_peer: 10", "min_peer: 12")
    assert RUNNER.invoke(app, ["check", str(edited)]).exit_code == 0
    broken = _edited(tmp_path, 'total: "1000"', 'total: "999"')
    result = RUNNER.invoke(app, ["check", str(broken)])
    assert result.exit_code == 18
    assert "edited.yaml:" in result.stderr
    assert "add up to 1000.00 points" in result.stderr


def test_a_what_if_shows_who_moves_and_draws_a_picture(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, "employer")
    earlier = _inputs(tmp_path, "employer", seed=2, file="earlier.parquet")
    edited = _edited(tmp_path, 'at_least: "850"', 'at_least: "990"')
    picture = tmp_path / "moves.png"
    arguments = ["simulate", str(edited), "--inputs", str(inputs), "--earlier", str(earlier)]
    result = RUNNER.invoke(app, [*arguments, "--day", "2026H1", "--png", str(picture), "--json"])
    assert result.exit_code == 0, result.stderr
    found = orjson.loads(result.stdout)
    assert sum(one["subjects"] for one in found["matrix"]) == found["subjects"] == SUBJECTS
    moved = sum(one["subjects"] for one in found["matrix"] if one["old"] != one["new"])
    assert moved == len(found["moves"])
    assert found["moves"]
    assert {one["before"] for one in found["moves"]} == {"excellent"}
    assert len(found["sensitivity"]) == len(load_catalog().models["employer"].indicators)
    assert found["stability"]["index"] >= 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_what_if_prints_tables(tmp_path: Path) -> None:
    inputs = _inputs(tmp_path, "employer")
    edited = _edited(tmp_path, "min_peer: 10", "min_peer: 12")
    result = RUNNER.invoke(
        app, ["simulate", str(edited), "--inputs", str(inputs), "--day", "2026H1"],
        env={"COLUMNS": "160"},
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert "Old grade (rows) to new grade (columns)" in result.stdout
    assert "per ±1 % of the weight" in result.stdout
    assert "published" not in result.stdout


def _printed(tmp_path: Path, *changes: tuple[str, str], **extra: Path) -> str:
    """What a what-if of an edited employer model prints."""
    text = read_catalog_files()["models/employer.yaml"].decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    edited = tmp_path / "edited.yaml"
    edited.write_text(text, encoding="utf-8")
    inputs = _inputs(tmp_path, "employer")
    more = [str(part) for name, path in extra.items() for part in (f"--{name}", path)]
    result = RUNNER.invoke(
        app, ["simulate", str(edited), "--inputs", str(inputs), "--day", "2026H1", *more],
        env={"COLUMNS": "160"},
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_a_what_if_says_why_somebody_moves(tmp_path: Path) -> None:
    cut = _printed(tmp_path, ('at_least: "850"', 'at_least: "990"'))
    assert "the cuts of the grades" in cut
    assert "more; --json lists them all" in cut
    model = load_catalog().models["employer"]
    assert not any(one.id in cut.partition("Who moves")[2].partition("Grades by")[0]
                   for one in model.indicators)  # fmt: skip
    named = _printed(tmp_path, ("{id: excellent", "{id: best"))
    assert "only the grade's name" in named
    order = [line.split("│")[1].strip() for line in named.splitlines() if "│" in line][:7]
    assert order[:6] == ["best", "good", "medium", "poor", "bad", "excellent"]


def test_a_what_if_names_the_indicators_that_moved_somebody(tmp_path: Path) -> None:
    shown = _printed(
        tmp_path,
        ('on time\n    weight: "220"', 'on time\n    weight: "10"'),
        ('base\n    weight: "150"', 'base\n    weight: "360"'),
        earlier=_inputs(tmp_path, "employer", seed=2, file="earlier.parquet"),
        png=tmp_path / "moves.png",
    )
    why = shown.partition("Who moves")[2].partition("Grades by")[0]
    assert "true_base +" in why or "paid_on_time -" in why
    assert "PSI" in shown
    assert "moves.png" in shown


def test_a_model_compiles_to_a_file_that_names_it(tmp_path: Path) -> None:
    out = tmp_path / "employer.onnx"
    result = RUNNER.invoke(
        app, ["compile", "employer", "--out", str(out), "--day", "2026H1", "--json"]
    )
    assert result.exit_code == 0, result.stderr
    summary = orjson.loads(result.stdout)
    assert summary["bytes"] == out.stat().st_size
    assert summary["model_digest"] == load_catalog().models["employer"].digest.hex()
