"""Input that nobody here made goes in: public claims through a mapping, and sample messages."""

from pathlib import Path

import pytest

from deploy.protos import REPOSITORY
from tests.e2e.conftest import ask, yixin

pytestmark = pytest.mark.e2e

MAPPING = REPOSITORY / "deploy/examples/fraud_claims.mapping.yaml"
CLAIMS, PROVIDERS = 40_474, 2_092


def test_public_claims_are_settled_measured_and_their_providers_prescored(
    shared: Path, node: Path
) -> None:
    (claims,) = (shared / "data/fraud_claims").glob("Train_Inpatientdata*.zip")
    yixin("node", "init", "--dir", str(node))
    where = ("--dir", str(node))
    taken = ask("node", "ingest", str(claims), "--mapping", str(MAPPING), *where)
    assert taken["messages_in"] == CLAIMS
    assert taken["quarantined"] == 0
    assert taken["records_stored"] == {
        "admission": CLAIMS,
        "discharge": CLAIMS,
        "settlement": CLAIMS,
    }
    scored = ask("node", "prescore", "--period", "2009H1", "--day", "2026-06-30", *where)
    assert len(scored["subjects"]) == PROVIDERS
    assert len({one["subject"] for one in scored["subjects"]}) == PROVIDERS
    assert scored["basis"] == "proposal"
    again = ask("node", "ingest", str(claims), "--mapping", str(MAPPING), *where)
    assert again["already_seen"] == CLAIMS
    assert again["records_stored"] == {}
    assert ask("node", "status", *where)["institutions"] == PROVIDERS


def test_all_sample_messages_go_in_with_their_answers(shared: Path, node: Path) -> None:
    samples = shared / "domain/samples"
    requests = list(samples.glob("*_req.json"))
    assert len(requests) == 19
    codes = ("H33030200001", "P33030200017")
    named = [part for code in codes for part in ("--institution", code)]
    yixin("node", "init", "--dir", str(node), *named)
    taken = ask("node", "ingest", str(samples), "--dir", str(node))
    assert (taken["messages_in"], taken["quarantined"]) == (19, 0)
    answered = {path.name.split("_")[0] for path in samples.glob("[0-9]*_resp.json")}
    assert taken["pending"] == len(requests) - len(answered)
    stored = taken["records_stored"]
    assert (stored["settlement"], stored["admission"], stored["fee_detail"]) == (2, 1, 2)
    again = ask("node", "ingest", str(samples), "--dir", str(node))
    assert again["already_seen"] == 19
    assert again["records_stored"] == {}
