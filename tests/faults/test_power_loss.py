"""Power cuts at every step of a flush: whatever the disk shows afterwards, nothing is lost.

The store is driven through commits, flushes, compaction and the settling of keys and leaves at
small sizes, over a recording file layer; every state that the disk may then show is opened as
after a restart and must hold what was acknowledged, digest for digest.
"""

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest

import node.store.record_store
import node.store.staging
import node.store.store
from node.store import Commit, NodeStore
from scoring_kernel import load_catalog
from security.at_rest import Vault
from tests.support.power_loss import Crash, RecordingFiles

CATALOG: Final = load_catalog()
KEY: Final = bytes(range(32))
INSTITUTION: Final = "H33030200001"
SMALL: Final = (
    (node.store.record_store, "RUN_KEYS", 1),
    (node.store.record_store, "FLUSH_KEYS", 4),
    (node.store.staging, "MAX_SMALL_SEGMENTS", 2),
)


def _fees(schema: pa.Schema, numbers: Sequence[int], price: int) -> pa.Table:
    """Fee details with keys of their numbers; another price is another version."""
    count = len(numbers)
    given = {
        "record_id": [f"{INSTITUTION}{number:018d}#1" for number in numbers],
        "institution": [INSTITUTION] * count,
        "month": [202601 + number % 2 for number in numbers],
        "line": [str(number) for number in numbers],
        "mdtrt_id": [f"V{number}" for number in numbers],
        "person": ["9" * 20] * count,
        "occurred_at": [1_767_225_600] * count,
        "item_code": ["X"] * count,
        "local_code": ["Y"] * count,
        "amount_fen": [price] * count,
        "quantity_e4": [10_000] * count,
        "price_e6": [price * 10_000] * count,
    }
    columns = [pa.array(given.get(field.name, [None] * count), field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _drive(directory: Path, files: RecordingFiles) -> list[str]:
    """Take batches in and flush after each; returns the digest after every commit."""
    digests = []
    with NodeStore(directory, Vault(KEY), catalog=CATALOG, files=files) as store:
        schema = store.schemas["fee_detail"]
        digests.append(store.digest())
        for turn, (numbers, price) in enumerate(
            (((1, 2, 3), 100), ((4, 5), 100), ((2, 5), 250), ((6, 7, 8), 100))
        ):
            store.commit(Commit(records={"fee_detail": _fees(schema, numbers, price)}))
            files.committed()
            digests.append(store.digest())
            store.flush()
            assert store.digest() == digests[-1], turn
    return digests


def _distinct(crashes: Sequence[Crash]) -> list[Crash]:
    found: dict[bytes, Crash] = {}
    for crash in crashes:
        state = hashlib.sha256(crash.database)
        for name, content in sorted(crash.files.items()):
            state.update(f"{name} {len(content)} {crash.acknowledged}\n".encode())
            state.update(content)
        found.setdefault(state.digest(), crash)
    return list(found.values())


@pytest.mark.parametrize(
    "every", [pytest.param(23, id="some"), pytest.param(1, id="all", marks=pytest.mark.faults)]
)
def test_no_state_after_a_power_cut_lacks_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)
    directory = tmp_path / "node"
    files = RecordingFiles(directory)
    digests = _drive(directory, files)
    crashes = _distinct(files.crashes)
    assert len(crashes) > 100
    kinds = {crash.after.split()[0] for crash in crashes}
    assert {"create", "rename", "commit"} <= kinds
    for number, crash in enumerate(crashes[::every]):
        place = tmp_path / "crashed"
        crash.build(place)
        with NodeStore(place, Vault(KEY), catalog=CATALOG) as store:
            # What was in flight may be there as well: its transaction may just have ended.
            wanted = digests[crash.acknowledged : crash.acknowledged + 2]
            assert store.digest() in wanted, f"state {number} after {crash.after}"
            assert store.ledger_size() >= sum(store.counts().records.values())
            # It goes on: known keys are known, and a new record is added once.
            fees = _fees(store.schemas["fee_detail"], (1, 2, 9), 100)
            store.commit(Commit(records={"fee_detail": fees}))
            store.flush()
            lines = [
                line for batch in store.export("fee_detail") for line in batch["line"].to_pylist()
            ]
            assert len(lines) == len(set(lines))
            assert {"1", "2", "9"} <= set(lines)
        shutil.rmtree(place)
