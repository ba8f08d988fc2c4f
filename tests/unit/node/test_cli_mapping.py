"""Mapping files on the command line: proposed, checked, and never taken in unseen."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.cli import app

HEADER = "机构编码,就诊号,明细序号,人员编号,费用发生时间,医保目录编码,院内编码,金额,数量,单价"
ROW = "H33030200001,M001,{0},3303001,2026-03-18 09:50:39,XM00{0},Y0{0},10.00,1,10.00"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "fees.csv"
    lines = (HEADER, *(ROW.format(number) for number in range(1, 6)))
    path.write_text("".join(f"{line}\n" for line in lines), "gb18030")
    return path


def test_a_proposal_is_checked_and_then_takes_the_table_in(table: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    home = ("--dir", str(tmp_path / "node"))
    proposed = runner.invoke(app, ["ingest", str(table), "--suggest-mapping"])
    assert proposed.exit_code == 0, proposed.output
    mapping = tmp_path / "fees.mapping.yaml"
    mapping.write_text(proposed.stdout, "utf-8")
    checked = runner.invoke(app, ["mapping", "check", str(mapping), str(table), "--json"])
    assert checked.exit_code == 0, checked.output
    found = json.loads(checked.stdout)
    assert (found["absent"], found["unused"]) == ([], [])
    assert {"record": "fee_detail", "column": "quantity_e4", "from": "数量"} in found["columns"]
    assert not (tmp_path / "node").exists()
    runner.invoke(app, ["init", *home, "--institution", "H33030200001"])
    taken = runner.invoke(app, ["ingest", str(table), "--mapping", str(mapping), *home, "--json"])
    assert taken.exit_code == 0, taken.output
    assert json.loads(taken.stdout)["records_stored"] == {"fee_detail": 5}


def test_a_table_without_the_columns_of_a_mapping_is_told(table: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    mapping = tmp_path / "m.yaml"
    mapping.write_text(runner.invoke(app, ["ingest", str(table), "--suggest-mapping"]).stdout)
    other = tmp_path / "other.csv"
    other.write_text(f"{HEADER.replace('单价', '价格')},备注\n", "utf-8")
    text = mapping.read_text("utf-8").replace('encoding: "gb18030"\n', "")
    mapping.write_text(text, "utf-8")
    checked = runner.invoke(app, ["mapping", "check", str(mapping), str(other)])
    assert checked.exit_code == 1, checked.output
    assert "Missing in other.csv: 单价." in checked.stdout
    assert "Not read of other.csv: 价格, 备注." in checked.stdout


def test_several_files_have_no_one_proposal(table: Path) -> None:
    refused = CliRunner().invoke(app, ["ingest", str(table), str(table), "--suggest-mapping"])
    assert refused.exit_code == 3
    assert "name one" in refused.output


def test_a_table_with_the_listed_header_of_a_register_needs_no_mapping(tmp_path: Path) -> None:
    runner = CliRunner()
    home = ("--dir", str(tmp_path / "node"))
    listed = json.loads(runner.invoke(app, ["mapping", "registers", "--json"]).stdout)["registers"]
    assert {one["kind"] for one in listed} == {
        *("death", "agreement_status", "staff_qualification", "institution_profile"),
        *("identity_event", "duty_event", "benefit_freeze", "approved_purchase"),
    }
    runner.invoke(app, ["init", *home, "--institution", "H33030200001"])
    for one in listed:
        cells = {
            column["name"]: "H33030200001"
            if column["name"] == "institution"
            else _cell(column["form"])
            for column in one["columns"]
            if column["needed"] or column["form"] != "text"
        }
        names = [column["name"] for column in reversed(one["columns"])]
        table = tmp_path / f"{one['kind']}.csv"
        table.write_text(f"{','.join(names)}\n{','.join(cells.get(name, '') for name in names)}\n")
        taken = runner.invoke(app, ["ingest", str(table), *home, "--json"])
        assert taken.exit_code == 0, taken.output
        assert json.loads(taken.stdout)["records_stored"] == {one["kind"]: 1}


def _cell(form: str) -> str:
    """Write a cell of the form that is listed."""
    if form.startswith("one of "):
        return form.removeprefix("one of ").split(", ")[0]
    return {
        "yyyy-mm-dd": "2026-03-02",
        "yyyy-mm-dd hh:mm:ss": "2026-03-02 08:30:00",
        "text": "3303001",
    }.get(form, "9000")


def test_the_registers_are_told_on_a_screen() -> None:
    screen = CliRunner().invoke(app, ["mapping", "registers"]).stdout
    assert "death 死亡登记: institution,person,died_at" in screen
    assert "死亡日期" in screen
    assert "active, suspended" in screen
