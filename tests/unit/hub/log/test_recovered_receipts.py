"""Receipts of a restored hub, for envelopes that its log had from before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.log.sequencer import publish
from hub.log_jobs import LogJobs
from hub.store.certifying import own_keys
from protos.yixin.v1 import exchange_pb2
from security.certificates import Keyring
from security.exchange.receipts import verify_receipt
from security.exchange.sealing import ENVELOPE_LIFETIME_MS
from security.progress import no_progress
from tests.support.hub_city import Slot, batch
from tests.support.hub_logs import copied, put_back

if TYPE_CHECKING:
    from tests.support.hub_city import City, Sender


async def test_a_receipt_holds_by_a_key_that_is_younger_than_the_leaf(
    city: City, node: Sender
) -> None:
    log, identity = city.parts.log, city.parts.identity
    backup = copied(log)
    ends = city.clock.ms + ENVELOPE_LIFETIME_MS
    sealed = node.seal(batch(Slot(month=202601)), expires_at_ms=ends)
    before = _body(city.submit(sealed)[0])
    publish(log)
    put_back(log, backup)
    await LogJobs(parts=city.parts).recover({}, no_progress)
    # Later another key signs: the one of before was lost, or its epoch ended.
    signed_by = identity.signing.key_id
    city.clock.advance(days=300)
    own_keys(log.engine, identity, city.clock.ms)
    city.clock.advance(days=2)
    certificates = own_keys(log.engine, identity, city.clock.ms)
    assert identity.signing.key_id != signed_by

    again = city.submit(sealed)[0]

    assert isinstance(again, exchange_pb2.Receipt)
    ring = Keyring([identity.anchor])
    for certificate in certificates:
        ring.add(certificate)
    found = verify_receipt(again, ring, hub=log.hub, sender=node.member)
    assert (found.log_index, found.logged_at_ms) == (before.log_index, before.logged_at_ms)
    assert found.signed_at_ms == city.clock.ms


def _body(result: object) -> exchange_pb2.ReceiptBody:
    assert isinstance(result, exchange_pb2.Receipt)
    return exchange_pb2.ReceiptBody.FromString(result.body)
