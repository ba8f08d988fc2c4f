"""What members are told of the hub's backups, and what they drop then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.errors import ConfigurationError
from hub.store import log
from hub.store.backups import last_mark, mark_backup, through
from hub.store.engine import reading, writing
from protos.yixin.v1 import envelope_pb2, exchange_pb2
from tests.support.hub_city import NODE, OTHER

if TYPE_CHECKING:
    from tests.support.hub_city import City, Sender

BULK = envelope_pb2.LANE_BULK


def send(city: City, sender: Sender, count: int) -> list[int]:
    """Send envelopes; what each receipt says of backups."""
    told = []
    for _ in range(count):
        (result,) = city.submit(sender.seal(b"payload"), peer=sender.member)
        assert isinstance(result, exchange_pb2.Receipt)
        body = exchange_pb2.ReceiptBody.FromString(result.body)
        told.append(body.backed_up_through)
    return told


def size(city: City) -> int:
    with reading(city.parts.engine) as connection:
        return log.size(connection)


def mark(city: City, log_size: int) -> int:
    with writing(city.parts.engine) as connection:
        return mark_backup(connection, log_size, city.clock.ms)


def test_receipts_say_how_far_a_chain_is_in_a_backup(
    city: City, node: Sender, other: Sender
) -> None:
    assert send(city, node, 3) == [0, 0, 0]
    at_backup = size(city)
    assert send(city, other, 2) == [0, 0]

    assert mark(city, at_backup) == 1
    assert send(city, node, 2) == [3, 3]
    assert send(city, other, 1) == [0]

    assert mark(city, size(city)) == 2
    assert send(city, node, 1) == [5]
    assert send(city, other, 1) == [3]


def test_the_same_envelope_again_gets_the_receipt_it_had(city: City, node: Sender) -> None:
    envelope = node.seal(b"payload")
    (first,) = city.submit(envelope)
    mark(city, size(city))
    (again,) = city.submit(envelope)
    assert again == first


def test_nothing_is_said_of_a_later_incarnation_that_is_in_no_backup(
    city: City, node: Sender
) -> None:
    send(city, node, 2)
    mark(city, size(city))
    later = node.seal(b"payload", incarnation=2, seq=1, cited_incarnation=1, cited_seq=2)
    (result,) = city.submit(later, issued={BULK: 2})
    assert isinstance(result, exchange_pb2.Receipt)
    assert exchange_pb2.ReceiptBody.FromString(result.body).backed_up_through == 0


def test_marks_only_grow(city: City, node: Sender) -> None:
    send(city, node, 4)
    held = size(city)
    with reading(city.parts.engine) as connection:
        assert last_mark(connection) is None
    mark(city, held)
    assert mark(city, held) == 0

    for wrong in (held + 1, 0, -1):
        with pytest.raises(ConfigurationError, match=f"a backup cannot hold {wrong}"):
            mark(city, wrong)
    with pytest.raises(ConfigurationError, match="Keep the larger one"):
        mark(city, held - 1)
    with reading(city.parts.engine) as connection:
        found = last_mark(connection)
        assert found is not None
        assert (found.log_size, found.at_ms) == (held, city.clock.ms)
        assert through(connection, [NODE, OTHER]) == {(NODE, BULK): (1, 4)}
