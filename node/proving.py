"""Proofs for inspectors: that a record was stored by the end of a day, as one JSON object.

Rules:
- the object holds ids, hashes and the leaf's salt, no value of the record: the inspector brings
  the values and the hub's signed checkpoint, and verifies both against it: the leaf is the salt,
  the SHA-256 of the values without ``record_id``, and ``record_id``, one after the other;
- whoever holds the salt can try values out, so the object is as confidential as the record.

Source: SECURITY §13; RFC 6962, section 2.1.1.
"""

from node.store import NodeStore
from node.store.record_bytes import DIGEST_BYTES, leaf_content

__all__ = ["prove_record"]


def prove_record(store: NodeStore, kind: str, record_id: str) -> dict[str, object]:
    """Prove that a record stands in the first checkpoint after it came.

    Args:
        store: The node's store.
        kind: Kind of the record.
        record_id: Its id.

    Returns:
        What an inspector needs beside the record's values: ``leaf`` (place, salt), ``path``,
        ``checkpoint`` (day, size, root) and ``values_sha256``; bytes are hex.

    Raises:
        StoreError: There is no such record, no checkpoint holds it yet, or it is not what was
            stored.
    """
    proof = store.record_ledger.prove(kind, record_id)
    content = leaf_content(proof.record, store.schemas[kind])
    return {
        "kind": kind,
        "record_id": record_id,
        "values_sha256": content[:DIGEST_BYTES].hex(),
        "leaf": {"seq": proof.leaf.seq, "salt": proof.leaf.salt.hex()},
        "path": [part.hex() for part in proof.leaf.path],
        "checkpoint": {
            "day": proof.checkpoint.day,
            "size": proof.checkpoint.size,
            "root": proof.checkpoint.root.hex(),
        },
    }
