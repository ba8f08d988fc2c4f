"""``yixin rules check`` over rules that are written to harm: bounded, and told what is wrong."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from deploy.rules_commands import app

CASES = Path(__file__).parents[2] / "cases" / "malformed_rules.yaml"
TABLE: dict[str, Any] = yaml.safe_load(CASES.read_text(encoding="utf-8"))
UNSOUND = 18
STEPS = 12
ROWS = [
    "c0 AS (SELECT 1 AS n UNION ALL SELECT 1 AS n)",
    *(
        f"c{step} AS (SELECT a.n FROM c{step - 1} AS a JOIN c{step - 1} AS b ON a.n = b.n)"  # noqa: S608 - no text from outside
        for step in range(1, STEPS)
    ),
]
TEXTS = [
    f"c0 AS (SELECT 1 AS n, '{'a' * 4_000}' AS t)",
    *(f"c{step} AS (SELECT n, t || t AS t FROM c{step - 1})" for step in range(1, 20)),  # noqa: S608
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound folder whose rule M01 reads its relation ``spent``."""
    for name, text in TABLE["bases"].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    rule = tmp_path / "rules" / "M01.yaml"
    text = rule.read_text(encoding="utf-8").replace("settlement]", "settlement, spent]", 1)
    joined = "  JOIN spent\n    ON spent.mdtrt_id = fee_detail.mdtrt_id\n"
    rule.write_text(text.replace("  JOIN restricted\n", f"{joined}  JOIN restricted\n"), "utf-8")
    return tmp_path


def checked(folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", str(folder)])
    return result.exit_code, result.output


def test_the_folder_is_sound(folder: Path) -> None:
    assert checked(folder)[0] == 0


@pytest.mark.parametrize(
    ("bomb", "text"),
    [(ROWS, "CAST(c11.n AS VARCHAR)"), (TEXTS, "c19.t")],
    ids=["rows", "texts"],
)
def test_a_relation_that_grows_out_of_nothing_is_stopped(
    folder: Path, bomb: list[str], text: str
) -> None:
    last = text.removeprefix("CAST(").partition(".")[0]
    sql = (
        f"WITH {', '.join(bomb)}\n"
        f"SELECT {text} AS mdtrt_id, CAST({last}.n AS BIGINT) AS amount_fen\n"
        f"FROM {last}\nLEFT JOIN fee_detail ON fee_detail.month = {last}.n\n"
    )
    path = folder / "rules" / "relations" / "spent.yaml"
    head = path.read_text(encoding="utf-8").partition("sql: |\n")[0]
    path.write_text(f"{head}sql: |\n{textwrap.indent(sql, '  ')}", encoding="utf-8")
    code, output = checked(folder)
    assert code == UNSOUND
    assert "out of nothing" in output
    assert "Traceback" not in output


def test_a_pipe_among_the_rules_does_not_hold_it_up(folder: Path) -> None:
    os.mkfifo(folder / "rules" / "M02.yaml")
    code, output = checked(folder)
    assert code == UNSOUND
    assert "rules/M02.yaml" in output
