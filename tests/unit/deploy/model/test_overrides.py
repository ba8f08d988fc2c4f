"""What the commands say about overrides: those that apply, and those nobody can judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from deploy.model.cli import app
from deploy.model.table_files import read_table
from deploy.model.targets import write_table
from scoring_kernel.catalog_loader import load_catalog

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()
CATALOG = load_catalog()
EMPLOYER = CATALOG.models["employer"]
CAPPING = sorted({column for one in EMPLOYER.overrides for column in one.columns})
LISTED = "item.l04.serious_dishonesty@current"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A: on the list; B: on none; C: nothing was imported of any event or list."""
    cells: dict[str, list[int | None]] = {name: [30, 30, 30] for name in EMPLOYER.input_columns}
    cells |= {name: [int(name == LISTED), 0, None] for name in CAPPING}
    table = pa.table(
        {
            "subject": ["A", "B", "C"],
            "level": [EMPLOYER.levels[0]] * 3,
            "type": [EMPLOYER.types[0]] * 3,
            **{name: pa.array(values, pa.int64()) for name, values in cells.items()},
        }
    )
    path = tmp_path / "inputs.csv"
    write_table(table, path)
    return path


def run(*arguments: str) -> str:
    result = RUNNER.invoke(app, [*arguments, "--day", "2026H1"])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def explained(inputs: Path, subject: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(
        run("explain", "employer", "--subject", subject, "--inputs", str(inputs), "--json")
    )
    return found


def test_scores_name_the_overrides_that_apply_and_those_nobody_can_judge(
    tmp_path: Path, inputs: Path
) -> None:
    out = tmp_path / "scores.arrow"
    summary = orjson.loads(
        run("score", "employer", "--inputs", str(inputs), "--out", str(out), "--json")
    )
    scores = read_table(out)
    assert scores.column("overrides").to_pylist() == ["serious_dishonesty", "", ""]
    everything = ";".join(one.id for one in EMPLOYER.overrides)
    assert scores.column("undetermined").to_pylist() == ["", "", everything]
    assert (summary["overridden"], summary["undetermined"]) == (1, 1)


def test_an_explanation_names_event_and_sources_of_an_override(inputs: Path) -> None:
    found = explained(inputs, "A")
    (one,) = found["overrides"]
    (override,) = (each for each in EMPLOYER.overrides if each.id == "serious_dishonesty")
    assert (one["override"], one["cap"]) == ("serious_dishonesty", found["grade"])
    assert one["evidence"] == [CATALOG.items["l04"].name_zh]
    assert one["sources"] == list(override.sources)
    assert one["since"] == override.since.isoformat()
    assert found["undetermined"] == []


def test_an_explanation_names_what_was_not_imported(inputs: Path) -> None:
    assert (explained(inputs, "B")["overrides"], explained(inputs, "B")["undetermined"]) == ([], [])
    found = explained(inputs, "C")["undetermined"]
    assert [one["override"] for one in found] == [one.id for one in EMPLOYER.overrides]
    assert all("未导入" in one["reason_zh"] for one in found)
    assert {item for one in found for item in one["unknown"]} == {
        column.split(".")[1] for column in CAPPING
    }


def test_both_are_said_on_screen(inputs: Path) -> None:
    shown = run("explain", "employer", "--subject", "A", "--inputs", str(inputs))
    assert "等级最高为" in shown
    shown = run("explain", "employer", "--subject", "C", "--inputs", str(inputs))
    assert "无法判断是否受限" in shown.replace("\n", "")
    assert "cannot be judged" in shown
