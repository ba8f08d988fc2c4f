"""Composite models from files: the published stars again, and what is refused."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Final

import orjson
import pytest
from typer.testing import CliRunner

from deploy.model.cli import app

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
