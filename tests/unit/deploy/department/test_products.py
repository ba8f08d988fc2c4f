"""Products at a department: what comes twice is one, and nothing of it is left over."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from deploy.department.products import take_products
from protos.yixin.v1 import envelope_pb2, sharing_pb2
from security.at_rest import Vault
from security.chain import GENESIS
from security.envelope import OpenedEnvelope
from security.exchange.engine import open_exchange
from security.exchange.inbox import Inbox
from tests.support.hub_city import NODE, NOW, City, Sender, open_city

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"subject,grade\nH1,good\n"


@pytest.fixture(scope="module")
def department(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    place = tmp_path_factory.mktemp("city")
    with open_city(place / "hub") as city:
        assert isinstance(city, City)
        yield city.enrol(place / "department", NODE)


@pytest.mark.parametrize(
    ("rounds", "files", "missing"),
    [
        ([[0, 1]], 1, 0),
        ([[0, 1, 0, 1]], 1, 0),
        ([[1, 0, 1]], 1, 0),
        ([[1], [0, 1]], 1, 0),
        ([[1]], 0, 1),
    ],
)
def test_a_part_that_comes_twice_is_one_part(
    department: Sender, tmp_path: Path, rounds: list[list[int]], files: int, missing: int
) -> None:
    engine, inbox = open_exchange(tmp_path / "exchange.db"), Inbox(Vault.create(tmp_path / "key"))
    seq, at, written, left = 0, GENESIS.hash, 0, 0
    for parts in rounds:
        with engine.begin() as connection:
            for part in parts:
                seq += 1
                header = envelope_pb2.EnvelopeHeader(
                    sender=department.membership.hub_id,
                    recipient=NODE,
                    lane=envelope_pb2.LANE_BULK,
                    incarnation=1,
                    seq=seq,
                    previous_hash=at,
                    payload_type="product",
                    schema_version=1,
                )
                at = seq.to_bytes(32)
                inbox.accept(
                    connection, OpenedEnvelope(header=header, hash=at, payload=piece(part)), 0
                )
        taken = take_products(tmp_path, department.membership, engine, inbox, now=NOW)
        assert taken.faults == []
        written, left = written + len(taken.written), taken.incomplete
    assert (written, left) == (files, missing)
    again = take_products(tmp_path, department.membership, engine, inbox, now=NOW)
    assert (again.written, again.incomplete) == ([], missing)
    engine.dispose()


def piece(part: int) -> bytes:
    """One of the two parts of a product."""
    cut = len(CONTENT) // 2
    return sharing_pb2.Product(
        format=1,
        agreement="bank@1",
        period="2026H1",
        part=part,
        parts=2,
        digest=hashlib.sha256(CONTENT).digest(),
        content=CONTENT[cut:] if part else CONTENT[:cut],
        rows=1,
    ).SerializeToString(deterministic=True)
