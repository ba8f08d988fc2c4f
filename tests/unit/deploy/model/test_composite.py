"""Composite models from files: the published stars again, and what is refused."""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path
from typing import Final

import numpy as np
import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from deploy.model.cli import app
from deploy.model.table_files import read_table
from deploy.model.targets import write_table
from scoring_kernel.catalog_loader import load_catalog

RUNNER: Final = CliRunner()
MODEL: Final = "cms_hospital_stars_2021"
DATA: Final = Path(__file__).parents[5] / "shared" / "data" / "cms_star"
HEAD: Final = "measure_id,group_name,measure_desc,flip_sign"
ROW: Final = "M1,Mortality,deaths,-1.0"


def _unpacked(tmp_path: Path, name: str) -> Path:
    source = DATA / f"{name}.csv.gz"
    if not source.is_file():
        pytest.skip("the published figures are not beside the project")
    path = tmp_path / f"{name}.csv"
    path.write_bytes(gzip.decompress(source.read_bytes()))
    return path


def _score(inputs: Path, measures: Path, out: Path, column: str = "PROVIDER_ID") -> tuple[int, str]:
    result = RUNNER.invoke(
        app,
        ["score", MODEL, "--inputs", str(inputs), "--measures", str(measures),
         "--subject-column", column, "--out", str(out), "--json"],
    )  # fmt: skip
    return result.exit_code, result.stdout + result.stderr


def test_the_published_stars_come_out_of_the_command(tmp_path: Path) -> None:
    out = tmp_path / "stars.csv"
    code, said = _score(
        _unpacked(tmp_path, "v202104.input_df"), _unpacked(tmp_path, "measure_dt.v202104"), out
    )
    assert code == 0, said
    assert orjson.loads(said)["subjects"] == 4_536
    with gzip.open(DATA / "v202104.output_df.csv.gz", "rt", encoding="utf-8") as file:
        official = {row["PROVIDER_ID"]: row for row in csv.DictReader(file)}
    with out.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            star = official[row["subject"]]["star"]
            assert row["band"] == (f"star_{star[0]}" if star and star != "NA" else "not_rated")


@pytest.mark.parametrize(
    ("figures", "table", "words"),
    [
        ("subject,M1\nA,0.5\n", f"{HEAD}\n{ROW}\n", "Safety"),
        ("subject,M2\nA,0.5\n", f"{HEAD}\n{ROW}\n", "lacks the column 'M1'"),
        ("subject,M1,M1\nA,1,1\n", f"{HEAD}\n{ROW}\n", "column 'M1' appears twice"),
        ("subject,M1\nA,half\n", f"{HEAD}\n{ROW}\n", "line 2, column M1: 'half' is not a number"),
        ("subject,M1\nA,inf\n", f"{HEAD}\n{ROW}\n", "'inf' is not a number"),
        ("subject,M1\n,0.5\n", f"{HEAD}\n{ROW}\n", "line 2 has no subject"),
        ("subject,M1\n", f"{HEAD}\n{ROW}\n", "no subject in it"),
        ("subject,M1\nA,0.5\n", "measure_id,group_name\nM1,Mortality\n", "flip_sign"),
        ("subject,M1\nA,0.5\n", f"{HEAD}\n{ROW}\n{ROW}\n", "M1 appears twice"),
        ("subject,M1\nA,0.5\n", "", "measure table"),
    ],
)
def test_figures_or_tables_that_do_not_fit_are_refused(
    tmp_path: Path, figures: str, table: str, words: str
) -> None:
    inputs, measures = tmp_path / "figures.csv", tmp_path / "measures.csv"
    inputs.write_text(figures, encoding="utf-8")
    measures.write_text(table, encoding="utf-8")
    code, said = _score(inputs, measures, tmp_path / "out.csv", "subject")
    assert code in {6, 18}
    assert words in said
    assert not (tmp_path / "out.csv").exists()


def test_a_composite_model_asks_for_its_measure_table(tmp_path: Path) -> None:
    result = RUNNER.invoke(
        app, ["score", MODEL, "--inputs", "i.csv", "--out", str(tmp_path / "o.csv")]
    )
    assert result.exit_code == 2
    assert "--measures" in result.stderr


@pytest.fixture
def figures(tmp_path: Path) -> tuple[Path, Path]:
    """Many subjects with four measures in each of the model's groups, some not reported."""
    rng = np.random.default_rng(4)  # noqa: TID251 - the seed is the argument
    groups = load_catalog().composites[MODEL].groups
    names = {f"{one.id}_{at}": one.in_table for one in groups for at in range(4)}
    table = {"subject": pa.array([f"S{row:03d}" for row in range(150)])}
    for name in names:
        cells = [
            None if gone else float(value)
            for value, gone in zip(rng.normal(size=150), rng.random(150) < 0.01, strict=True)
        ]
        table[name] = pa.array(cells, pa.float64())
    inputs, measures = tmp_path / "figures.parquet", tmp_path / "measures.csv"
    write_table(pa.table(table), inputs)
    rows = "".join(f"{name},{group},about {name},1\n" for name, group in names.items())
    measures.write_text(f"{HEAD}\n{rows}", encoding="utf-8")
    return inputs, measures


def test_a_composite_score_is_explained_group_by_group(
    tmp_path: Path, figures: tuple[Path, Path]
) -> None:
    inputs, measures = figures
    out = tmp_path / "stars.csv"
    code, said = _score(inputs, measures, out, "subject")
    assert code == 0, said
    with out.open(encoding="utf-8") as file:
        scored = {row["subject"]: row for row in csv.DictReader(file)}
    files = ["--inputs", str(inputs), "--measures", str(measures)]
    for subject in ("S000", "S031"):
        arguments = ["explain", MODEL, "--subject", subject, *files]
        found = orjson.loads(RUNNER.invoke(app, [*arguments, "--json"]).stdout)
        assert found["band"] == scored[subject]["band"]
        total = 0.0
        for one in found["groups"]:
            total += one["contribution"]
        assert total == found["summary"]
        assert found["summary"] == float(scored[subject]["summary_score"])
        shown = RUNNER.invoke(app, arguments, env={"COLUMNS": "80"})
        assert shown.exit_code == 0, shown.stderr
        assert found["reason_zh"] in shown.stdout
        assert f"summary score {total:.6f}" in shown.stdout
    result = RUNNER.invoke(app, ["explain", MODEL, "--subject", "X", *files])
    assert result.exit_code == 6
    assert "'X': not among the 150 subjects" in result.stderr


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pa.array([True] * 150), "holds bool, expected numbers"),
        (pa.array([b"1"] * 150), "holds binary"),
        (pa.array([[1.0]] * 150), "holds list"),
        (pa.array([{"a": 1.0}] * 150), "holds struct"),
        (pa.array([1] * 150, pa.date32()), "holds date32"),
        (pa.array([1.0] * 150, pa.float16()), "holds halffloat"),
        (
            pa.array([1.0] * 149 + [float("nan")]),
            "row 150, column .*: 'nan' is not a finite number",
        ),
        (pa.array([1.0] * 149 + [float("inf")]), "'inf' is not a finite number"),
    ],
    ids=lambda one: str(one.type) if isinstance(one, pa.Array) else "",
)
def test_columns_that_are_no_numbers_are_refused(
    tmp_path: Path, figures: tuple[Path, Path], values: pa.Array, words: str
) -> None:
    inputs, measures = figures
    table = read_table(inputs)
    odd = tmp_path / "odd.arrow"
    write_table(table.set_column(3, table.column_names[3], values), odd)
    code, said = _score(odd, measures, tmp_path / "out.csv", "subject")
    assert code == 6
    assert re.search(words, orjson.loads(said)["message"])


def test_numbers_of_any_width_are_read(tmp_path: Path, figures: tuple[Path, Path]) -> None:
    inputs, measures = figures
    table = read_table(inputs)
    other = tmp_path / "other.arrow"
    numbers = pa.array(range(150))
    for at, kind in ((1, pa.int16()), (2, pa.float32()), (3, pa.decimal128(30, 2))):
        table = table.set_column(at, table.column_names[at], numbers.cast(kind, safe=False))
    write_table(table, other)
    code, said = _score(other, measures, tmp_path / "out.csv", "subject")
    assert code == 0, said


def test_the_column_of_ids_is_no_measure(tmp_path: Path, figures: tuple[Path, Path]) -> None:
    inputs, measures = figures
    name = read_table(inputs).column_names[1]
    code, said = _score(inputs, measures, tmp_path / "out.csv", name)
    assert code == 6
    assert "is a measure: name another" in said
