"""The outbox: bounds, limits, chains, receipts and pruning, on the member's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.at_rest import Vault
from security.chain import GENESIS, ChainPosition
from security.errors import LocalSyncError, RemoteSyncError, UntrustedReceiptError, VaultError
from security.exchange import archive
from security.exchange.engine import open_exchange
from security.exchange.outbox import MAX_PAYLOAD_BYTES, SEAL_AHEAD_LIMIT, Outbox, Pending
from security.exchange.receipts import VerifiedReceipt
from security.exchange.sealing import SealingContext
from tests.support.members import HUB, NODE, NOW_MS, PROVINCE, city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from security.exchange.sealing import SealedRow

BULK = 3
FIELDS: dict[str, Any] = {
    "recipient": HUB,
    "lane": BULK,
    "payload_type": "statements",
    "schema_version": 1,
    "purpose": "supervision",
    "data_class": "aggregate",
    "period": "",
}


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(Vault.create(tmp_path / "vault.key"))


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[Connection]:
    engine = open_exchange(tmp_path / "exchange.db")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def context() -> SealingContext:
    hub, node = city()
    return SealingContext(
        sender=NODE, signing_key=node.signing, recipient_key=hub.encryption_key, now_ms=NOW_MS
    )


def receipt_for(row: SealedRow, **changes: Any) -> VerifiedReceipt:  # noqa: ANN401
    fields: dict[str, Any] = {
        "hub": HUB,
        "lane": row.lane,
        "position": row.position,
        "log_index": row.position.seq - 1,
        "logged_at_ms": NOW_MS,
        "signed_at_ms": NOW_MS,
        "status": exchange_pb2.RECEIPT_STATUS_STORED,
        "quarantined_parts": 0,
        "backed_up_through": 0,
        "body": b"body of %d" % row.position.seq,
        "receipt": b"receipt",
    }
    return VerifiedReceipt(**(fields | changes))


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("payload", bytes(MAX_PAYLOAD_BYTES + 1), "cut it into parts"),
        ("lane", 0, "lane 0 does not exist"),
        ("lane", 4, "lane 4 does not exist"),
        ("purpose", "Supervision", "lower-case words"),
        ("payload_type", "", "lower-case words"),
        ("data_class", "a-b", "lower-case words"),
        ("period", "2026", "such as '2026H1'"),
        ("schema_version", 0, "schema version 0"),
        ("pack_digest", b"short", "5 bytes of digest"),
        ("agreement", "police", "such as 'police@1'"),
        ("agreement", "police@0", "such as 'police@1'"),
    ],
)
def test_what_would_block_the_chain_later_is_refused_now(
    outbox: Outbox, conn: Connection, field: str, value: object, words: str
) -> None:
    fields = FIELDS | {"payload": b"x", field: value}
    with pytest.raises(ValueError, match=words):
        outbox.append(conn, **fields)
    assert outbox.pending(conn, HUB) == Pending(queued=0, sealed=0, payload_bytes=0)


def test_the_largest_payload_fits_into_an_envelope(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=bytes(MAX_PAYLOAD_BYTES))
    (row,) = outbox.seal_ahead(conn, HUB, context())
    assert len(row.envelope) < 1024 * 1024


def test_payloads_are_encrypted_at_rest(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"very readable")
    stored = conn.exec_driver_sql("SELECT payload FROM x_outbox").scalar_one()
    assert b"readable" not in stored


def test_a_payload_moved_to_another_row_does_not_open(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"one")
    outbox.append(conn, **FIELDS, payload=b"two")
    conn.exec_driver_sql(
        "UPDATE x_outbox SET payload = (SELECT payload FROM x_outbox WHERE id = 1) WHERE id = 2"
    )
    with pytest.raises(VaultError):
        outbox.seal_ahead(conn, HUB, context())


def test_seq_and_hashes_continue_over_rounds(outbox: Outbox, conn: Connection) -> None:
    rows: list[SealedRow] = []
    for number in range(3):
        outbox.append(conn, **FIELDS, payload=b"%d" % number, pack_digest=bytes(32))
        rows += outbox.seal_ahead(conn, HUB, context())
    headers = [envelope_pb2.EnvelopeHeader.FromString(row.message().header) for row in rows]
    assert [header.seq for header in headers] == [1, 2, 3]
    assert [header.previous_hash for header in headers] == [
        bytes(32),
        rows[0].position.hash,
        rows[1].position.hash,
    ]
    assert outbox.heads(conn, HUB) == {BULK: rows[-1].position}


def test_sealing_stops_a_thousand_ahead(outbox: Outbox, conn: Connection) -> None:
    for _ in range(SEAL_AHEAD_LIMIT + 5):
        outbox.append(conn, **FIELDS, payload=b"x")
    rows = outbox.seal_ahead(conn, HUB, context(), limit=SEAL_AHEAD_LIMIT * 2)
    assert len(rows) == SEAL_AHEAD_LIMIT
    assert outbox.seal_ahead(conn, HUB, context()) == []
    assert outbox.pending(conn, HUB).queued == 5
    outbox.settle(conn, [receipt_for(row) for row in rows[:2]])
    assert len(outbox.seal_ahead(conn, HUB, context())) == 2


def test_a_round_is_bounded_in_envelopes_and_bytes(outbox: Outbox, conn: Connection) -> None:
    for lane in (BULK, BULK, BULK, 1):
        outbox.append(conn, **(FIELDS | {"lane": lane}), payload=bytes(100))
    assert [row.lane for row in outbox.seal_ahead(conn, HUB, context(), limit=1)] == [1]
    assert len(outbox.seal_ahead(conn, HUB, context(), max_bytes=1)) == 1
    assert len(outbox.seal_ahead(conn, HUB, context(), max_bytes=200)) == 2
    assert outbox.seal_ahead(conn, HUB, context()) == []


def test_the_bytes_of_a_round_are_shared_by_the_lanes(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **(FIELDS | {"lane": 1}), payload=bytes(100))
    outbox.append(conn, **FIELDS, payload=bytes(100))
    assert [row.lane for row in outbox.seal_ahead(conn, HUB, context(), max_bytes=100)] == [1]


def test_a_key_of_another_member_does_not_seal(outbox: Outbox, conn: Connection) -> None:
    with pytest.raises(ValueError, match=f"the key of {HUB} cannot seal for {PROVINCE}"):
        outbox.seal_ahead(conn, PROVINCE, context())


def test_a_receipt_settles_once(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"one")
    (row,) = outbox.seal_ahead(conn, HUB, context())
    assert outbox.settle(conn, [receipt_for(row)]) == 1
    assert outbox.settle(conn, [receipt_for(row)]) == 0
    assert conn.exec_driver_sql("SELECT count(*) FROM x_receipts").scalar_one() == 1
    # A restored hub logs the same envelope again: both promises are evidence.
    assert outbox.settle(conn, [receipt_for(row, body=b"another log index")]) == 0
    assert conn.exec_driver_sql("SELECT count(*) FROM x_receipts").scalar_one() == 2
    assert archive.count_receipts(conn, HUB) == 1


def test_a_receipt_for_another_envelope_settles_nothing(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"one")
    (row,) = outbox.seal_ahead(conn, HUB, context())
    forged = ChainPosition(incarnation=1, seq=1, hash=bytes(32))
    with pytest.raises(UntrustedReceiptError, match="another envelope stands at"):
        outbox.settle(conn, [receipt_for(row, position=forged)])
    beyond = ChainPosition(incarnation=1, seq=2, hash=bytes(32))
    with pytest.raises(UntrustedReceiptError, match="nothing was ever sealed at"):
        outbox.settle(conn, [receipt_for(row, position=beyond)])


def test_payloads_leave_when_a_backup_has_them_and_only_then(
    outbox: Outbox, conn: Connection
) -> None:
    for number in range(3):
        outbox.append(conn, **FIELDS, payload=b"%d" % number)
    rows = outbox.seal_ahead(conn, HUB, context())
    outbox.settle(conn, [receipt_for(row) for row in rows[:2]])
    assert len(archive.after(conn, HUB, BULK, GENESIS)) == 3
    outbox.settle(conn, [receipt_for(rows[1], backed_up_through=9, body=b"backed up")])
    kept = archive.after(conn, HUB, BULK, rows[1].position)
    assert [row.position for row in kept] == [rows[2].position]
    with pytest.raises(RemoteSyncError, match="restore that backup first"):
        archive.after(conn, HUB, BULK, rows[0].position)
    assert archive.is_known(conn, HUB, BULK, rows[0].position)


def test_reading_the_archive_is_bounded(outbox: Outbox, conn: Connection) -> None:
    for _ in range(4):
        outbox.append(conn, **FIELDS, payload=bytes(100))
    outbox.seal_ahead(conn, HUB, context())
    assert len(archive.after(conn, HUB, BULK, GENESIS, limit=3)) == 3
    assert len(archive.after(conn, HUB, BULK, GENESIS, max_bytes=1)) == 1


def test_an_incarnation_with_receipts_is_not_started_over(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"one")
    (row,) = outbox.seal_ahead(conn, HUB, context())
    outbox.settle(conn, [receipt_for(row)])
    with pytest.raises(LocalSyncError, match="higher than every used one"):
        outbox.start_incarnation(conn, HUB, BULK, 1, GENESIS)


def test_marks_are_replaced_and_found_by_prefix(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"1", marks={"slot/a": b"1", "slot/b": b"1"})
    outbox.append(conn, **FIELDS, payload=b"2", marks={"slot/a": b"2", "s%/c": b"x"})
    assert outbox.get_mark(conn, "slot/a") == b"2"
    assert outbox.get_mark(conn, "slot/none") is None
    assert outbox.get_marks(conn, "slot/") == {"slot/a": b"2", "slot/b": b"1"}
    assert outbox.get_marks(conn, "s%") == {"s%/c": b"x"}
    assert outbox.restate(conn, "slot/", lambda value: value + b"!") == 2
    assert outbox.get_marks(conn, "s") == {"slot/a": b"2!", "slot/b": b"1!", "s%/c": b"x"}


def test_a_recipient_that_is_ahead_gets_a_new_incarnation(outbox: Outbox, conn: Connection) -> None:
    outbox.append(conn, **FIELDS, payload=b"one")
    outbox.seal_ahead(conn, HUB, context())
    ahead = ChainPosition(incarnation=4, seq=7, hash=bytes([1]) * 32)
    assert outbox.acknowledge(conn, HUB, {BULK: ahead}) == (BULK,)
    (row,) = outbox.seal_ahead(conn, HUB, context())
    header = envelope_pb2.EnvelopeHeader.FromString(row.message().header)
    assert (header.incarnation, header.seq) == (5, 1)
    assert (header.cited_incarnation, header.cited_seq) == (4, 7)
    assert header.previous_hash == ahead.hash


def test_an_acknowledgement_covers_what_is_below_it(outbox: Outbox, conn: Connection) -> None:
    for _ in range(3):
        outbox.append(conn, **FIELDS, payload=b"x")
    rows = outbox.seal_ahead(conn, HUB, context())
    assert outbox.acknowledge(conn, HUB, {}) == ()
    assert outbox.pending(conn, HUB).sealed == 3
    empty = ChainPosition(incarnation=1, seq=0, hash=bytes(32))
    assert outbox.acknowledge(conn, HUB, {BULK: empty, 1: empty}) == ()
    assert outbox.acknowledge(conn, HUB, {BULK: rows[1].position}) == ()
    assert outbox.pending(conn, HUB).sealed == 1


def test_a_recipient_that_lost_what_the_archive_no_longer_has_starts_anew(
    outbox: Outbox, conn: Connection
) -> None:
    outbox.append(conn, **FIELDS, payload=b"one")
    (row,) = outbox.seal_ahead(conn, HUB, context())
    outbox.settle(conn, [receipt_for(row)])
    conn.exec_driver_sql("DELETE FROM x_outbox")
    assert outbox.acknowledge(conn, HUB, {}) == ()
    lost = ChainPosition(incarnation=1, seq=1, hash=bytes(32))
    assert outbox.acknowledge(conn, HUB, {BULK: lost}) == (BULK,)
    assert outbox.heads(conn, HUB)[BULK].incarnation == 2
    assert archive.is_known(conn, HUB, BULK, lost)
    other = ChainPosition(incarnation=1, seq=1, hash=bytes([9]) * 32)
    assert not archive.is_known(conn, HUB, BULK, other)
    assert not archive.is_known(conn, HUB, BULK, GENESIS)
