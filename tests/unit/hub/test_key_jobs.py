"""Keys at rest of a hub: rotated, while segments stay as they are, byte for byte."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import LargeBinary, delete, select

from hub.store import database  # noqa: F401 - every table
from hub.store.engine import reading, writing
from hub.store.metadata import metadata
from hub.store.sealed_places import SEALED, WRAPPED, sealed_epochs, wrapped_epochs
from hub.store.tables import segment, staged
from security.at_rest.key_ring import SETTLED_MS, KeyRing
from security.at_rest.rotation import add_epoch
from security.at_rest.vault import epoch_of
from security.errors import KeyRotationError
from security.exchange import tables as exchange_tables
from tests.support.department_files import write_register
from tests.support.hub_city import Slot, batch
from tests.support.operators import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.hub_city import City, Sender

# Columns of unbounded bytes that hold no value of the vault.
CLEAR = {
    *("agreement.signed", "product.request_id", "directory.content"),
    *("grade_reference.content", "grade_run.layout"),
    *("publication.signature", "publication.pq_signature"),
    *("receipt_group.signature", "receipt_group.pq_signature", "receipt_group.sm2_signature"),
    "receipt.body",
    *("key_certificate.certificate", "token.response", "revocation_list.list"),
    *("envelope.raw", "delivery.raw", "refusal.evidence", "renewal.response"),
    *("log_leaf.leaf", "log_state.frontier", "log_frontier.frontier", "log_peer.anchor"),
    *("collected_head.heads", "log_recovery.signature", "log_recovery.pq_signature"),
    *("x_heads.hash", "x_inbox.hash", "x_inbox.pack_digest", "x_log_contradictions.path"),
    *("x_marks.value", "x_outbox.envelope", "x_receipts.body_hash", "x_receipts.envelope_hash"),
    *("x_receipts.receipt", "x_seen_logs.root"),
    *("x_chains.hash", "x_chains.base_hash", "x_outbox.pack_digest", "x_outbox.hash"),
}


@pytest.fixture
def hub(city: City, node: Sender, tmp_path: Path) -> City:
    """A hub with rows in a segment, staged rows and sealed items."""
    city.submit(node.seal(batch(Slot(month=202601))))
    city.parts.statements.flush(city.parts.engine)
    city.submit(node.seal(batch(Slot(month=202602))))
    Desk(city).run("import", {"path": str(write_register(tmp_path))})
    return city


def objects(city: City) -> dict[str, str]:
    where = city.parts.directory / "objects"
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in where.rglob("*.parquet")
    }


def ring(city: City) -> Path:
    return city.parts.directory / "keys" / "vault.key"


def epochs(city: City) -> tuple[dict[str, Any], dict[str, Any]]:
    with reading(city.parts.engine) as connection:
        return dict(wrapped_epochs(connection)), dict(sealed_epochs(connection))


def test_rotation_changes_no_byte_of_any_segment(hub: City) -> None:
    before, counted = objects(hub), hub.monthly(202601, 202602)
    assert len(before) == 1
    rotated = Desk(hub).run("keys-rotate", {})

    assert rotated == {"epoch": 1, "wrapped_anew": {"segment.wrapped_key": 1}}
    assert objects(hub) == before
    assert hub.monthly(202601, 202602) == counted
    wrapped, sealed = epochs(hub)
    assert wrapped == {"segment.wrapped_key": {1: 1}}
    assert sealed["staged.body"] == {0: 1}


def test_what_is_sealed_after_a_rotation_is_of_the_new_epoch(hub: City, node: Sender) -> None:
    desk = Desk(hub)
    desk.run("keys-rotate", {})
    hub.submit(node.seal(batch(Slot(month=202603))))

    assert epochs(hub)[1]["staged.body"] == {0: 1, 1: 1}
    shown = desk.run("keys", {})
    assert (shown["master"], shown["newest"], shown["lost"]) == ("file", 1, [])
    assert [one["epoch"] for one in shown["rows"]] == [0, 1]
    assert shown["rows"][0]["sealed"]["staged.body"] == 1
    hub.parts.statements.flush(hub.parts.engine)
    assert len(hub.monthly(202601, 202602, 202603)["months"]) == 3


def test_an_interrupted_rotation_is_ended_without_a_new_epoch(hub: City) -> None:
    add_epoch(ring(hub), hub.clock.ms)
    assert epochs(hub)[0] == {"segment.wrapped_key": {0: 1}}

    resumed = Desk(hub).run("keys-rotate", {"resume": True})
    assert resumed == {"epoch": 1, "wrapped_anew": {"segment.wrapped_key": 1}}


def test_an_epoch_is_destroyed_when_nothing_is_left_of_it(hub: City) -> None:
    desk = Desk(hub)
    desk.run("keys-rotate", {})
    hub.clock.advance(milliseconds=SETTLED_MS)
    with pytest.raises(KeyRotationError, match=r"staged\.body 1"):
        desk.run("keys-destroy", {"epoch": 0})
    with writing(hub.parts.engine) as connection:
        for column in SEALED:
            connection.execute(delete(column.table))

    desk.run("keys-destroy", {"epoch": 0})
    assert [one.epoch for one in KeyRing.load(ring(hub)).keys] == [1]
    assert len(hub.monthly(202601)["months"]) == 1
    assert desk.run("operations", {"limit": 1})["rows"][0]["job"] == "keys-destroy"


def test_every_sealed_value_of_the_database_is_in_the_census(hub: City) -> None:
    """Counted by SQL as by the vault, value by value."""
    Desk(hub).run("keys-rotate", {})
    wrapped, sealed = epochs(hub)
    with reading(hub.parts.engine) as connection:
        for column in (segment.c.wrapped_key, staged.c.body):
            found = [epoch_of(blob) for (blob,) in connection.execute(select(column))]
            counted = (wrapped | sealed)[str(column)]
            assert {one: found.count(one) for one in set(found)} == counted


def test_every_column_of_bytes_is_sealed_wrapped_or_clear() -> None:
    """Whoever adds a column says what it is: or an epoch would go that is still needed."""
    listed = {str(column) for column in (*SEALED, *(one[0] for one in WRAPPED))}
    found = {
        str(column)
        for tables in (metadata, exchange_tables.metadata)
        for table in tables.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and column.type.length is None
    }

    assert listed <= found
    assert found - listed - CLEAR == set()
    assert CLEAR - found == set()
