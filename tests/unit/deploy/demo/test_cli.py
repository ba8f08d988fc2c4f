"""The command refuses what cannot be demonstrated before it starts anything."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.demo import cli
from deploy.demo.plan import Plan
from deploy.demo.processes import Crew
from deploy.demo.scenario import Scenario
from deploy.demo.summary import Findings
from deploy.errors import DemoError
from tests.unit.deploy.demo.test_summary import EXPLANATION, GOOD, HIT


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["--keep", str(tmp_path)])
    assert done.exit_code == 2
    assert "not an empty directory" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_too_few_claims_are_a_usage_error() -> None:
    done = CliRunner().invoke(cli.app, ["--institutions", "62", "--claims", "619"])
    assert done.exit_code == 2
    assert "at least 620" in done.output


def test_a_command_that_fails_ends_the_demonstration_with_its_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def fails(_crew: Crew, *_arguments: str, accepted: object = ()) -> str:
        del accepted
        raise DemoError("`yixin simulate` ended with 9, expected 0")

    monkeypatch.setattr(Crew, "run", fails)
    done = CliRunner().invoke(cli.app, ["--once", "--keep", str(tmp_path / "kept")])
    assert done.exit_code == 1
    assert "`yixin simulate` ended with 9" in done.output


@pytest.mark.parametrize(("audit", "code"), [("valid", 0), ("invalid", 1)])
def test_the_exit_code_tells_whether_every_promise_was_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, audit: str, code: int
) -> None:
    async def found(_scenario: Scenario) -> Findings:
        return Findings(
            summary=replace(GOOD, audit=audit),
            explanation=EXPLANATION,
            hit=HIT,
            log_sizes={"city": 3},
            asked={"H33030200001": "excellent under public_query@1, leaf 40"},
            verdicts={"city": audit},
        )

    monkeypatch.setattr(Scenario, "run", found)
    monkeypatch.delenv("YIXIN_MODELS", raising=False)
    out = tmp_path / "out.json"
    done = CliRunner().invoke(cli.app, ["--once", "--json", str(out)])
    assert done.exit_code == code, done.output
    assert "faces: no models are named; install with `yixin device models install" in done.output
    assert f'"audit": "{audit}"' in out.read_text(encoding="utf-8")


def test_a_plan_grades_the_last_simulated_period(tmp_path: Path) -> None:
    plan = Plan(work=tmp_path, institutions=3, claims=30)
    assert plan.period == "2026H1"
    assert plan.simulation == tmp_path / "city"
