"""The same order writes the same bytes; an order that cannot be simulated is refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.errors import SimulationError
from deploy.simulation.city import build_city
from deploy.simulation.cli import app
from deploy.simulation.codes import identity_number
from deploy.simulation.simulate import Order, simulate
from scoring_kernel.errors import PeriodError
from tests.unit.deploy.simulation.conftest import quiet

SMALL = Order(institutions=3, claims=120, seed=5)


def digests(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_the_same_order_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        simulate(replace(SMALL, seed=seed), tmp_path / name, quiet)
    assert digests(tmp_path / "first") == digests(tmp_path / "again")
    first, other = digests(tmp_path / "first"), digests(tmp_path / "other")
    assert first.keys() == other.keys()
    assert first["messages/county/2026H1.jsonl"] != other["messages/county/2026H1.jsonl"]


def test_periods_are_written_oldest_first_and_only_the_last_has_misconduct(tmp_path: Path) -> None:
    order = Order(institutions=24, claims=1_200, periods=("2026H1", "2025H2", "2025H1"))
    simulate(order, tmp_path / "city", quiet)
    truth = (tmp_path / "city/ground_truth.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert truth
    assert {line.split(",")[2] for line in truth} == {"2026H1"}
    assert len(list((tmp_path / "city/messages/county").iterdir())) == 3


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (replace(SMALL, institutions=2), "expected 3 to"),
        (replace(SMALL, institutions=20_001, claims=400_000), "expected 3 to"),
        (replace(SMALL, claims=29), "at least 30"),
        (replace(SMALL, seed=-1), "expected 0 or more"),
        (replace(SMALL, periods=("2026H1", "2026H1")), "each once"),
        (replace(SMALL, periods=()), "at least one"),
    ],
)
def test_an_impossible_order_is_refused_before_anything_is_written(
    tmp_path: Path, order: Order, told: str
) -> None:
    with pytest.raises(SimulationError, match=told):
        simulate(order, tmp_path / "city", quiet)
    assert not (tmp_path / "city").exists()


def test_a_period_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PeriodError):
        simulate(replace(SMALL, periods=("2026H3",)), tmp_path / "city", quiet)


def test_a_directory_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(SimulationError, match="not an empty directory"):
        simulate(SMALL, tmp_path, quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_no_real_area_gets_an_identity_number() -> None:
    with pytest.raises(ValueError, match="may be a real one"):
        identity_number(330302, "19580312", 101)


def test_adding_institutions_changes_nobody_elses_draws() -> None:
    small = build_city(institutions=30, claims=600, seed=3)
    assert (
        small.rng(4, 1, 0).random()
        == build_city(institutions=30, claims=900, seed=3).rng(4, 1, 0).random()
    )


def test_the_command_tells_what_it_wrote_and_why_it_does_not(tmp_path: Path) -> None:
    arguments = ["--institutions", "3", "--claims", "120", "--out", str(tmp_path / "city")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "3 institutions" in done.output
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 2
    assert "not an empty directory" in again.output
    as_json = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "other"), "--json"])
    assert as_json.exit_code == 0
    assert '"institutions":3' in as_json.stdout
