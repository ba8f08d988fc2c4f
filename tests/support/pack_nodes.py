"""A node that joined, as far as packs need it: orders come into its inbox, reports leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from node.packs.following import PackTurn, TurnReport
from node.packs.holding import Holding, holding_of
from node.sync.flow import Link
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.at_rest import Vault
from security.chain import GENESIS, ChainPosition
from security.envelope import OpenedEnvelope
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from security.exchange.outbox import Outbox
from security.packs.checking import Checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tests.support.hub_city import Sender

SOUND = Checked(
    passed=True,
    vectors=34,
    failures=(),
    catalog="c0",
    version="2026.12.1",
    from_day=20260101,
    to_day=0,
    grace_days=30,
)
BROKEN = replace(SOUND, passed=False, failures=("scores-employer onnx",))


class PackNode:
    """One node over a directory."""

    def __init__(self, place: Path, sender: Sender, root: bytes) -> None:
        self.directory = place
        place.mkdir()
        vault = Vault.create(place / "vault.key")
        self.link = Link(
            membership=sender.membership,
            engine=open_exchange(place / "exchange.db"),
            outbox=Outbox(vault),
            inbox=Inbox(vault),
        )
        self.holding: Holding = holding_of(place)
        self.checked: list[str] = []
        self._at: ChainPosition = GENESIS
        if root:
            self.holding.pin(root)

    def order(self, digest: bytes, version: int, /, **changes: Any) -> None:  # noqa: ANN401
        """Let an order of the hub arrive."""
        parts: dict[str, Any] = {
            "format": 1,
            "target": f"packs/2026.12.{version}.zip",
            "digest": digest,
            "from_day": int(date(2026, 11, 1).strftime("%Y%m%d")),
            "group": "pilot",
            "version": version,
        }
        payload = exchange_pb2.PackOrder(**(parts | changes)).SerializeToString(deterministic=True)
        seq = self._at.seq + 1
        header = envelope_pb2.EnvelopeHeader(
            sender=self.link.membership.hub_id,
            recipient=self.link.membership.member_id,
            lane=envelope_pb2.LANE_CONTROL,
            incarnation=1,
            seq=seq,
            previous_hash=self._at.hash,
            payload_type="pack_order",
            schema_version=1,
        )
        opened = OpenedEnvelope(header=header, hash=seq.to_bytes(32), payload=payload)
        with self.link.engine.begin() as connection:
            self.link.inbox.accept(connection, opened, 0)
        self._at = ChainPosition(incarnation=1, seq=seq, hash=opened.hash)

    def turn(
        self, now: datetime, folder: Path, found: Checked | Callable[[Path], Checked] = SOUND
    ) -> TurnReport:
        """Take a turn with a folder; what the vectors would give is given."""

        def check(path: Path) -> Checked:
            self.checked.append(path.stem)
            return found if isinstance(found, Checked) else found(path)

        return PackTurn(holding=self.holding, link=self.link, now=now, check=check).run(folder)

    def reports(self) -> list[tuple[int, str, bool]]:
        """Reports that wait in the outbox: order, state, whether it passed."""
        with self.link.engine.connect() as connection:
            total = self.link.outbox.pending(connection, self.link.membership.hub_id).total
        held = self.holding.load()
        assert total >= len(held.said)
        return [(int(version), state, state != "refused") for version, state in held.said.items()]
