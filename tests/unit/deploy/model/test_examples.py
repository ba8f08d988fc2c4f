"""Every model explains a packaged example without any file of one's own."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import orjson
import pytest
from typer.testing import CliRunner

from deploy.model.cli import app
from scoring_kernel.catalog_loader import load_catalog

RUNNER: Final = CliRunner()


@pytest.mark.parametrize("name", sorted(load_catalog().models))
def test_the_packaged_example_explains_a_subject_of_every_model(name: str) -> None:
    model = load_catalog().models[name]
    text = (files("deploy") / "examples" / "inputs" / f"{name}.csv").read_text("utf-8")
    subjects = [line.split(",", 1)[0] for line in text.splitlines()[1:]]
    result = RUNNER.invoke(app, ["explain", str(model.alias), "--subject", subjects[0], "--json"])
    assert result.exit_code == 0, result.stderr
    found = orjson.loads(result.stdout)
    assert "example" in found["inputs"]
    assert len(found["indicators"]) == len(model.indicators)
    assert sum(one["points_centi"] for one in found["indicators"]) == found["total_centi"]
    assert found["coverage_centi"] >= model.min_coverage


def test_the_readers_walk_adds_up_to_the_grade() -> None:
    result = RUNNER.invoke(app, ["explain", "institution", "--subject", "H33030200001"])
    assert result.exit_code == 0, result.stderr
    assert "simulated" in result.stdout
    assert "add up to" in result.stdout.replace("\n", " ")
