"""Facts that rules read, on the command line: a day's messages and registers, then an export."""

import csv
import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from node.cli import app
from tests.support import node_messages as m

DIAGNOSES: list[dict[str, Any]] = [
    {"diag_type": "1", "diag_srt_no": 1, "diag_code": "I10.x00x002", "maindiag_flag": "1"},
    {"diag_type": "1", "diag_srt_no": 2, "diag_code": "E11.900", "maindiag_flag": "0"},
]
OPERATION = {"oprn_oprt_type": "1", "oprn_oprt_code": "39.7200", "oprn_oprt_date": "2026-03-22"}
ITEM = {"hilist_code": "XC08CAA001A001010100001", "begndate": "2024-01-01", "vali_flag": "1"}
REGISTERS = {
    "profile.csv": f"institution,level,beds,latitude_e6,longitude_e6,group_code,begins_at,ends_at\n"
    f"{m.HOSPITAL},05,120,37434012,118674000,,2001-01-01,\n",
    "agreement.csv": f"institution,status,begins_at,ends_at\n{m.HOSPITAL},active,2026-01-01,\n",
    "deaths.csv": f"institution,person,died_at\n{m.HOSPITAL},{m.PERSON},2026-03-30\n",
}


def messages() -> list[m.Document]:
    visit = {"mdtrt_id": "330302G0000000100001", "psn_no": m.PERSON, "med_type": "11"}
    asked = m.envelope("1101", 1, {"data": {"mdtrt_cert_type": "02"}})
    listed = m.settlement_list(9)
    listed["request"]["input"].update(diseinfo=DIAGNOSES, oprninfo=[OPERATION])
    query = {"data": {"query_date": "2026-03-18"}}
    cap = {**ITEM, "hilist_lmtpric_type": "1", "hilist_pric_uplmt_amt": 17.8}
    return [
        m.answered(
            asked,
            {
                "baseinfo": {"psn_no": m.PERSON, "gend": "1", "brdy": "1958-03-12"},
                "insuinfo": [{"insutype": "310", "psn_insu_stas": "1"}],
            },
        ),
        m.answered(m.envelope("2203", 2, {"mdtrtinfo": visit, "diseinfo": DIAGNOSES}), {}),
        m.fees(3, lines=2, prd_days=7, rxno="CF001"),
        m.fees(4, lines=1, infno="2301", mdtrt_id="330302G0000000100002", med_type="21"),
        m.settlement(5, response={"gend": "1", "brdy": "1958-03-12"}),
        m.admission(6),
        m.discharge(7, oprn_oprt_code="39.7200"),
        m.answered(m.envelope("1312", 8, query), {"data": [ITEM]}),
        listed,
        m.answered(m.envelope("1318", 10, query), {"data": [cap]}),
    ]


def test_a_days_messages_and_registers_become_facts(tmp_path: Path) -> None:
    runner = CliRunner()
    home = ("--dir", str(tmp_path / "node"))
    assert runner.invoke(app, ["init", *home, "--institution", m.HOSPITAL]).exit_code == 0
    m.write_lines(tmp_path / "day.jsonl", messages())
    for name, text in REGISTERS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    stored: dict[str, int] = {}
    for name in ("day.jsonl", *REGISTERS):
        taken = runner.invoke(app, ["ingest", str(tmp_path / name), *home, "--json"])
        assert taken.exit_code == 0, taken.output
        told = json.loads(taken.stdout)
        assert told["quarantined"] == 0
        stored |= told["records_stored"]

    assert stored.pop("extra") > 0
    assert stored == {
        "admission": 1,
        "agreement_status": 1,
        "catalogue_item": 1,
        "death": 1,
        "diagnosis": 6,
        "discharge": 1,
        "fee_detail": 3,
        "institution_profile": 1,
        "insurance_status": 1,
        "insured_person": 1,
        "operation": 2,
        "price_cap": 1,
        "settlement": 1,
        "settlement_list": 1,
    }


def test_an_export_leaves_out_who_a_register_names(tmp_path: Path) -> None:
    runner = CliRunner()
    home = ("--dir", str(tmp_path / "node"))
    runner.invoke(app, ["init", *home, "--institution", m.HOSPITAL])
    (tmp_path / "deaths.csv").write_text(REGISTERS["deaths.csv"], encoding="utf-8")
    runner.invoke(app, ["ingest", str(tmp_path / "deaths.csv"), *home])

    out = tmp_path / "out.csv"
    done = runner.invoke(app, ["export", "death", "--to", str(out), *home])

    assert done.exit_code == 0, done.output
    with out.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert m.PERSON not in out.read_text(encoding="utf-8-sig")
    assert row["institution"] == m.HOSPITAL
