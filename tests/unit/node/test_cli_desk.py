"""The desk's commands on a real node directory: what they say, write and exit with."""

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from node.cli import app
from tests.support import node_messages as m

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a node that holds one good message and one refused one."""
    runner = CliRunner()
    home = str(tmp_path / "node")

    def command(*arguments: str, expect: int = 0) -> Result:
        done = runner.invoke(app, [*arguments, "--dir", home])
        assert done.exit_code == expect, done.output
        return done

    command("init", "--institution", m.HOSPITAL)
    documents = [m.settlement(1), m.settlement(2, request={"insutype": "999"})]
    path = m.write_lines(tmp_path / "in.jsonl", documents)
    command("ingest", str(path), expect=1)
    return command


def only_id(run: Run) -> str:
    (row,) = answer(run("quarantine", "list", "--json"))["rows"]
    return str(row["id"])


def answer(done: Result) -> Any:  # noqa: ANN401 - JSON
    return json.loads(done.stdout)


def test_a_refused_message_is_listed_shown_and_mended(run: Run) -> None:
    name = only_id(run)
    listed = run("quarantine", "list", "--rule", "code_unknown").stdout
    assert f"{name}  in.jsonl line 2" in listed
    assert "Quarantine: 0 of 0 rows" in run("quarantine", "list", "--infno", "4101").stdout
    shown = run("quarantine", "show", name).stdout
    assert "request.input.data.insutype" in shown
    assert "999  ◀ here" in shown
    assert m.CARD not in shown
    assert m.PERSON not in shown
    fix = ("quarantine", "fix", name, "--operator", "officer", "--set")
    assert "was refused again" in run(*fix, "request.data.insutype=998", expect=1).stdout
    assert "is in: stored." in run(*fix, "request.data.insutype=310").stdout
    assert answer(run("quarantine", "list", "--json")) == {"rows": [], "total": 0}
    assert answer(run("status", "--json"))["records"] == {"settlement": 2}


def test_a_reveal_prints_the_line_and_shows_up_in_the_log(run: Run) -> None:
    name = only_id(run)
    revealed = run("quarantine", "show", name, "--reveal", "--operator", "officer").stdout
    assert m.PERSON in revealed
    log = answer(run("quarantine", "show", name, "--json"))["log"]
    assert [(one["operator"], one["action"]) for one in log] == [("officer", "quarantine_reveal")]


def test_the_list_goes_to_the_vendor_masked(run: Run, tmp_path: Path) -> None:
    masked, clear = tmp_path / "masked.csv", tmp_path / "clear.jsonl"
    run("quarantine", "export", "--to", str(masked))
    (row,) = csv.DictReader(masked.read_text(encoding="utf-8-sig").splitlines())
    assert (row["source"], row["line"], row["rule"]) == ("in.jsonl", "2", "code_unknown")
    assert m.PERSON not in masked.read_text(encoding="utf-8")
    run("quarantine", "export", "--to", str(clear), "--reveal", "--operator", "officer")
    (told,) = [json.loads(line) for line in clear.read_text(encoding="utf-8").splitlines()]
    assert m.PERSON in told["body"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (masked, clear)} == {0o600}
    refused = run("quarantine", "export", "--to", str(masked), expect=3)
    assert "exists; nothing was changed" in refused.output


def test_a_replay_needs_to_be_told_what(run: Run) -> None:
    assert "name rows, or --rule" in run("quarantine", "replay", expect=2).output
    replayed = answer(run("quarantine", "replay", "--all", "--json", expect=1))
    assert replayed["still_refused"] == {"code_unknown": 1}
    assert run("quarantine", "replay", "--rule", "json_broken").stdout.startswith("Replayed 0")


def test_codes_are_imported_and_let_the_message_in(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("type,value,label\nINSUTYPE,999,长期护理保险\n", encoding="utf-8")
    imported = answer(run("codes", "import", str(path), "--operator", "officer", "--json"))
    assert imported["added"] == {"insutype": 1}
    assert "长期护理保险" in run("codes", "list").stdout
    assert answer(run("quarantine", "replay", "--all", "--json"))["went_in"] == {"stored": 1}


MAPPING = """format: 1
namespace: stays
record_id: [id]
institution: {constant: H33030200001}
records:
  settlement:
    setl_id: {column: id}
    mdtrt_id: {column: id}
    person: {column: person}
    insutype: {constant: "999"}
    med_type: {constant: "11"}
    inpatient: {constant: false}
    sign: {constant: 1}
    settled_at: {column: at, format: iso}
    medfee_fen: {column: fee, unit: yuan}
    inscp_fen: {column: fee, unit: yuan}
    fund_fen: {column: fee, unit: yuan}
    account_fen: {constant: 0}
    cash_fen: {constant: 0}
"""


def test_imported_codes_count_in_a_mapping(run: Run, tmp_path: Path) -> None:
    mapping, table, codes = (tmp_path / name for name in ("m.yaml", "t.csv", "codes.csv"))
    mapping.write_text(MAPPING.replace("H33030200001", m.HOSPITAL), encoding="utf-8")
    table.write_text("id,person,at,fee\nS1,P1,2026-03-02 10:00:00,80.00\n", encoding="utf-8")
    codes.write_text("type,value,label\nINSUTYPE,999,长期护理保险\n", encoding="utf-8")
    ingest = ("ingest", str(table), "--mapping", str(mapping))
    refused = run(*ingest, expect=7).output
    assert "'999' found, expected a code of the national list insutype" in refused
    run("codes", "import", str(codes), "--operator", "officer")
    run(*ingest)
    assert answer(run("status", "--json"))["records"] == {"settlement": 2}


def test_records_go_into_a_file_without_persons(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    told = run("export", "settlement", "--to", str(path))
    assert "1 records of settlement written" in told.stdout
    assert "Left out as personal: person" in told.output
    assert "person" not in json.loads(path.read_text(encoding="utf-8"))
    assert "expected one of" in run("export", "x", "--to", f"{path}.csv", expect=3).output


def test_what_is_late_is_said_and_given_as_json(run: Run) -> None:
    found = answer(run("completeness", "--json"))["institutions"]
    assert [one["institution"] for one in found] == [m.HOSPITAL]
    assert found[0]["last_message"] == "2026-03-18"
    assert run("completeness").stdout.startswith("Late:")
