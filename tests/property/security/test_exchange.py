"""Whatever is lost on the way, in whatever order: every payload arrives once and in order."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from protos.yixin.v1 import envelope_pb2, exchange_pb2
from security.at_rest import Vault
from security.chain import GENESIS, ChainPosition, Step, check_next
from security.exchange import archive
from security.exchange.engine import open_exchange
from security.exchange.heads import issue_incarnation
from security.exchange.outbox import Outbox
from security.exchange.receipts import VerifiedReceipt
from security.exchange.resume import Continue, LanePlan, plan_lane, view_lane
from security.exchange.sealing import SealedRow, SealingContext
from security.exchange.uplink_protocol import Accepted
from tests.support.members import HUB, NODE, NOW_MS, city

BULK = 3

# One link: payloads appended before it, envelopes that get through, receipts that come back,
# and how many of its last envelopes the hub loses afterwards by a restoration.
LINKS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 6), st.integers(0, 4)),
    min_size=1,
    max_size=6,
)


class Receiver:
    """The chain as a hub holds it."""

    def __init__(self) -> None:
        self.held: list[ChainPosition] = []

    @property
    def head(self) -> ChainPosition:
        return self.held[-1] if self.held else GENESIS

    def known(self, incarnation: int, seq: int) -> bytes | None:
        for position in self.held:
            if (position.incarnation, position.seq) == (incarnation, seq):
                return position.hash
        return None

    def take(self, row: SealedRow) -> None:
        header = envelope_pb2.EnvelopeHeader.FromString(row.message().header)
        step = check_next(self.head, self.known, header, row.position.hash)
        if step is Step.NEXT:
            self.held.append(row.position)


def receipt(row: SealedRow) -> VerifiedReceipt:
    return VerifiedReceipt(
        hub=HUB,
        lane=BULK,
        position=row.position,
        log_index=row.position.seq,
        logged_at_ms=NOW_MS,
        signed_at_ms=NOW_MS,
        status=exchange_pb2.RECEIPT_STATUS_STORED,
        quarantined_parts=0,
        backed_up_through=0,
        body=row.position.hash,
        receipt=b"",
    )


@settings(max_examples=40, deadline=None)
@given(links=LINKS)
def test_every_payload_arrives_once_and_in_order(links: list[tuple[int, int, int, int]]) -> None:
    hub, node = city()
    context = SealingContext(
        sender=NODE, signing_key=node.signing, recipient_key=hub.encryption_key, now_ms=NOW_MS
    )
    receiver = Receiver()
    appended = 0
    with tempfile.TemporaryDirectory() as directory:
        engine = open_exchange(Path(directory) / "exchange.db")
        outbox = Outbox(Vault.create(Path(directory) / "vault.key"))
        for count, arriving, answered, forgotten in [*links, (0, 99, 99, 0)]:
            with engine.begin() as conn:
                for _ in range(count):
                    outbox.append(
                        conn,
                        recipient=HUB,
                        lane=BULK,
                        payload_type="statements",
                        schema_version=1,
                        purpose="supervision",
                        data_class="aggregate",
                        period="",
                        payload=b"%d" % appended,
                    )
                    appended += 1
            with engine.begin() as conn:
                stated = outbox.heads(conn, HUB).get(BULK)
                accepted = Accepted(
                    held={BULK: receiver.head},
                    issued={BULK: issue_incarnation(receiver.head, stated)},
                    hub_keys=(),
                )
                view = view_lane(conn, HUB, BULK, accepted, demanded=False, now_ms=NOW_MS)
                plan: LanePlan = plan_lane(view)
                assert isinstance(plan, Continue)
                rows = archive.after(conn, HUB, BULK, plan.after, limit=99)
                rows += outbox.seal_ahead(conn, HUB, context)
            for row in rows[:arriving]:
                receiver.take(row)
            with engine.begin() as conn:
                outbox.settle(conn, [receipt(row) for row in rows[: min(arriving, answered)]])
            del receiver.held[len(receiver.held) - min(forgotten, len(receiver.held)) :]
        with engine.begin() as conn:
            assert outbox.pending(conn, HUB).total == 0
            assert outbox.heads(conn, HUB).get(BULK, GENESIS).seq == appended
        engine.dispose()
    assert [position.seq for position in receiver.held] == list(range(1, appended + 1))
