"""A city that shares: departments that joined, what they collect, what the log says of it."""

from __future__ import annotations

import csv
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hub.exchange.downlink import Downlink
from hub.store import log
from hub.store.engine import reading
from hub.store.tables import refusal
from protos.yixin.v1 import envelope_pb2, sharing_pb2, transparency_pb2
from security.chain import GENESIS, LANES, ChainPosition
from security.envelope import OpenedEnvelope, open_envelope
from security.transparency import parse_leaf

if TYPE_CHECKING:
    from pathlib import Path

    from hub.agreements.room import SharingRoom
    from tests.support.hub_city import City, Sender


@dataclass(slots=True)
class SharingCity:
    """A hub with departments."""

    city: City
    room: SharingRoom
    directory: Path
    members: dict[str, Sender] = field(default_factory=dict)

    def enrol(self, code: str) -> Sender:
        """Let a department join."""
        member = f"yixin://330300/department/{code}"
        self.members[code] = self.city.enrol(self.directory / code, member)
        return self.members[code]

    def collect(self, code: str) -> list[OpenedEnvelope]:
        """Everything the hub holds for a department, opened with its own keys."""
        return [self.opened(self.members[code], one) for one in self.sealed(code)]

    @property
    def downlink(self) -> Downlink:
        """What serves collections."""
        return Downlink(
            engine=self.city.parts.engine,
            identity=self.city.parts.identity,
            outbox=self.city.parts.outbox,
            keyring=self.city.parts.keys.keyring,
        )

    def sealed(self, code: str) -> list[envelope_pb2.SealedEnvelope]:
        """Everything the hub holds for a department, as it is sent."""
        member = self.members[code]
        downlink = self.downlink
        cursors: dict[int, ChainPosition] = dict.fromkeys(LANES, GENESIS)
        found: list[envelope_pb2.SealedEnvelope] = []
        while sealed := downlink.next_round(member.member, cursors, 64, self.city.clock.ms):
            found += sealed
        return found

    def opened(self, member: Sender, envelope: envelope_pb2.SealedEnvelope) -> OpenedEnvelope:
        return open_envelope(
            envelope,
            recipient=member.member,
            decryption_keys=member.membership.decryption_keys,
            keyring=member.membership.keyring,
            now_ms=self.city.clock.ms,
        )

    def request(self, code: str, /, **parts: Any) -> bytes:  # noqa: ANN401 - any part
        """Submit a request of a department, as its program would.

        Parts that no request has go into the envelope; so do those that begin with ``header_``.

        Returns:
            The request's id.
        """
        member = self.members[code]
        asked: dict[str, Any] = {
            "format": 1,
            "agreement": "police@1",
            "period": "2026H1",
            "request_id": secrets.token_bytes(16),
        }
        header: dict[str, Any] = {
            "payload_type": "product_request",
            "purpose": "fraud_investigation",
            "data_class": "grade",
        }
        names = {one.name for one in sharing_pb2.ProductRequest.DESCRIPTOR.fields}
        asked |= {name: value for name, value in parts.items() if name in names}
        header |= {name: value for name, value in parts.items() if name not in names}
        header |= {"agreement": asked["agreement"], "period": asked["period"]}
        for name in [one for one in header if one.startswith("header_")]:
            header[name.removeprefix("header_")] = header.pop(name)
        payload = sharing_pb2.ProductRequest(**asked).SerializeToString()
        (result,) = self.city.submit(member.seal(payload, **header), peer=member.member)
        self.last = result
        return bytes(asked["request_id"])

    last: Any = None
    """What became of the last submission."""

    def leaves(self, *kinds: str) -> list[transparency_pb2.LogLeaf]:
        """Leaves of some kinds, by the ends of their names; all where none is named."""
        with reading(self.city.parts.engine) as connection:
            found = [
                parse_leaf(row.leaf) for row in log.leaves(connection, 0, log.size(connection))
            ]
        names = [f"LOG_KIND_{kind}" for kind in kinds]
        return [
            leaf for leaf in found if transparency_pb2.LogKind.Name(leaf.kind) in names or not kinds
        ]

    def refusals(self) -> list[str]:
        """Causes of the refused attempts."""
        with reading(self.city.parts.engine) as connection:
            return list(connection.execute(select(refusal.c.cause)).scalars())

    def count(self, table: Any) -> int:  # noqa: ANN401 - any table
        with reading(self.city.parts.engine) as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def product_of(*payloads: bytes) -> sharing_pb2.Product:
    """The parts of one product put together."""
    parts = [sharing_pb2.Product.FromString(payload) for payload in payloads]
    whole = sharing_pb2.Product()
    whole.CopyFrom(parts[0])
    whole.content = b"".join(part.content for part in sorted(parts, key=lambda one: one.part))
    return whole


def rows_of(product: sharing_pb2.Product) -> list[dict[str, str]]:
    """Rows of a product's CSV."""
    return list(csv.DictReader(product.content.decode().splitlines()))
