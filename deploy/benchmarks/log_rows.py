"""The transparency log: appends with their receipts, and tiles behind them.

Appends: leaves, envelopes and signed receipts of commit groups of 256, durable in the hub's
database; the reference stores the same bytes in a bare table with one bare signature per group.
Tiles: leaves that were appended become tiles and a signed checkpoint, synced and read back; the
reference is the appending itself: while the ratio is above 1, the published log follows the
database. Cost per leaf does not grow with the log.
"""

import sqlite3
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from deploy.benchmarks.measuring import Bound, Row, alternate
from hub.app import HubApp, init_hub
from hub.intake.committing import RECEIPT_TYPE
from hub.log.sequencer import publish
from hub.parts import HubParts
from hub.store import envelopes, log
from hub.store.engine import writing
from hub.store.envelopes import AcceptedEnvelope, GroupSeal
from protos.yixin.v1 import envelope_pb2, exchange_pb2, transparency_pb2
from security.chain import ChainPosition
from security.group_signature import sign_group
from security.keys import SigningKey

GROUP: Final = 256
GROWTH: Final = "constant per leaf"
_RAW_BYTES: Final = 2_048
_SENDER: Final = "yixin://330302/node/benchmark"


def measure_log(work: Path, *, leaves: int, repeats: int) -> tuple[Row, ...]:
    """Measure appends with receipts, and the making of tiles.

    Args:
        work: Empty directory for the hub's state.
        leaves: Leaves of one run; rounded up to whole groups.
        repeats: Runs of each side.

    Returns:
        Two rows, leaves per second.
    """
    groups = max(1, -(-leaves // GROUP))
    init_hub(work / "hub", level="city", division="330300", name="benchmark")
    with HubApp(work / "hub").opened() as parts:
        publish(parts.log)
        key = SigningKey.generate(post_quantum=True)
        tiles: list[float] = []

        def appended(run: int) -> float:
            begun = time.perf_counter()
            for group in range(groups):
                _append(parts, run * groups + group)
            passed = time.perf_counter() - begun
            begun = time.perf_counter()
            publish(parts.log)
            tiles.append(groups * GROUP / (time.perf_counter() - begun))
            return groups * GROUP / passed

        def stored(run: int) -> float:
            return groups * GROUP / _store(work / f"bare{run}.db", key, groups)

        ours, bare = alternate(appended, stored, repeats=repeats)
    return (
        _row("LOG appends with receipts vs bare table and signature", ours, bare, target=0.15),
        _row("LOG tiles and checkpoint vs appends", statistics.median(tiles), ours, target=1.0),
    )


def _append(parts: HubParts, group: int) -> None:
    """One commit group: leaves, envelopes, receipts, as the intake stores them."""
    now_ms = int(datetime.now(tz=UTC).timestamp() * 1000)
    with writing(parts.engine) as connection:
        headers = [_header(group * GROUP + number) for number in range(GROUP)]
        first = log.append_leaves(
            connection,
            [
                log.NewLeaf(
                    kind=transparency_pb2.LOG_KIND_ENVELOPE,
                    leaf=log.envelope_leaf(
                        header,
                        header.seq.to_bytes(32),
                        header.seq.to_bytes(32),
                        kind=transparency_pb2.LOG_KIND_ENVELOPE,
                        logged_at_ms=now_ms,
                    ),
                )
                for header in headers
            ],
        )
        bodies = [
            exchange_pb2.ReceiptBody(
                format=1,
                hub=parts.identity.hub,
                sender=_SENDER,
                lane=header.lane,
                incarnation=1,
                seq=header.seq,
                envelope_hash=header.seq.to_bytes(32),
                log_index=index,
                logged_at_ms=now_ms,
                status=exchange_pb2.RECEIPT_STATUS_STORED,
            ).SerializeToString(deterministic=True)
            for index, header in enumerate(headers, start=first)
        ]
        _, _, signature = sign_group(parts.identity.signing, RECEIPT_TYPE, bodies)
        envelopes.add_group(
            connection,
            [
                AcceptedEnvelope(
                    log_index=index,
                    sender=_SENDER,
                    lane=header.lane,
                    position=ChainPosition(
                        incarnation=1, seq=header.seq, hash=header.seq.to_bytes(32)
                    ),
                    raw=bytes(_RAW_BYTES),
                    receipt_body=body,
                )
                for index, (header, body) in enumerate(
                    zip(headers, bodies, strict=True), start=first
                )
            ],
            GroupSeal(key_id=parts.identity.signing.key_id, signature=signature),
        )


def _header(number: int) -> envelope_pb2.EnvelopeHeader:
    return envelope_pb2.EnvelopeHeader(
        sender=_SENDER,
        recipient="yixin://330300/hub/city",
        lane=envelope_pb2.LANE_BULK,
        incarnation=1,
        seq=number + 1,
        payload_type="statements",
        purpose="supervision",
        period="2026H1",
    )


def _store(path: Path, key: SigningKey, groups: int) -> float:
    """The same bytes in a bare table, durable group by group; returns seconds."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, raw BLOB, leaf BLOB)")
    leaf = _leaf(0)
    begun = time.perf_counter()
    for group in range(groups):
        key.sign_raw(group.to_bytes(32))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO row (raw, leaf) VALUES (?, ?)", [(bytes(_RAW_BYTES), leaf)] * GROUP
        )
        connection.execute("COMMIT")
    passed = time.perf_counter() - begun
    connection.close()
    return passed


def _leaf(number: int) -> bytes:
    digest = number.to_bytes(32)
    return log.envelope_leaf(
        _header(number),
        digest,
        digest,
        kind=transparency_pb2.LOG_KIND_ENVELOPE,
        logged_at_ms=1_790_000_000_000,
    )


def _row(name: str, ours: float, reference: float, *, target: float) -> Row:
    return Row(
        name=name,
        unit="leaves/s",
        ours=ours,
        reference=reference,
        ratio=ours / reference,
        bound=Bound.AT_LEAST,
        target=target,
        growth=GROWTH,
    )
