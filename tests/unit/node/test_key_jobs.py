"""Keys at rest of a node: rotated, while records stay as they are, byte for byte."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from node import key_jobs
from node.app import opened
from node.cli import app
from node.gateway.spool_files import frame_epochs
from node.store.findings import Findings
from node.store.month_rows import MonthRows
from node.store.sealed_places import SEALED, WRAPPED, sealed_epochs, wrapped_epochs
from security.at_rest import Vault
from security.at_rest.key_ring import SETTLED_MS, KeyRing
from security.at_rest.rotation import add_epoch
from security.moments import to_ms
from security.progress import no_progress
from tests.support import node_messages as m
from tests.support.node_records import fee_details, kept_fees

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from node.jobs import NodeJobs

ROWS = [(f"a:{number}", f"F{number}", 100 * number) for number in range(1, 5)]
MONTHS = [202601, 202602, 202602, 202603]
WHO = {"operator": "li"}

# Columns of bytes that hold no value of the vault: digests, hashes, public keys, roots.
CLEAR = {
    *("message.request_digest", "message.response_digest", "taken_back.settlement"),
    *("quarantine.digest", "quarantine_mended.digest", "rule_hit.id", "rule_hit.digest"),
    *(
        "old_segment.sha256",
        "segment.sha256",
        "superseded_segment.sha256",
        "key_batch.body",
        "key_run.sha256",
    ),
    *("leaf_chunk.hashes", "checkpoint.root", "operator_log.previous", "operator_log.hash"),
    *("rule_run.book_digest", "rule_run.knowledge_digest", "knowledge_import.sha256"),
    *("knowledge_version.digest", "knowledge_version.body", "grade_statement.body"),
    *("finding.id", "finding_month.inputs", "counted.inputs"),
    *("device.signing_key", "device.tls_fingerprint", "device.pipeline", "device_queue.queue"),
    *("device_token.secret_digest", "device_token.keys_digest"),
    *("device_authority.certificate", "device_authority.server_certificate"),
    # Sealed under the row's own key.
    "template.body",
    *("template.id", "template.person", "template.model"),
    *("template_proxy.person", "template_proxy.proxy"),
    *("face_calibration.digest", "face_calibration.model", "face_calibration.body"),
    *("presence.queue", "presence.person", "face_crop.queue"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A node with records in three segments, some more staged, and a refused line."""
    directory = tmp_path / "node"
    run(directory, "init", "--institution", m.HOSPITAL)
    with opened(directory) as jobs:
        jobs.store.commit(commit(jobs, 0))
        jobs.store.flush()
        jobs.store.commit(commit(jobs, 1))
    refused = [m.settlement(1), m.settlement(2, request={"insutype": "999"})]
    lines = m.write_lines(tmp_path / "in.jsonl", refused)
    run(directory, "ingest", str(lines), expect=1)
    return directory


def commit(jobs: NodeJobs, batch: int) -> Any:  # noqa: ANN401
    from node.store import Commit  # noqa: PLC0415 - heavy

    rows = [(f"{key}{batch}", f"{name}{batch}", fen) for key, name, fen in ROWS]
    return Commit(records={"fee_detail": fee_details(jobs.store, rows, months=MONTHS)})


def run(home: Path, *arguments: str, expect: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments, "--dir", str(home)])
    assert done.exit_code == expect, done.output
    return done.stdout


def told(home: Path, *arguments: str, expect: int = 0) -> dict[str, Any]:
    return dict(json.loads(run(home, "keys", *arguments, "--json", expect=expect)))


def files(home: Path) -> dict[str, str]:
    """SHA-256 of every file but the databases and the ring."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and ".db" not in path.name and path.name not in {"node.key", "node.lock"}
    }


def fees(home: Path) -> list[Any]:
    with opened(home, writer=False) as jobs:
        return sorted(kept_fees(jobs.store))


def test_rotation_changes_no_byte_of_any_segment(home: Path) -> None:
    before, records = files(home), fees(home)
    assert sum(name.endswith(".parquet") for name in before) == 3
    rotated = told(home, "rotate", "--operator", "li")

    assert rotated["epoch"] == 1
    assert rotated["wrapped_anew"]["segment.wrapped_key"] == 3
    assert rotated["wrapped_anew"]["salt.secret"] >= 3
    assert rotated["wrapped_anew"]["key_secret.wrapped"] == 1
    assert files(home) == before
    assert fees(home) == records
    run(home, "ingest", str(home.parent / "in.jsonl"), expect=1)


def test_all_wrapped_keys_are_of_the_newest_epoch_and_sealed_values_of_their_own(
    home: Path,
) -> None:
    sealed = dict(sealed_epochs(home))
    assert sealed["staged.body"] == {0: 4}
    assert sealed["quarantine.body"] == {0: 1}
    told(home, "rotate")
    with opened(home) as jobs:
        jobs.store.commit(commit(jobs, 2))

    assert {epoch for _, counts in wrapped_epochs(home) for epoch in counts} == {1}
    assert dict(sealed_epochs(home))["staged.body"] == {0: 4, 1: 3}
    first, second = told(home, "status")["rows"]
    assert (first["epoch"], first["wrapped"], first["sealed"]["quarantine.body"]) == (0, {}, 1)
    assert (second["epoch"], second["sealed"]["staged.body"]) == (1, 3)
    assert told(home, "status")["lost"] == []


def test_an_interrupted_rotation_is_ended_without_a_new_epoch(home: Path) -> None:
    add_epoch(home / "node.key", 1)

    assert {epoch for _, counts in wrapped_epochs(home) for epoch in counts} == {0}
    assert fees(home)
    resumed = told(home, "rotate", "--resume")
    assert (resumed["epoch"], resumed["wrapped_anew"]["segment.wrapped_key"]) == (1, 3)


def test_a_store_that_is_open_goes_on_over_a_rotation(home: Path) -> None:
    with opened(home) as jobs:
        table = jobs.table()
        table["keys_rotate"](WHO, no_progress)
        jobs.store.commit(commit(jobs, 3))
        jobs.store.flush()
        kept = len(kept_fees(jobs.store))

    assert kept == len(fees(home)) == 12
    assert {epoch for _, counts in wrapped_epochs(home) for epoch in counts} == {1}


def test_an_epoch_is_destroyed_when_nothing_is_left_of_it(home: Path) -> None:
    told(home, "rotate")
    refused = told(home, "destroy", "0", expect=52)
    assert refused["error"] == "key_rotation"
    assert "quarantine.body 1" in refused["message"]
    with closing(sqlite3.connect(home / "node.db")) as connection, connection:
        connection.execute("update quarantine set body = null")
    with opened(home) as jobs:
        jobs.store.flush()
        moment = jobs.now()
    young = told(home, "destroy", "0", expect=52)
    assert "younger than an hour" in young["message"]

    ring = KeyRing.load(home / "node.key")
    first, second = ring.keys
    aged = to_ms(moment) - SETTLED_MS - 1
    path = home / "node.key"
    path.write_text(path.read_text().replace(str(second.made_at_ms), str(aged)))
    assert told(home, "destroy", "0") == {"epoch": 0, "status": "destroyed"}
    assert first.key.hex() not in path.read_text()
    assert len(fees(home)) == 8


def test_what_waits_in_the_spool_keeps_its_epoch_alive(home: Path) -> None:
    spool = home / "spool"
    spool.mkdir(exist_ok=True)
    vault = Vault.load(home / "node.key")
    sealed = [vault.seal(b"x", f"spool:a#{number}") for number in (1, 2)]
    frames = b"".join(len(one).to_bytes(4) + one for one in sealed)
    (spool / "a.spool").write_bytes(frames + b"\x00\x00\x00\x40cut off")
    (spool / "b.damaged").write_bytes(b"\xff\xff\xff\xff")

    assert frame_epochs(spool) == {0: 2}
    assert frame_epochs(home / "none") == {}
    assert told(home, "status")["rows"][0]["sealed"]["spool"] == 2


def test_every_step_is_in_the_log_of_operators(home: Path) -> None:
    told(home, "rotate", "--operator", "li")
    told(home, "destroy", "0", "--operator", "wang", expect=52)
    logged = json.loads(run(home, "operations", "--verify", "--json"))

    assert [(one["operator"], one["action"], one["subject"]) for one in logged["rows"]] == [
        ("wang", "keys_destroy", "epoch 0"),
        ("li", "keys_rotate", "epoch 1"),
    ]


def test_every_column_of_bytes_is_sealed_wrapped_or_clear(home: Path) -> None:
    """Whoever adds a column says what it is: or an epoch would go that is still needed."""
    vault = Vault.load(home / "node.key")
    with MonthRows(home, vault), Findings(home, vault):
        pass
    listed = {place.name for place in (*SEALED, *WRAPPED)}
    found = {*_columns(home / "node.db"), *_columns(home / "measures.db")}

    assert found - listed - CLEAR == set()
    assert CLEAR - found == set()
    beside = {place.name for place in (*SEALED, *WRAPPED) if place.database == "exchange.db"}
    assert listed - found == beside | {"meta.value"}


def _columns(database: Path) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f"pragma table_info({table})"):
                if row[2].lower() == "blob":
                    yield f"{table}.{row[1]}"


def test_readers_change_nothing() -> None:
    assert key_jobs.READERS == ("keys",)
