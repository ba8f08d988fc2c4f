"""A node's presence desk with joined devices, and events that those devices sign."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from node.edge_settings import EdgeSettings, FaceSettings
from node.presence.receiving import Delivered, PresenceDesk
from node.store.by import By
from node.store.calibrations import CalibrationUse
from node.store.device_rows import (
    DeviceHealth,
    DeviceKind,
    DeviceRow,
    DeviceState,
    Greeting,
    TokenRow,
)
from node.store.operator_log import LogEntry
from protos.yixin.v1 import edge_pb2
from security.devices import DeviceName, Place
from security.devices.signed_events import sign_event
from security.keys import SigningKey
from security.moments import to_ms
from tests.support.face_templates import MODEL, calibration
from tests.support.node_messages import HOSPITAL, PERSON, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from node.store import NodeStore

__all__ = ["AT", "BY", "MODEL", "THRESHOLD", "Desk", "Terminal", "calibrate", "join"]

AT: Final = datetime(2026, 7, 15, 4, 0, tzinfo=UTC)
"""Now; noon in Shanghai."""
BY: Final = By(operator="wang", at=AT)
THRESHOLD: Final = 4650

Pair = tuple[bytes, bytes]


@dataclass(slots=True)
class Terminal:
    """A joined device with its key and one queue."""

    row: DeviceRow
    key: SigningKey
    queue: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def event(self, seq: int, **changes: Any) -> Pair:  # noqa: ANN401 - fields of the message
        """Sign an event: a comparison over the threshold, a minute ago, unless told."""
        fields: dict[str, Any] = {
            "format": 1,
            "queue": self.queue,
            "seq": seq,
            "at_ms": to_ms(AT - timedelta(minutes=1)) + 1000 * seq,
            "purpose": edge_pb2.PRESENCE_PURPOSE_VISIT,
            "person": PERSON,
            "result": edge_pb2.PRESENCE_RESULT_COMPARED,
            "score_e4": 5300,
            "threshold_e4": THRESHOLD,
            "model": MODEL,
            "pipeline": bytes(32),
            "liveness": edge_pb2.LIVENESS_LIVE,
            **changes,
        }
        body = edge_pb2.PresenceEvent(**fields).SerializeToString()
        return body, sign_event(self.key, body)


def join(
    store: NodeStore, place: str = "window", name: str = "w1", institution: str = HOSPITAL
) -> Terminal:
    """Let a device join, and announce its queue."""
    devices, key = store.edge.devices, SigningKey.generate(post_quantum=False)
    named = DeviceName(institution=institution, place=Place(place), name=name)
    token = TokenRow(
        secret_digest=hashlib.sha256(named.device_id.encode()).digest(),
        device=named,
        expires_at_ms=to_ms(AT) + 600_000,
    )
    entry = LogEntry(at=BY.moment, operator="wang", action="device_token", subject=named.device_id)
    devices.expect(token, DeviceKind.FACE_TERMINAL, AT, entry, most=100)
    row = devices.find(named.device_id)
    assert row is not None
    row = replace(
        row,
        state=DeviceState.ACTIVE,
        signing_key=key.verifying.public_key,
        tls_digest=bytes(32),
        certified_until=(AT + timedelta(days=30)).isoformat(),
    )
    devices.activate(replace(token, keys_digest=bytes(32), response=b"-"), row, entry)
    terminal = Terminal(row=row, key=key)
    announce(store, terminal)
    return terminal


def announce(store: NodeStore, terminal: Terminal, *, oldest: int = 0, newest: int = 0) -> int:
    """Say hello with the terminal's queue."""
    greeting = Greeting(
        queue=terminal.queue,
        oldest=oldest,
        newest=newest,
        version="0",
        pipeline=b"",
        health=DeviceHealth(model=MODEL),
    )
    return store.edge.devices.note_hello(terminal.row.id, greeting, AT)


def calibrate(store: NodeStore, threshold_e4: int = THRESHOLD, site: str = HOSPITAL) -> None:
    """Put a calibration in force."""
    store.edge.calibrations.put(
        calibration(threshold_e4=threshold_e4, site=site), CalibrationUse.VERIFY, BY
    )


class Desk:
    """A calibrated node with a window terminal."""

    def __init__(self, directory: Path, **faces: Any) -> None:  # noqa: ANN401 - of `[faces]`
        self.store = open_store(directory)
        calibrate(self.store)
        self.window = join(self.store)
        self.desk = PresenceDesk(self.store, FaceSettings(**faces), EdgeSettings())

    def deliver(
        self, *events: Pair, terminal: Terminal | None = None, now: datetime = AT
    ) -> Delivered:
        """Deliver events of a terminal; of the window's unless told."""
        return self.desk.deliver((terminal or self.window).row, list(events), now)

    def one(self, terminal: Terminal | None = None, **changes: Any) -> str:  # noqa: ANN401 - fields
        """Deliver the terminal's next event; the code of its refusal, or empty."""
        by = terminal or self.window
        through = self.store.edge.devices.queue_mark(by.row.id, by.queue)
        delivered = self.deliver(by.event(through + 1, **changes), terminal=by)
        assert delivered.through == through + 1
        return delivered.refused[0].code if delivered.refused else ""

    def rows(self, kind: str = "identity_event") -> Sequence[dict[str, Any]]:
        """Records of a kind, in their order of time."""
        rows = [row for batch in self.store.export(kind) for row in batch.to_pylist()]
        return sorted(rows, key=lambda row: (row["at"], row["record_id"]))

    def events(self) -> list[tuple[int, str, str, str, str]]:
        """What is held of events: number, verdict, cause, reason and note."""
        held = self.store.edge.presence.events(0, 2**62, limit=10_000)
        return [
            (one.seq, one.verdict, one.cause, one.reason, one.note)
            for one in sorted(held, key=lambda one: (one.device, one.queue, one.seq))
        ]

    def close(self) -> None:
        """Close the store."""
        self.store.close()
