"""A proof as an inspector gets it: enough to verify a record, and nothing of its values."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from node.errors import StoreError
from node.proving import prove_record
from node.store import NodeStore
from security.merkle import leaf_hash, verify_inclusion
from tests.support import node_messages as m


def test_a_proof_is_verified_with_nothing_but_itself_and_the_checkpoint(tmp_path: Path) -> None:
    with m.open_store(tmp_path / "node") as store:
        m.ingest_documents(store, tmp_path / "a.jsonl", [m.fees(1, lines=3)])
        with pytest.raises(StoreError, match="in no checkpoint yet"):
            prove_record(store, "fee_detail", _ids(store)[0])
        checkpoint = store.record_ledger.close_days(m.NOW + timedelta(days=1))
        assert checkpoint is not None
        for record_id in _ids(store):
            proof = json.loads(json.dumps(prove_record(store, "fee_detail", record_id)))
            leaf = bytes.fromhex(proof["leaf"]["salt"] + proof["values_sha256"])
            leaf += record_id.encode()
            path = [bytes.fromhex(part) for part in proof["path"]]
            seq, size = proof["leaf"]["seq"], proof["checkpoint"]["size"]
            verify_inclusion(leaf_hash(leaf), seq, size, path, checkpoint.root)
            assert proof["checkpoint"]["root"] == checkpoint.root.hex()
            assert set(proof) == {
                "kind",
                "record_id",
                "values_sha256",
                "leaf",
                "path",
                "checkpoint",
            }


def _ids(store: NodeStore) -> list[str]:
    engine = store.relations(["fee_detail"])
    try:
        return [row[0] for row in engine.execute("select record_id from fee_detail").fetchall()]
    finally:
        engine.close()
