"""Input that nobody here made; skipped where the shared folder is not beside the repository."""

import json
from pathlib import Path

import pytest

from node.intake import ingest_file, load_mapping
from node.store import NodeStore
from scoring_kernel import load_catalog
from tests.support import node_messages as m

SAMPLES = m.SHARED / "domain" / "samples"
CLAIMS = m.SHARED / "data" / "fraud_claims"
ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no folder 'shared' beside the repository")
def test_all_sample_requests_and_responses_go_in(store: NodeStore) -> None:
    report = m.ingest(store, SAMPLES)

    assert (report.messages_in, report.quarantined) == (19, 0)
    assert report.records_stored == {
        "admission": 1,
        "fee_detail": 2,
        "insurance_status": 1,
        "insured_person": 1,
        "raw": 2,
        "settlement": 2,
        "stock_movement": 1,
        "trace_code": 4,
    }
    # Eight requests have a response of their own; the others wait, the reversal 2208 among them.
    assert report.pending == 11
    assert report.skipped_files == ("README.json", "error_resp.json")
    rows = m.rows_of(store, "settlement")
    assert [row["fund_fen"] for row in rows] == [6692, 650000]
    assert m.ingest(store, SAMPLES).already_seen == 19


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="no folder 'shared' beside the repository")
def test_the_sample_error_response_completes_a_request_without_counting(
    store: NodeStore, tmp_path: Path
) -> None:
    m.ingest(store, SAMPLES)
    request = json.loads((SAMPLES / "2208_req.json").read_text(encoding="utf-8"))
    response = json.loads((SAMPLES / "error_resp.json").read_text(encoding="utf-8"))

    report = m.ingest_documents(
        store, tmp_path / "a.jsonl", [{"request": request, "response": response}]
    )

    assert (report.not_accepted, report.records_stored) == (1, {})
    assert store.counts().pending == 10


@pytest.mark.skipif(not CLAIMS.is_dir(), reason="no folder 'shared' beside the repository")
def test_the_public_claims_go_in_through_the_example_mapping(store: NodeStore) -> None:
    (path,) = CLAIMS.glob("Train_Inpatientdata-*.csv.zip")
    mapping = load_mapping(ROOT / "deploy" / "examples" / "fraud_claims.mapping.yaml")

    report = ingest_file(store, load_catalog(), path, mapping=mapping, now=m.NOW)

    assert (report.messages_in, report.quarantined) == (40_474, 0)
    assert report.records_stored == dict.fromkeys(("admission", "discharge", "settlement"), 40_474)
    assert len([one for one in store.institutions() if one.foreign]) == 2_092
    rows = store.measure_rows(load_catalog().measure_sets["settlement"])
    assert sum(rows.column("settlements").to_pylist()) == 40_474
    # 408,297,020 dollars reimbursed: the sum of the file's own column.
    assert sum(rows.column("fund_fen").to_pylist()) == 408_297_020 * 100
