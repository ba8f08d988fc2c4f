"""`yixin rules`: what is listed, what is refused with file and line, what is imported."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner, Result

import scoring_kernel
from deploy.rules_commands import app
from node.app import init_node

CATALOG: Final = Path(scoring_kernel.__file__).parent / "catalog"
UNSOUND: Final = 18
POINTS: Final = (
    "batch,object,rule_type,code,name,limit,other_code,other_name\n"
    "一,drug,限定性别对象,XL02BBA326A001010100001,阿帕他胺片,男,,\n"
    "一,drug,限定性别对象,,没有编码,男,,\n"
)


def called(*arguments: str, expect: int = 0) -> Result:
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert done.exit_code == expect, done.output
    return done


def asked(*arguments: str) -> dict[str, Any]:
    answer = json.loads(called(*arguments, "--json").stdout)
    assert isinstance(answer, dict)
    return answer


def test_forty_one_rules_and_eleven_warnings_are_listed_with_what_is_in_force() -> None:
    answer = asked("list")
    ids = {
        name: [one["id"] for one in answer["rules"] if one["set"] == name]
        for name in ("core", "warning")
    }
    assert ids["core"] == [f"M{number:02d}" for number in range(1, 42)]
    assert ids["warning"] == [f"W{number:02d}" for number in range(1, 12)]
    by_id = {one["id"]: one for one in answer["rules"]}
    (window,) = [one for one in by_id["M28"]["parameters"] if one["name"] == "window_days"]
    assert (window["value"], window["begins"]) == (15, "2021-05-01")
    assert all(one["basis_zh"] and one["phases"] for one in answer["rules"])
    text = called("list").stdout
    assert "41 rules and 11 warnings" in text
    assert "分解住院" in text
    assert "第三十八条第（一）项" in text


def test_what_blocks_and_what_is_judged_live_is_shown() -> None:
    by_id = {one["id"]: one for one in asked("list")["rules"]}
    assert (by_id["W01"]["answer"], by_id["W08"]["answer"]) == ("block", "warn")
    assert all(by_id[name]["live"] for name in ("M01", "W04", "W08"))
    assert not by_id["M13"]["live"]
    done = CliRunner().invoke(app, ["list"], env={"COLUMNS": "80"})
    rows = {
        cells[0]: cells[1:]
        for line in done.stdout.splitlines()
        if (cells := [cell.strip() for cell in line.strip("│").split("│")])[0]
    }
    assert {name: rows[name][2:4] for name in ("M01", "M13", "W01", "W08")} == {
        "M01": ["违规", "●"],
        "M13": ["违规", ""],
        "W01": ["拦截", "●"],
        "W08": ["提醒", "●"],
    }


def test_before_its_parameters_a_rule_is_not_in_force() -> None:
    by_id = {one["id"]: one for one in asked("list", "--day", "2020-01-01")["rules"]}
    assert not by_id["M28"]["in_force"]
    assert by_id["M01"]["in_force"]


def test_the_catalogues_rules_are_sound_and_run() -> None:
    assert asked("check")["rules"] >= 52


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one rule, the relations and the knowledge tables."""
    folder = tmp_path / "catalog"
    for name in ("rules/relations", "knowledge"):
        shutil.copytree(CATALOG / name, folder / name)
    shutil.copy(CATALOG / "rules" / "M01.yaml", folder / "rules")
    return folder


@pytest.mark.parametrize(
    ("old", "new", "wording"),
    [
        ("line.item_code AS key", "line.no_such_column AS key", "rules/M01.yaml:"),
        ("FROM line", "FROM line CROSS JOIN k_drug_gender", "rules/M01.yaml:"),
        ("FROM line", "FROM read_csv('/etc/passwd') AS line", "rules/M01.yaml:"),
        ("verdict: violation", "verdict: perhaps", "rules/M01.yaml:"),
    ],
    ids=["unknown column", "cross join", "file", "word"],
)
def test_a_broken_rule_is_refused_with_file_and_line(
    folder: Path, old: str, new: str, wording: str
) -> None:
    path = folder / "rules" / "M01.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert wording in called("check", str(folder), expect=UNSOUND).output


def test_a_folder_without_rules_is_no_choice(tmp_path: Path) -> None:
    assert "no folder rules/" in called("check", str(tmp_path), expect=2).output


def test_points_are_imported_once_and_what_is_not_bound_is_told(tmp_path: Path) -> None:
    home = init_node(tmp_path / "node", ["H33030200001"])
    points = tmp_path / "points.csv"
    points.write_text(POINTS, encoding="utf-8")
    own = (str(points), "--dir", str(home), "--operator", "officer")
    text = called("import-knowledge", *own, "--from", "2025-01-01").output
    assert "1 of 2 points bound: imported." in text
    assert "point 2" in text
    assert "nothing new" in called("import-knowledge", *own, "--from", "2025-01-01").output
    points.write_text("code\nX\n", encoding="utf-8")
    assert "lacks the columns" in called("import-knowledge", *own, expect=6).output
