"""Institutions ranked by their stays, by the command, out of claims that came as a table."""

import json
from pathlib import Path

from typer.testing import CliRunner

from deploy.protos import REPOSITORY
from node.cli import app

MAPPING = REPOSITORY / "deploy/examples/fraud_claims.mapping.yaml"
HEADER = (
    "BeneID,ClaimID,ClaimStartDt,ClaimEndDt,Provider,InscClaimAmtReimbursed,AttendingPhysician,"
    "AdmissionDt,ClmAdmitDiagnosisCode,DeductibleAmtPaid,DischargeDt,ClmDiagnosisCode_1"
)
ROWS = (
    "B1,C1,2025-01-05,2025-01-09,PRV1,9000,PHY1,2025-01-05,4280,1068,2025-01-09,4280",
    "B1,C2,2025-02-05,2025-02-16,PRV1,12000,PHY1,2025-02-05,4280,1068,2025-02-16,4280",
    "B2,C3,2025-01-07,2025-01-09,PRV2,3000,PHY2,2025-01-07,4280,1068,2025-01-09,4280",
)


def test_who_is_paid_more_and_longer_stands_first(tmp_path: Path) -> None:
    home, table = str(tmp_path / "node"), tmp_path / "claims.csv"
    table.write_text("\n".join((HEADER, *ROWS)) + "\n", encoding="utf-8")
    runner = CliRunner()
    assert runner.invoke(app, ["init", "--dir", home]).exit_code == 0
    taken = runner.invoke(app, ["ingest", str(table), "--mapping", str(MAPPING), "--dir", home])
    assert taken.exit_code == 0, taken.output

    asked = ["rules", "rank", "--dir", home, "--json"]
    told = json.loads(runner.invoke(app, asked).stdout)
    first, second = told["ranked"]
    assert (told["institutions"], first["stays"], second["stays"]) == (2, 2, 1)
    # First in fund, dearest, longest and repeats (3/4 each); level where no disease has a median.
    assert first["components"] == {
        "fund": 2_100_000,
        "excess_fees": 0,
        "excess_days": 0,
        "dearest": 1_306_800,
        "longest": 11,
        "repeats": 1,
    }
    assert (first["exact_e6"], first["score"]) == (666_667, 667)
    assert second["score"] == 333
    january = json.loads(runner.invoke(app, [*asked, "--to", "202501"]).stdout)
    assert [one["stays"] for one in january["ranked"]] == [1, 1]
    empty = runner.invoke(app, ["rules", "rank", "--dir", home, "--from", "203001"])
    assert "nothing to rank" in empty.stdout
